"""Trees of a site's own errors: nothing of hidden days, more to say with more days and far from them, bends found."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.own_days.features import Features
from raciflux.own_days.own_trees import FEWEST, OwnTrees

from .made_sites import DAYS, made_folds, made_record

RECORD = made_record()
FOLD = made_folds(RECORD)[0]
FEATURES = [Features.of(RECORD, FOLD, target) for target in range(2)]
SITE = int(np.flatnonzero(FOLD.tested)[0])
ALONE = FOLD.predicted[SITE]
TREES = OwnTrees(FEATURES, 0.6, RECORD)


def shown_until(day: int, record=RECORD) -> np.ndarray:
    return record.trainable[SITE] & (np.arange(DAYS) < day)[:, None]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, DAYS - 1), max_size=60, unique=True))
def test_the_share_grows_with_the_days_shown_and_away_from_them(days):
    shown = np.zeros((DAYS, 2), bool)
    shown[days, 0] = True
    share = TREES.share(shown)
    assert (share[:, 1] == 0).all(), "nothing of the second flux is shown"
    if len(days) < FEWEST:
        assert (share == 0).all()
        return
    apart = np.abs(np.subtract.outer(np.arange(DAYS), days)).min(1)
    order = np.argsort(apart, kind="stable")
    assert (np.diff(share[order, 0]) >= -1e-7).all() and (share[days, 0] == 0).all()
    assert share.max() < 0.6 * len(days) / (len(days) + 120) + 1e-6
    shown[np.setdiff1d(np.arange(0, DAYS, 2), days)[:30], 0] = True
    far = apart > 100
    assert (TREES.share(shown)[far & (np.arange(DAYS) > 200), 0] >= share[far & (np.arange(DAYS) > 200), 0]).all()


def test_a_bend_in_the_response_is_found_and_hidden_days_play_no_part():
    cold = np.nan_to_num(RECORD.drivers["TA"][SITE]) < 8
    flux = RECORD.flux.copy()
    flux[SITE, cold, 0] += 6
    bent = replace(RECORD, flux=flux)
    shown = shown_until(730)
    trees = OwnTrees(FEATURES, 0.6, bent)
    said = trees(SITE, ALONE, shown)
    later = RECORD.measured[SITE, :, 0] & np.isfinite(ALONE[:, 0]) & (np.arange(DAYS) >= 730)
    error = [np.sqrt(np.mean((each[later, 0] - flux[SITE, later, 0]) ** 2)) for each in (said, ALONE)]
    assert error[0] < 0.5 * error[1]
    poison = np.where(shown[None] & (np.arange(len(flux)) == SITE)[:, None, None], flux, np.float32(1e6))
    np.testing.assert_array_equal(OwnTrees(FEATURES, 0.6, replace(bent, flux=poison))(SITE, ALONE, shown), said)


def test_too_few_days_and_unknown_drivers_leave_the_answer_as_it_is():
    np.testing.assert_array_equal(TREES(SITE, ALONE, shown_until(0)), ALONE)
    few = np.zeros((DAYS, 2), bool)
    few[np.flatnonzero(RECORD.trainable[SITE, :, 0])[: FEWEST - 1], 0] = True
    np.testing.assert_array_equal(TREES(SITE, ALONE, few), ALONE)
    said = TREES(SITE, ALONE, shown_until(700))
    np.testing.assert_array_equal(np.isnan(said), np.isnan(ALONE))


@pytest.mark.parametrize("target", [0, 1])
def test_a_flux_that_shows_nothing_is_left_alone(target):
    shown = shown_until(700)
    shown[:, target] = False
    said = TREES(SITE, ALONE, shown)
    np.testing.assert_array_equal(said[:, target], ALONE[:, target])
    assert (said[:, 1 - target] != ALONE[:, 1 - target]).any()
