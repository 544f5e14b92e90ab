"""Gap filling by the site itself: the ladder against a naive loop, and nothing of hidden days."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.errors import UserError
from raciflux.own_days.marginal_distribution import COURSE, LADDER, SIMILAR, MarginalDistribution
from raciflux.own_days.questions import around_gap, draw_gaps, inside_gap
from raciflux.own_days.site_forest import SiteForest

from .made_sites import made_record

RECORD = made_record(sites=2, days=900)
ANSWERS = {"marginal_distribution": MarginalDistribution, "site_forest": SiteForest}


def climbed(record, site: int, flux: np.ndarray, day: int) -> float:
    """The ladder as its description reads, one day at a time."""
    drivers = {name: record.drivers[name][site] for name in SIMILAR}
    for rule, radius in LADDER:
        found = []
        for other in range(max(0, day - radius), min(len(flux), day + radius + 1)):
            names = SIMILAR if rule == "all" else ["SW"]
            if np.isfinite(flux[other]) and all(
                abs(drivers[name][other] - drivers[name][day]) <= SIMILAR[name] for name in names
            ):
                found.append(float(flux[other]))
        if len(found) >= 2:
            return float(np.mean(found))
    for radius in COURSE:
        of_year = [date.timetuple().tm_yday for date in record.dates.astype("datetime64[D]").tolist()]
        apart = np.abs(np.array(of_year) - of_year[day])
        near = np.isfinite(flux) & (np.minimum(apart, 366 - apart) <= radius)
        if near.any():
            return float(flux[near].mean())
    return float("nan")


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 1000), st.sampled_from([0.01, 0.05, 0.5]), st.integers(0, 1))
def test_the_ladder_is_climbed_as_it_is_written(seed, share, site):
    shown = np.random.default_rng(seed).random(RECORD.flux.shape[1:]) < share
    shown[300:500] = False
    answer = MarginalDistribution(RECORD)(site, shown)
    flux = np.where(shown, RECORD.flux[site], np.nan)[:, 1]
    for day in range(0, len(flux), 23):
        wanted = flux[day] if np.isfinite(flux[day]) else climbed(RECORD, site, flux, day)
        assert answer[day, 1] == pytest.approx(wanted, rel=1e-5, abs=1e-6, nan_ok=True)


def test_a_single_visible_day_fills_the_whole_record():
    shown = np.zeros(RECORD.flux.shape[1:], bool)
    shown[np.flatnonzero(np.isfinite(RECORD.flux[0, :, 0]))[40], 0] = True
    answer = MarginalDistribution(RECORD)(0, shown)
    assert (answer[:, 0] == RECORD.flux[0][shown]).all()
    assert np.isnan(answer[:, 1]).all()


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("length", [7, 90])
def test_hidden_days_of_a_gap_change_nothing(name, length):
    start = draw_gaps("XX-T00", RECORD.dates, RECORD.measured[0])[length][0]
    shown = around_gap(start, length, RECORD.dates, RECORD.trainable[0])
    hidden = np.where(shown, RECORD.flux[0], np.float32(1e6))
    poisoned = replace(RECORD, flux=np.stack([hidden, RECORD.flux[1]]))
    clean, leaky = (ANSWERS[name](record)(0, shown) for record in (RECORD, poisoned))
    scored = inside_gap(start, length, RECORD.dates, RECORD.measured[0])
    assert np.isfinite(clean[scored]).all()
    np.testing.assert_array_equal(clean, leaky)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_gap_is_filled_better_than_by_the_mean(name):
    start = draw_gaps("XX-T01", RECORD.dates, RECORD.measured[1])[30][2]
    shown = around_gap(start, 30, RECORD.dates, RECORD.trainable[1])
    scored = inside_gap(start, 30, RECORD.dates, RECORD.measured[1])[:, 0]
    answer = ANSWERS[name](RECORD)(1, shown)[:, 0]
    flux = RECORD.flux[1, :, 0]
    mean = flux[shown[:, 0]].mean()
    assert ((answer - flux)[scored] ** 2).mean() < 0.7 * ((mean - flux)[scored] ** 2).mean()


def test_each_site_is_its_own():
    """What is kept between questions belongs to one site."""
    both = np.ones((2, *RECORD.flux.shape[1:]), bool)
    both[:, 400:450] = False
    for make in ANSWERS.values():
        kept = make(RECORD)
        turns = [kept(site, both[site]) for site in (0, 1, 0)]
        np.testing.assert_array_equal(turns[0], turns[2])
        np.testing.assert_array_equal(turns[1], make(RECORD)(1, both[1]))


def test_nothing_shown_has_no_answer():
    nothing = np.zeros(RECORD.flux.shape[1:], bool)
    for make in ANSWERS.values():
        assert np.isnan(make(RECORD)(0, nothing)).all()


def test_data_without_radiation_are_refused():
    dark = replace(RECORD, drivers={"TA": RECORD.drivers["TA"]})
    with pytest.raises(UserError, match="needs shortwave radiation"):
        MarginalDistribution(dark)
