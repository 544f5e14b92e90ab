"""Every scale against a second implementation: plain loops over dates and dictionaries."""

import datetime
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.evaluation import metrics
from raciflux.evaluation.scores.time_scales import SCALES, summarise, time_scales
from sklearn.metrics import r2_score, root_mean_squared_error


def grouped(days, key, least):
    """Means of (observed, predicted) of each group of (date, observed, predicted) that is large enough."""
    groups = defaultdict(list)
    for date, o, p in days:
        groups[key(date)].append((o, p))
    return {
        name: (sum(o for o, _ in pairs) / len(pairs), sum(p for _, p in pairs) / len(pairs), len(pairs))
        for name, pairs in groups.items()
        if len(pairs) >= least
    }


def naive(days):
    """For each scale: its (observed, predicted) values and the number of days behind, of one site."""
    months = grouped(days, lambda date: (date.year, date.month), 15)
    cycle = {}
    for month in range(1, 13):
        own = [value for (_, m), value in months.items() if m == month]
        if own:
            cycle[month] = tuple(sum(value[i] for value in own) / len(own) for i in (0, 1))
    years = grouped(days, lambda date: date.year, 183)
    weeks = grouped(days, lambda date: date.isocalendar()[:2], 4)
    anomalies = [(o - cycle[date.month][0], p - cycle[date.month][1]) for date, o, p in days if date.month in cycle]
    level = [sum(value[i] for value in years.values()) / len(years) if years else 0.0 for i in (0, 1)]
    changes = [(o - level[0], p - level[1]) for o, p, _ in years.values()] if len(years) >= 3 else []
    behind = {
        name: sum(value[2] for value in means.values()) for name, means in (("w", weeks), ("m", months), ("y", years))
    }
    return {
        "daily": ([(o, p) for _, o, p in days], len(days)),
        "weekly": ([value[:2] for value in weeks.values()], behind["w"]),
        "monthly": ([value[:2] for value in months.values()], behind["m"]),
        "seasonal_cycle": (list(cycle.values()), behind["m"]),
        "anomaly": (anomalies, len(anomalies)),
        "yearly": ([value[:2] for value in years.values()], behind["y"]),
        "inter_annual": (changes, behind["y"] if changes else 0),
        "site_mean": ([tuple(np.mean([day[1:] for day in days], axis=0))] if days else [], len(days)),
    }


def towers(seed, sites=3, years=4, kept=0.8, level=2.0):
    """Seasonal records with gaps, some long; the last site has few days."""
    rng = np.random.default_rng(seed)
    first = np.datetime64("1999-01-01") + rng.integers(0, 400)
    dates = first + np.arange(int(365.25 * years))
    season = np.cos(2 * np.pi * dates.astype("datetime64[D]").astype(int) / 365.25)
    o = level + rng.normal(size=(sites, 1)) + 2 * season + rng.normal(size=(sites, dates.size))
    p = o * rng.uniform(0.5, 1.2, (sites, 1)) + rng.normal(size=o.shape)
    counted = rng.random(o.shape) < kept
    for site in range(sites):
        gap = rng.integers(0, dates.size)
        counted[site, gap : gap + rng.integers(0, 300)] = False
    counted[-1, 40:] = False
    return np.where(counted, o, np.nan), p, counted, dates


def days_of(record, site):
    o, p, counted, dates = record
    return [(dates[t].astype(datetime.date), o[site, t], p[site, t]) for t in np.flatnonzero(counted[site])]


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 1), st.integers(1, 5), st.floats(-100, 100))
@settings(max_examples=25, deadline=None)
def test_every_scale_equals_plain_loops(seed, kept, years, level):
    record = towers(seed, years=years, kept=kept, level=level)
    scales = time_scales(*record)
    assert tuple(scales) == SCALES
    for site in range(len(record[0])):
        for name, (values, days) in naive(days_of(record, site)).items():
            scale = scales[name]
            assert (scale.sums.n[site], scale.days[site]) == (len(values), days), name
            if not values:
                continue
            o, p = np.array(values).T
            assert metrics.rmse(scale.sums)[site] == pytest.approx(root_mean_squared_error(o, p), rel=1e-9), name
            if len(values) > 1:
                assert metrics.r2(scale.sums)[site] == pytest.approx(r2_score(o, p), rel=1e-7, abs=1e-9), name
            else:
                assert np.isnan(metrics.r2(scale.sums)[site]), name


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_order_of_days_and_sites_does_not_matter(seed):
    o, p, counted, dates = towers(seed)
    rng = np.random.default_rng(seed)
    sites, days = rng.permutation(len(o)), rng.permutation(len(dates))
    whole = time_scales(o, p, counted, dates)
    mixed = time_scales(*(each[sites][:, days] for each in (o, p, counted)), dates[days])
    for name in SCALES:
        assert (whole[name].days[sites] == mixed[name].days).all()
        np.testing.assert_allclose(metrics.r2(whole[name].sums)[sites], metrics.r2(mixed[name].sums), rtol=1e-7)
        np.testing.assert_allclose(metrics.rmse(whole[name].sums)[sites], metrics.rmse(mixed[name].sums), rtol=1e-9)


def test_a_wrong_level_is_an_error_of_the_site_mean_and_of_no_anomaly():
    o, _, counted, dates = towers(0)
    scales = time_scales(o, o + 3.0, counted, dates)
    for name in ("daily", "weekly", "monthly", "seasonal_cycle", "yearly", "site_mean"):
        np.testing.assert_allclose(metrics.rmse(scales[name].sums)[:2], 3, err_msg=name)
    for name in ("anomaly", "inter_annual"):
        np.testing.assert_allclose(metrics.rmse(scales[name].sums)[:2], 0, atol=1e-12, err_msg=name)


def test_the_floors_are_inclusive():
    dates = np.arange(np.datetime64("2001-01-01"), np.datetime64("2004-01-01"))  # the first day is a Monday
    o = np.random.default_rng(0).normal(size=(1, dates.size))
    for least, scale in ((4, "weekly"), (15, "monthly"), (183, "yearly")):
        for days, values in ((least, 1), (least - 1, 0)):
            found = time_scales(o, o, np.arange(dates.size)[None] < days, dates)[scale]
            assert (found.sums.n[0], found.days[0]) == (values, days * values), scale
    counted = np.ones(o.shape, bool)
    assert time_scales(o, o, counted, dates)["inter_annual"].sums.n[0] == 3
    counted[:, -200:] = False
    two_years = time_scales(o, o, counted, dates)
    assert two_years["inter_annual"].sums.n[0] == 0 and two_years["yearly"].sums.n[0] == 2
    block = summarise(two_years, np.array([True]), np.array([0]))
    assert block["yearly"]["per_site"]["rmse"]["sites"] == 0 and block["yearly"]["pooled"]["r2"] == 1
    assert block["inter_annual"]["sites"] == 0 and block["inter_annual"]["pooled"]["r2"] is None


@pytest.mark.parametrize("value", [0.1, 3.3, -1e6])
def test_a_record_without_spread_has_no_r2_at_any_scale(value):
    _, p, counted, dates = towers(1)
    constant = time_scales(np.full(p.shape, value), p, counted, dates)
    month_alone = time_scales(
        value + 0.1 * np.broadcast_to(dates.astype("datetime64[M]").astype(int) % 12, p.shape), p, counted, dates
    )
    for name in SCALES:
        assert np.isnan(metrics.r2(constant[name].sums)).all(), name
    assert np.isnan(metrics.r2(month_alone["anomaly"].sums)).all(), "rounding is not a spread"
    assert np.isfinite(metrics.r2(month_alone["seasonal_cycle"].sums)[:2]).all()


def test_no_site_and_no_day_are_null():
    for shape in ((0, 30), (2, 0)):
        dates = np.datetime64("2001-01-01") + np.arange(shape[1])
        scales = time_scales(np.zeros(shape), np.zeros(shape), np.zeros(shape, bool), dates)
        for name, block in summarise(scales, np.ones(shape[0], bool), np.zeros(shape[0], int)).items():
            assert (block["sites"], block["values"], block["pooled"]["r2"]) == (0, 0, None), name
