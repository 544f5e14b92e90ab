"""Hierarchical conformal calibration against a naive loop and against simulated sites."""

import inspect
from fractions import Fraction
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from raciflux.errors import UserError
from raciflux.evaluation.conformal import Band, Calibration, calibrate, site_quantile, sites_needed

LEVELS = st.sampled_from(["0.05", "0.3", "0.5", "0.8", "0.9", "0.95"])


@st.composite
def site_scores(draw):
    """Scores with ties at up to 25 sites with up to 9 days each, in any order."""
    days = draw(st.lists(st.integers(1, 9), min_size=1, max_size=25))
    site = np.repeat(np.arange(len(days)), days)
    scores = np.array(draw(st.lists(st.integers(-5, 5), min_size=len(site), max_size=len(site))), float)
    order = np.array(draw(st.permutations(range(len(site)))))
    return scores[order], site[order]


def naive_quantile(scores, site, level):
    """The definition in exact fractions: the smallest score whose mass of scores up to it reaches the level."""
    groups = {code: [s for s, c in zip(scores, site, strict=True) if c == code] for code in set(site.tolist())}
    for candidate in sorted(scores):
        mass = sum(Fraction(sum(s <= candidate for s in own), len(own)) for own in groups.values())
        if mass / (len(groups) + 1) >= level:
            return candidate
    return inf


# --- the quantile -----------------------------------------------------------------------------------------------------


@given(site_scores(), LEVELS)
def test_the_quantile_is_the_naive_one(drawn, level):
    scores, site = drawn
    assert site_quantile(scores, site, float(level)) == naive_quantile(scores, site, Fraction(level))


@given(site_scores(), LEVELS, st.integers(2, 5))
def test_a_longer_record_does_not_count_more(drawn, level, times):
    scores, site = drawn
    mine = np.flatnonzero(site == site[0])
    longer = np.concatenate([np.arange(len(site)), np.tile(mine, times)])
    assert site_quantile(scores, site, float(level)) == site_quantile(scores[longer], site[longer], float(level))


@given(site_scores())
def test_the_quantile_rises_with_the_level(drawn):
    found = [site_quantile(*drawn, level) for level in np.linspace(0.02, 0.98, 25)]
    assert found == sorted(found)


@pytest.mark.parametrize(("level", "sites"), [(0.5, 1), (0.75, 3), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_just_enough_sites_give_the_largest_score_and_one_fewer_infinity(level, sites):
    assert sites_needed(level) == sites
    scores = np.arange(sites, dtype=float)
    assert site_quantile(scores, np.arange(sites), level) == sites - 1
    assert site_quantile(scores[1:], np.arange(1, sites), level) == inf


@given(st.floats(0.01, 0.999))
def test_the_sites_needed_are_the_fewest(level):
    needed = sites_needed(level)
    assert site_quantile(np.zeros(needed), np.arange(needed), level) == 0
    assert site_quantile(np.zeros(needed - 1), np.arange(needed - 1), level) == inf


def test_one_site_serves_up_to_one_half():
    scores, site = np.arange(10.0), np.zeros(10, int)
    assert site_quantile(scores, site, 0.25) == 4  # half of the site's own days
    assert site_quantile(scores, site, 0.5) == 9
    assert site_quantile(scores, site, 0.51) == inf


def test_too_few_sites_are_refused_with_the_number_needed():
    with pytest.raises(UserError, match=r"level=0\.9 needs 9 calibration sites .* there are 8; .* to 0\.888 or less"):
        calibrate("absolute", np.ones(16), np.repeat(np.arange(8), 2), 0.9)


@pytest.mark.parametrize(("scores", "site"), [([1.0, np.nan], [0, 1]), ([1.0, 2.0], [0])])
def test_scores_with_gaps_are_a_bug(scores, site):
    with pytest.raises(ValueError, match="NaN, or not one site"):
        site_quantile(np.array(scores), np.array(site), 0.5)


# --- bands ------------------------------------------------------------------------------------------------------------

MEAN, LOWER, UPPER, SCALE, OBSERVED = np.random.default_rng(0).normal(size=(5, 200))
LOWER, UPPER = np.minimum(LOWER, UPPER), np.maximum(LOWER, UPPER)
BANDS = [Band.absolute(MEAN), Band.normalised(MEAN, np.abs(SCALE) + 0.1), Band.quantile(LOWER, UPPER)]


def test_scores_are_those_of_the_papers():
    np.testing.assert_allclose(BANDS[0].scores(OBSERVED), np.abs(OBSERVED - MEAN))
    np.testing.assert_allclose(BANDS[1].scores(OBSERVED), np.abs(OBSERVED - MEAN) / (np.abs(SCALE) + 0.1))
    np.testing.assert_allclose(BANDS[2].scores(OBSERVED), np.maximum(LOWER - OBSERVED, OBSERVED - UPPER))


@pytest.mark.parametrize("band", BANDS, ids=lambda band: band.kind)
@pytest.mark.parametrize("offset", [0.0, 0.4, 1.3])
def test_an_observation_is_inside_exactly_when_its_score_is_at_most_the_offset(band, offset):
    lower, upper = band.widened(offset)
    np.testing.assert_array_equal((lower <= OBSERVED) & (upper >= OBSERVED), band.scores(OBSERVED) <= offset)


def test_a_band_narrowed_to_nothing_is_its_middle():
    lower, upper = Band.quantile([0.0, 0.0], [1.0, 10.0]).widened(-2.0)
    np.testing.assert_array_equal(lower, [0.5, 2.0])
    np.testing.assert_array_equal(upper, [0.5, 8.0])


def test_a_day_without_a_forecast_has_no_interval():
    lower, upper = Band.absolute(np.array([1.0, np.nan])).widened(1.0)
    assert np.isnan([lower[1], upper[1]]).all()
    assert np.isfinite([lower[0], upper[0]]).all()


def test_a_scale_must_be_positive():
    with pytest.raises(ValueError, match="not positive"):
        Band.normalised(np.ones(2), np.array([1.0, 0.0]))


# --- the calibration --------------------------------------------------------------------------------------------------


def test_it_comes_back_from_json_and_fits_its_own_kind_only(tmp_path):
    made = calibrate("normalised", np.arange(20.0), np.repeat(np.arange(10), 2), 0.9, floor=0.3)
    made.save(tmp_path / "calibration.json")
    assert Calibration.load(tmp_path / "calibration.json") == made
    assert (made.sites, made.days, made.floor) == (10, 20, 0.3)
    np.testing.assert_array_equal(made.interval(BANDS[1])[1], BANDS[1].widened(made.offset)[1])
    with pytest.raises(ValueError, match="normalised scores cannot widen a band of kind absolute"):
        made.interval(BANDS[0])


def test_no_observation_can_enter_an_interval():
    assert list(inspect.signature(Calibration.interval).parameters) == ["self", "band"]
    assert list(inspect.signature(Band.widened).parameters) == ["self", "offset"]


def simulated_coverage(sites, level, trials, seed, pooled=False):
    """Coverage of each trial's new site, of scores with a site effect and records of very different length."""
    rng = np.random.default_rng(seed)
    covered = np.empty(trials)
    for trial in range(trials):
        days = rng.integers(1, 40, sites + 1)
        site = np.repeat(np.arange(sites + 1), days)
        # a long record comes with large errors, which days pooled alike would overweight
        spread = rng.exponential(size=sites + 1) + (days > 30)
        scores = spread[site] * rng.exponential(size=len(site))
        known = site < sites
        # pooled: as if all days counted alike, whatever their site
        group = np.arange(known.sum()) if pooled else site[known]
        offset = site_quantile(scores[known], group, level)
        covered[trial] = (scores[~known] <= offset).mean()
    return covered


@pytest.mark.parametrize(("sites", "level"), [(9, 0.9), (30, 0.9), (19, 0.5)])
def test_coverage_of_exchangeable_sites_is_what_theory_says(sites, level):
    """At least the level and at most 2 / (G + 1) above it: the mass at infinity adds one part, a day's step another.

    Four standard errors are allowed on either side.
    """
    covered = simulated_coverage(sites, level, trials=1500, seed=1)
    error = 4 * covered.std() / np.sqrt(len(covered))
    assert level - error <= covered.mean() <= level + 2 / (sites + 1) + error


def test_pooling_days_instead_of_sites_misses_the_level():
    """The simulation above can tell: what ignores sites is off by more than its error."""
    covered = simulated_coverage(30, 0.9, trials=1500, seed=1, pooled=True)
    assert abs(covered.mean() - 0.9) > 4 * covered.std() / np.sqrt(len(covered))
