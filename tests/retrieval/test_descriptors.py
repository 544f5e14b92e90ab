from dataclasses import replace

import numpy as np
import pytest
from raciflux.retrieval.descriptors import CLASS_GAP, REACH, Standard, describe, descriptor_width, descriptors


def described(view):
    raw = describe(view)
    standards = {role: Standard.fit(raw[role][view.train_sites]) for role in raw}
    return descriptors(view, raw, standards)


def test_width_is_known_from_the_layout(view):
    for role, keys in described(view).items():
        assert keys.shape == (len(view.site_id), descriptor_width(role, view.layout))
        assert keys.dtype == np.float32


def test_only_drivers_of_the_days_declared_for_a_site_are_used(view):
    """Of a split in time each site has a period of its own."""
    end = 600 + 10 * np.arange(len(view.site_id))
    view = replace(view, driver_days=np.arange(len(view.dates))[None] < end[:, None])
    later = view.fast.copy()
    later[~view.driver_days] += 100
    for role, keys in described(replace(view, fast=later)).items():
        np.testing.assert_array_equal(keys, described(view)[role])
    earlier = view.fast.copy()
    earlier[3, :50] += 1
    for role, keys in described(replace(view, fast=earlier)).items():
        assert (keys[3] != described(view)[role][3]).any()


def test_flux_is_not_a_driver(view):
    noise = np.random.default_rng(0).normal(size=view.target.shape).astype(np.float32)
    for role, keys in described(replace(view, target=noise)).items():
        np.testing.assert_array_equal(keys, described(view)[role])


def test_missing_inputs_leave_a_finite_descriptor_at_the_mean(view):
    fast_mask, static_mask = view.fast_mask.copy(), view.static_mask.copy()
    fast_mask[2], static_mask[2] = False, False
    classes = view.classes.copy()
    classes[2] = 0
    keys = described(replace(view, fast_mask=fast_mask, static_mask=static_mask, classes=classes))
    assert all((role[2] == 0).all() and np.isfinite(role).all() for role in keys.values())


def test_values_under_a_mask_do_not_matter(view):
    hidden = np.where(view.fast_mask, view.fast, 77).astype(np.float32)
    for role, keys in described(replace(view, fast=hidden)).items():
        np.testing.assert_array_equal(keys, described(view)[role])


def test_standardised_on_training_sites_only(view):
    shifted = view.static.copy()
    shifted[~view.train_sites] += 1000
    static_mask = np.ones_like(view.static_mask)
    before = described(replace(view, static_mask=static_mask))["slow"]
    after = described(replace(view, static_mask=static_mask, static=shifted))["slow"]
    np.testing.assert_array_equal(after[view.train_sites], before[view.train_sites])
    np.testing.assert_allclose(before[view.train_sites, :2].mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(before[view.train_sites, :2].std(0), 1, atol=1e-6)
    assert (after[~view.train_sites, :2] == REACH).all()


def test_two_classes_are_a_fixed_distance_apart(view):
    same = replace(
        view,
        fast=np.repeat(view.fast[:1], len(view.site_id), 0),
        fast_mask=np.repeat(view.fast_mask[:1], len(view.site_id), 0),
        static=np.zeros_like(view.static),
        classes=np.tile([[1, 1], [2, 1]], (len(view.site_id) // 2, 1)),
    )
    keys = described(same)
    assert np.linalg.norm(keys["slow"][0] - keys["slow"][1]) == pytest.approx(CLASS_GAP)
    assert np.linalg.norm(keys["fast"][0] - keys["fast"][1]) == 0


def test_fast_role_tells_weather_apart_that_has_the_same_climate(view):
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(len(view.site_id), view.fast.shape[1], 4))
    calm, stormy, lasting = 0, 1, 2
    noise[stormy] *= 3
    for day in range(1, noise.shape[1]):
        noise[lasting, day] = 0.9 * noise[lasting, day - 1] + np.sqrt(1 - 0.81) * noise[lasting, day]
    noise[3, :, 1] = noise[3, :, 0]
    fast_mask = np.ones_like(view.fast_mask)
    raw = describe(replace(view, fast=noise.astype(np.float32), fast_mask=fast_mask))["fast"]
    assert np.exp(raw[stormy, :4]) / np.exp(raw[calm, :4]) == pytest.approx(3.0, rel=0.15)
    assert raw[lasting, 4:8] == pytest.approx(0.9, abs=0.06)
    assert raw[calm, 4:8] == pytest.approx(0.0, abs=0.12)
    assert raw[3, 8] == pytest.approx(1.0, abs=1e-6)
