import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.evaluation.scores.error_parts import PARTS, ErrorParts

from .test_time_scales import towers


def naive(values, dates):
    """Site level, season and anomaly of one gapless record, by loops."""
    mean, months = sum(values) / len(values), [str(date)[5:7] for date in dates]
    season = anomaly = 0.0
    for month in set(months):
        own = [value for value, its in zip(values, months, strict=True) if its == month]
        of_month = sum(own) / len(own) if len(own) >= 15 else mean
        season += len(own) / len(values) * (of_month - mean) ** 2
        anomaly += sum((value - of_month) ** 2 for value in own) / len(values)
    return mean**2, season, anomaly


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 1), st.floats(-100, 100))
@settings(max_examples=25, deadline=None)
def test_parts_equal_plain_loops_and_sum_to_the_error_and_to_the_variance(seed, kept, level):
    o, p, counted, dates = towers(seed, years=2, kept=kept, level=level)
    counted[:, 0] = True
    o = np.where(counted, np.nan_to_num(o), np.nan)
    block = ErrorParts.of(o, p, counted, dates).summarise(np.ones(3, bool), np.arange(3))
    errors = [(p - o)[site][counted[site]].tolist() for site in range(3)]
    parts = [naive(error, dates[counted[site]]) for site, error in enumerate(errors)]
    for part, mean in zip(PARTS, np.mean(parts, axis=0), strict=True):
        assert block["mse"][part] == pytest.approx(mean, rel=1e-9, abs=1e-9)
    mse = np.mean([np.mean(np.square(error)) for error in errors])
    assert sum(block["mse"][part] for part in PARTS) == pytest.approx(mse, rel=1e-12)
    assert block["mse"]["total"] == pytest.approx(mse, rel=1e-12)
    means = [o[site][counted[site]].mean() for site in range(3)]
    total = np.mean([np.mean((o[site][counted[site]] - np.mean(means)) ** 2) for site in range(3)])
    assert block["observed_variance"]["total"] == pytest.approx(total, rel=1e-9)
    assert block["observed_variance"]["site_level"] == pytest.approx(np.var(means), rel=1e-9)
    assert (block["sites"], block["clusters"], block["days"]) == (3, 3, counted.sum())


def test_each_part_takes_the_error_that_belongs_to_it():
    o, _, counted, dates = towers(0, kept=1.0)
    rng, month = np.random.default_rng(0), dates.astype("datetime64[M]").astype(int) % 12
    by_month = np.cos(month / 12 * 2 * np.pi)
    for part, error in (("site_level", 2.0), ("season", by_month), ("anomaly", rng.normal(size=dates.size))):
        block = ErrorParts.of(o, o + error, counted, dates).summarise(np.array([True, False, False]), np.arange(3))[
            "mse"
        ]
        assert block[part] > 0.9 * block["total"], part


@pytest.mark.parametrize(("days", "part"), [(1, "anomaly"), (14, "anomaly"), (15, "season"), (31, "season")])
def test_the_error_of_a_month_of_few_days_is_anomaly_not_season(days, part):
    dates = np.arange(np.datetime64("2005-01-01"), np.datetime64("2006-01-01"))
    o, error = np.zeros((1, dates.size)), np.zeros((1, dates.size))
    july = np.flatnonzero(dates.astype("datetime64[M]") == np.datetime64("2005-07"))
    counted = np.ones((1, dates.size), bool)
    counted[0, july[days:]] = False
    error[0, july] = 3.0
    block = ErrorParts.of(o, o + error, counted, dates).summarise(np.ones(1, bool), np.zeros(1, int))["mse"]
    of_july = days / counted.sum() * (3 - 3 * days / counted.sum()) ** 2
    assert block["anomaly"] == pytest.approx(of_july if part == "anomaly" else 0, rel=1e-12)
    assert (block["season"] > of_july) == (part == "season")
    assert sum(block[name] for name in PARTS) == pytest.approx(9 * days / counted.sum(), rel=1e-12)


def test_without_days_the_parts_are_null():
    o, p, counted, dates = towers(0)
    counted[1] = False
    parts = ErrorParts.of(o, p, counted, dates)
    assert parts.summarise(np.ones(3, bool), np.zeros(3, int))["sites"] == 2
    nothing = parts.summarise(np.array([False, True, False]), np.zeros(3, int))
    assert nothing["mse"] == {"total": None, **dict.fromkeys(PARTS)} and nothing["sites"] == 0
