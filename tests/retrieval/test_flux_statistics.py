from dataclasses import replace

import numpy as np
import pytest
from raciflux.contracts import VisibleSet
from raciflux.retrieval.flux_statistics import flux_statistics, value_width

EVERY = np.arange(11)


def with_known(view, known):
    return replace(view, visible=VisibleSet(known, view.visible.cluster))


def parts(view, sites=EVERY):
    """Everything that is known of fluxes, by name."""
    known = flux_statistics(view, sites)
    return {**known.values, "coefficients": known.coefficients, "evidence": known.evidence}


def test_width_is_known_from_the_layout(view):
    for role, values in flux_statistics(view, EVERY).values.items():
        assert values.shape == (11, value_width(role, view.layout))
        assert np.isfinite(values).all()


def test_only_known_days_of_the_site_itself_count(view):
    before = parts(view)
    noise = np.random.default_rng(0).normal(size=view.target.shape).astype(np.float32)
    unknown = parts(replace(view, target=np.where(view.visible.known, view.target, noise)))
    neighbour = view.target.copy()
    neighbour[4] += view.visible.known[4]
    changed = parts(replace(view, target=neighbour))
    others = EVERY != 4
    for role in before:
        np.testing.assert_array_equal(unknown[role], before[role])
        np.testing.assert_array_equal(changed[role][others], before[role][others])
        assert (changed[role][4] != before[role][4]).any() or role == "evidence"


def test_level_season_and_spread_of_a_well_known_site(view):
    month = view.dates.astype("datetime64[M]").astype(int) % 12
    known = np.zeros_like(view.visible.known)
    known[0, :730] = True
    noise = np.random.default_rng(0).normal(size=730) * 0.5
    target = np.zeros_like(view.target)
    target[0, :730, 0] = 2 + np.where(month[:730] < 6, 1, -1) + noise
    said = parts(with_known(replace(view, target=target), known), np.array([0]))
    slow = said["slow"][0]
    assert slow[0] == pytest.approx(2, abs=0.05)
    assert np.exp(slow[1]) == pytest.approx(np.sqrt(1 + 0.25), rel=0.03)
    np.testing.assert_allclose(slow[2:14], np.repeat([1, -1], 6), atol=0.3)
    assert said["evidence"] == pytest.approx(np.log1p(730) / np.log1p(365))


def test_a_summer_only_tower_is_not_taken_for_a_stronger_source(view):
    phase = 2 * np.pi * np.arange(730) / 365
    target = np.zeros_like(view.target)
    target[:, :730, 0] = -2 * np.cos(phase)
    known = np.zeros_like(view.visible.known)
    known[0, :730, 0] = np.cos(phase) < 0.5
    known[0, :730:10] = True
    summers = with_known(replace(view, target=np.where(known, target, 0)), known)
    slow = parts(summers, np.array([0]))["slow"][0]
    assert target[known].mean() > 0.5
    assert abs(slow[0]) < 0.2


def test_a_season_counts_from_midwinter(view):
    """The same summer, half a year apart on either side of the equator, is the same season."""
    phase = 2 * np.pi * np.arange(800) / 365.25
    target = np.zeros_like(view.target)
    target[0, :, 0], target[1, :, 0] = -np.cos(phase), np.cos(phase)
    known = np.broadcast_to((np.arange(800) < 730)[:, None], target.shape)
    lat = np.where(np.arange(14) == 1, -30.0, view.lat)
    slow = parts(with_known(replace(view, target=np.where(known, target, 0), lat=lat), known), np.array([0, 1]))["slow"]
    assert slow[0, 7] > 0.5, "July in the north"
    np.testing.assert_allclose(slow[0, 2:14], slow[1, 2:14], atol=0.05)


def test_targets_stand_one_after_the_other_and_do_not_mix(two_targets):
    before = flux_statistics(two_targets, EVERY)
    noise = np.random.default_rng(0).normal(size=two_targets.target.shape).astype(np.float32)
    noise[..., 0] = 0
    after = flux_statistics(replace(two_targets, target=two_targets.target + noise * two_targets.visible.known), EVERY)
    for role, values in after.values.items():
        width = value_width(role, two_targets.layout) // 2
        assert before.values[role].shape == (11, 2 * width)
        np.testing.assert_array_equal(values[:, :width], before.values[role][:, :width])
        assert (values[:, width:] != before.values[role][:, width:]).any(1).all()
    np.testing.assert_array_equal(after.coefficients[:, 0], before.coefficients[:, 0])
    assert (after.coefficients[:, 1] != before.coefficients[:, 1]).any(1).all()


def test_a_flux_that_a_site_never_measured_says_nothing_and_the_other_does(two_targets):
    known = two_targets.visible.known.copy()
    known[..., 1] = False
    said = flux_statistics(with_known(two_targets, known), EVERY)
    for role, values in said.values.items():
        width = value_width(role, two_targets.layout) // 2
        assert not values[:, width:].any()
        assert (values[:, :width] != 0).any(1).all()
    assert not said.coefficients[:, 1].any()
    assert (said.evidence > 0).tolist() == [[True, False]] * 11


def test_no_day_at_all_says_nothing(view):
    values = parts(with_known(view, np.zeros_like(view.visible.known)))
    assert all((each == 0).all() for each in values.values())


def test_nobody_is_of_the_same_width(view):
    for name, each in parts(view, EVERY[:0]).items():
        assert each.shape == (0, *parts(view)[name].shape[1:])


def test_blocks_of_sites_do_not_show(view, monkeypatch):
    whole = parts(view)
    monkeypatch.setattr("raciflux.retrieval.flux_statistics.SITES_AT_ONCE", 4)
    monkeypatch.setattr("raciflux.retrieval.response_fit.NUMBERS_AT_ONCE", 1)
    for name, each in parts(view).items():
        np.testing.assert_array_equal(each, whole[name])
