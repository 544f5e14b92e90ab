from dataclasses import replace

import numpy as np
import pytest
from raciflux.contracts import VisibleSet
from raciflux.retrieval.flux_statistics import PRIOR_DAYS, flux_statistics, value_width

EVERY = np.arange(11)


def with_known(view, known):
    return replace(view, visible=VisibleSet(known, view.visible.cluster))


def test_width_is_known_from_the_layout(view):
    for role, values in flux_statistics(view, EVERY).items():
        assert values.shape == (11, value_width(role, view.layout))
        assert np.isfinite(values).all()


def test_only_known_days_of_the_site_itself_count(view):
    before = flux_statistics(view, EVERY)
    noise = np.random.default_rng(0).normal(size=view.target.shape).astype(np.float32)
    unknown = flux_statistics(replace(view, target=np.where(view.visible.known, view.target, noise)), EVERY)
    neighbour = view.target.copy()
    neighbour[4] += view.visible.known[4]
    changed = flux_statistics(replace(view, target=neighbour), EVERY)
    others = EVERY != 4
    for role in before:
        np.testing.assert_array_equal(unknown[role], before[role])
        np.testing.assert_array_equal(changed[role][others], before[role][others])
        assert (changed[role][4] != before[role][4]).any()


def test_level_season_and_spread_of_a_well_known_site(view):
    month = view.dates.astype("datetime64[M]").astype(int) % 12
    known = np.zeros_like(view.visible.known)
    known[0, :730] = True
    noise = np.random.default_rng(0).normal(size=730) * 0.5
    target = np.zeros_like(view.target)
    target[0, :730, 0] = 2 + np.where(month[:730] < 6, 1, -1) + noise
    slow = flux_statistics(with_known(replace(view, target=target), known), np.array([0]))["slow"][0]
    assert slow[0] == pytest.approx(2, abs=0.05)
    assert np.exp(slow[1]) == pytest.approx(np.sqrt(1 + 0.25), rel=0.03)
    np.testing.assert_allclose(slow[2:14], np.repeat([1, -1], 6), atol=0.3)
    assert slow[14] == pytest.approx(np.log1p(730) / np.log1p(365))


def test_a_summer_only_tower_is_not_taken_for_a_stronger_source(view):
    phase = 2 * np.pi * np.arange(730) / 365
    target = np.zeros_like(view.target)
    target[:, :730, 0] = -2 * np.cos(phase)
    known = np.zeros_like(view.visible.known)
    known[0, :730, 0] = np.cos(phase) < 0.5
    known[0, :730:10] = True
    summers = with_known(replace(view, target=np.where(known, target, 0)), known)
    slow = flux_statistics(summers, np.array([0]))["slow"][0]
    assert target[known].mean() > 0.5
    assert abs(slow[0]) < 0.2


def test_response_is_recovered(view):
    x = view.fast.astype(float)
    light, dryness = x[..., 1], x[..., 2]
    truth = 0.5 + 0.8 * light - 0.4 * dryness + 0.2 * light * dryness
    many, few = np.zeros_like(view.visible.known), np.zeros_like(view.visible.known)
    many[:, :730], few[:, :5] = True, True
    light_times_dryness = 1 + len(view.layout.fast) + 2  # after the intercept, the drivers, SW SW and SW TA
    site = np.array([int(np.abs(x.mean(1)).max(1).argmin())])  # one whose drivers the clip does not touch

    def fast(known):
        target = np.where(known, truth[..., None], 0).astype(np.float32)
        return flux_statistics(with_known(replace(view, target=target), known), site)["fast"][0]

    well = fast(many)
    assert well[0] == pytest.approx(0.5, abs=0.15)
    assert well[2] == pytest.approx(0.8, abs=0.1)
    assert well[3] == pytest.approx(-0.4, abs=0.1)
    assert well[light_times_dryness] == pytest.approx(0.2, abs=0.05)
    assert fast(few)[-1] < well[-1]


@pytest.mark.parametrize("days", [3, 600])
def test_few_days_are_believed_little(view, days):
    known = np.zeros_like(view.visible.known)
    known[0, :days] = True
    flat = replace(view, fast=np.zeros_like(view.fast), target=np.where(known, 2, 0).astype(np.float32))
    fast = flux_statistics(with_known(flat, known), np.array([0]))["fast"][0]
    assert fast[0] == pytest.approx(2 * days / (days + PRIOR_DAYS))


def test_targets_stand_one_after_the_other_and_do_not_mix(two_targets):
    before = flux_statistics(two_targets, EVERY)
    noise = np.random.default_rng(0).normal(size=two_targets.target.shape).astype(np.float32)
    noise[..., 0] = 0
    other = replace(two_targets, target=two_targets.target + noise * two_targets.visible.known)
    for role, values in flux_statistics(other, EVERY).items():
        width = value_width(role, two_targets.layout) // 2
        assert before[role].shape == (11, 2 * width)
        np.testing.assert_array_equal(values[:, :width], before[role][:, :width])
        assert (values[:, width:] != before[role][:, width:]).any(1).all()


def test_a_flux_that_a_site_never_measured_says_nothing_and_the_other_does(two_targets):
    known = two_targets.visible.known.copy()
    known[..., 1] = False
    for role, values in flux_statistics(with_known(two_targets, known), EVERY).items():
        width = value_width(role, two_targets.layout) // 2
        assert not values[:, width:].any()
        assert (values[:, :width] != 0).any(1).all()


def test_no_day_at_all_says_nothing(view):
    values = flux_statistics(with_known(view, np.zeros_like(view.visible.known)), EVERY)
    assert all((role == 0).all() for role in values.values())
