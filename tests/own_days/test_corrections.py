"""Corrections: exact algebra, nothing without evidence, nothing of hidden days, less error where sites differ."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.errors import UserError
from raciflux.own_days.answers import ZeroShot
from raciflux.own_days.choice import ByDaysShown, parts_of
from raciflux.own_days.correct import CORRECTIONS, Corrected
from raciflux.own_days.evidence import gather
from raciflux.own_days.features import SETS, Features, trailing_mean
from raciflux.own_days.mixed_effects import MixedEffects
from raciflux.own_days.moments import Moments, bridged, whitened
from raciflux.own_days.questions import SHOWN_DAYS, days_a_year_later, draw_starts, first_days
from raciflux.own_days.records import FoldPredictions

from .made_sites import made_folds, made_record

RECORD = made_record()
FOLDS = made_folds(RECORD)
SITES = len(RECORD.site_id)


@pytest.fixture(scope="module")
def corrected() -> dict[str, Corrected]:
    return Corrected.fit(list(CORRECTIONS), RECORD, FOLDS)


# --- algebra ----------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 15), st.integers(1, 4), st.floats(0.0, 0.95))
def test_the_posterior_is_that_of_the_whole_gaussian(seed, seen, features, persistence):
    """Conditioning the joint distribution of all days on the seen ones, with one big covariance, gives the same."""
    rng = np.random.default_rng(seed)
    x, root = rng.normal(size=(30, features)), rng.normal(size=(features, features))
    common = MixedEffects(rng.normal(size=features), root @ root.T, float(rng.uniform(0.1, 2)))
    day = np.sort(rng.choice(30, seen, replace=False))
    residual = rng.normal(size=seen)

    apart = np.abs(np.subtract.outer(np.arange(30), np.arange(30)))
    covariance = x @ common.covariance @ x.T + common.noise * np.power(persistence, apart)
    gain = np.linalg.solve(covariance[np.ix_(day, day)], residual - x[day] @ common.mean)
    brute = x @ common.mean + covariance[:, day] @ gain

    own = common.coefficients(Moments.of(whitened(x[day], day, persistence), whitened(residual, day, persistence)))
    mine = x @ own + bridged(residual - x[day] @ own, day, np.arange(30), persistence)
    np.testing.assert_allclose(mine, brute, atol=1e-6 * (1 + np.abs(brute).max()))


def test_inflated_noise_is_noise_of_that_variance():
    rng = np.random.default_rng(0)
    shown = Moments.of(rng.normal(size=(9, 2)), rng.normal(size=9))
    common = MixedEffects(np.ones(2), np.eye(2), 0.5)
    np.testing.assert_allclose(common.coefficients(shown, 4.0), replace(common, noise=2.0).coefficients(shown))
    nothing = Moments.of(np.zeros((0, 2)), np.zeros(0))
    np.testing.assert_array_equal(common.coefficients(nothing), common.mean)


def test_learning_finds_what_the_coefficients_were_drawn_from():
    rng = np.random.default_rng(3)
    covariance = np.array([[1.0, 0.6], [0.6, 2.0]])
    sites = []
    for own in rng.multivariate_normal([0.5, -1.0], covariance, 600):
        x = np.stack([np.ones(60), rng.normal(size=60)], 1)
        sites.append(Moments.of(x, x @ own + rng.normal(0, 0.7, 60)))
    common = MixedEffects.fit(Moments.stacked(sites))
    np.testing.assert_allclose(common.mean, [0.5, -1.0], atol=0.15)
    np.testing.assert_allclose(common.covariance, covariance, atol=0.25)
    assert common.noise == pytest.approx(0.49, rel=0.05)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.integers(0, 12))
def test_moments_know_the_squared_error(seed, days):
    rng = np.random.default_rng(seed)
    x, r, b = rng.normal(size=(days, 3)), rng.normal(size=days), rng.normal(size=3)
    moments = Moments.of(x, r)
    assert moments.squared_error(b) == pytest.approx(((r - x @ b) ** 2).sum())
    some = np.array([0, 2])
    assert moments.of_columns(some).squared_error(b[some]) == pytest.approx(((r - x[:, some] @ b[some]) ** 2).sum())


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_trailing_means_by_a_naive_loop(seed, days):
    rng = np.random.default_rng(seed)
    values = np.where(rng.random(60) < 0.3, np.nan, rng.normal(size=60))
    for end, mean in enumerate(trailing_mean(values, days)):
        window = values[max(0, end - days + 1) : end + 1]
        known = window[np.isfinite(window)]
        assert np.isnan(mean) if not len(known) else mean == pytest.approx(known.mean())


# --- what an answer may depend on -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CORRECTIONS)
def test_a_site_that_shows_nothing_keeps_its_prediction_exactly(corrected, name):
    nothing = np.zeros(RECORD.flux.shape[1:], bool)
    for site in range(0, len(RECORD.site_id), 7):
        np.testing.assert_array_equal(corrected[name](site, nothing), ZeroShot(FOLDS)(site, nothing))


@pytest.mark.parametrize("name", CORRECTIONS)
def test_hidden_fluxes_of_a_tested_site_and_its_whole_fold_change_nothing(name):
    """Neither the fit nor the answer looks at a day of a tested site that is not shown."""
    site, start = 1, draw_starts("XX-T01", RECORD.dates, RECORD.measured[1])[0]
    shown = first_days(start, 90, RECORD.dates, RECORD.trainable[site])
    hidden = FOLDS[0].tested[:, None, None] & np.ones(RECORD.flux.shape, bool)
    hidden[site] &= ~shown
    poisoned = replace(RECORD, flux=np.where(hidden, np.float32(1e6), RECORD.flux))
    fitted, leaking = (Corrected.fit([name], record, FOLDS[:1])[name] for record in (RECORD, poisoned))
    clean, leaky = (answer(site, shown) for answer in (fitted, leaking))
    np.testing.assert_array_equal(clean, leaky)
    moved = replace(RECORD, flux=np.where(shown & (np.arange(SITES) == site)[:, None, None], 9, RECORD.flux))
    assert (replace(fitted, record=moved)(site, shown) != clean).any()


@pytest.mark.parametrize("name", CORRECTIONS)
def test_more_own_days_help_where_sites_differ(corrected, name):
    changes = []
    for days in SHOWN_DAYS:
        errors = []
        for site in range(SITES):
            for start in draw_starts(str(RECORD.site_id[site]), RECORD.dates, RECORD.measured[site])[:2]:
                shown = first_days(start, days, RECORD.dates, RECORD.trainable[site])
                scored = days_a_year_later(start, RECORD.dates, RECORD.measured[site])
                both = [answer(site, shown) - RECORD.flux[site] for answer in (corrected[name], ZeroShot(FOLDS))]
                errors.append([np.sqrt((one[scored] ** 2).mean()) for one in both])
        mine, zero = np.mean(errors, 0)
        changes.append(mine / zero - 1)
    assert changes[-1] < -0.2, "a year of own days"
    assert changes[-1] < changes[1] < 0.01, "a month of them"


@pytest.mark.parametrize("name", CORRECTIONS)
def test_sites_that_are_all_alike_are_not_made_worse(name):
    record = made_record(differing=0.0)
    folds = made_folds(record)
    answer = Corrected.fit([name], record, folds)[name]
    shown = first_days("2001-06-01", 30, record.dates, record.trainable[0])
    scored = days_a_year_later("2001-06-01", record.dates, record.measured[0])
    mine, zero = (((one(0, shown) - record.flux[0])[scored] ** 2).mean() for one in (answer, ZeroShot(folds)))
    assert mine < 1.03 * zero


# --- evidence and choice ----------------------------------------------------------------------------------------------


def test_evidence_scores_coefficients_as_the_question_does():
    features = Features.of(RECORD, FOLDS[0], 0)
    evidence = gather(RECORD, FOLDS[0], features)
    errors = []
    for site in np.flatnonzero(FOLDS[0].training):
        scored = []
        for start in draw_starts(str(RECORD.site_id[site]), RECORD.dates, RECORD.measured[site]):
            days = days_a_year_later(start, RECORD.dates, RECORD.measured[site])[:, 0]
            scored.append((FOLDS[0].predicted[site, days, 0] - RECORD.flux[site, days, 0]) ** 2)
        errors.append(np.sqrt(np.nanmean(np.concatenate(scored))))
    nothing = np.zeros((len(evidence.site), len(features.groups)))
    np.testing.assert_allclose(evidence.errors(nothing), np.mean(errors), rtol=1e-5)
    assert (np.diff(evidence.days_shown()) > 0).all()


def test_features_stand_in_their_groups_and_sets_hold_known_ones():
    features = Features.of(RECORD, FOLDS[0], 1)
    assert set().union(*SETS) == set(features.groups)
    design = features.design(RECORD, FOLDS[0].predicted[3], 3)
    assert np.isfinite(design).all() and (design[:, 0] == 1).all()
    assert np.abs(design).max() <= 4


def test_the_setting_of_the_nearest_number_of_days_is_taken():
    table = ByDaysShown(np.array([3.0, 12.0, 150.0]), ("a", "b", "c"))
    assert [table.at(n) for n in (1, 5, 8, 40, 60, 4000)] == ["a", "a", "b", "b", "c", "c"]


def test_parts_hold_whole_clusters():
    part = parts_of(RECORD.cluster)
    assert all(len(set(part[RECORD.cluster == code])) == 1 for code in RECORD.cluster) and len(set(part)) == 4


def test_too_few_training_sites_are_refused():
    few = [replace(FOLDS[0], training=FOLDS[0].training & (np.arange(SITES) < 24))]
    with pytest.raises(UserError, match="training sites have a record of more than a year"):
        Corrected.fit(["ridge"], RECORD, few)


def test_training_sites_of_one_cluster_can_choose_nothing_across_clusters():
    neighbours = replace(RECORD, cluster=np.zeros(SITES, np.int64))
    with pytest.raises(UserError, match="training sites form one cluster"):
        Corrected.fit(["empirical_bayes"], neighbours, FOLDS[:1])


@pytest.mark.filterwarnings("error")
def test_a_model_that_is_right_of_every_training_site_is_left_as_it_is():
    record = made_record(sites=12)
    training = np.arange(12) > 0
    right = FoldPredictions(np.nan_to_num(record.flux, nan=1.0), training, ~training)
    answer = Corrected.fit(["empirical_bayes"], record, [right])["empirical_bayes"]
    np.testing.assert_allclose(answer(0, record.measured[0]), right.predicted[0], atol=1e-6)
