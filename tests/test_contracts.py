"""The scale of a target: there and back, with and without a transform."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.contracts import STEEPEST, TargetScale

LINEAR = TargetScale("nmol m-2 s-1", 40.0, 90.0)
BENT = TargetScale("nmol m-2 s-1", 1.2, 0.9, asinh_at=10.0, flux_std=90.0)
ODD = TargetScale("nmol m-2 s-1", 0.0, 0.9, asinh_at=10.0, flux_std=90.0)

fluxes = st.floats(-1e6, 1e6, allow_subnormal=False)
scales = st.builds(
    lambda mean, std, at: TargetScale("nmol m-2 s-1", mean, std, at, None if at is None else 1.0),
    st.floats(-3, 3),
    st.floats(0.05, 10),
    st.none() | st.floats(1e-3, 1e3),
)


@settings(deadline=None)
@given(st.lists(fluxes, min_size=1, max_size=8), scales)
def test_there_and_back_in_double_and_single_precision(values, scale):
    """In single precision to 1e-5 of the flux, or of the smallest one that the scale resolves."""
    flux = np.array(values)
    np.testing.assert_allclose(scale.to_units(scale.to_scaled(flux)), flux, rtol=1e-9, atol=1e-9)
    smallest = 5.0 * (scale.asinh_at or 1.0)
    single = flux.astype(np.float32)
    back = scale.to_units(scale.to_scaled(single))
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, single, rtol=1e-5, atol=1e-5 * smallest)
    tensor = torch.from_numpy(single)
    torch.testing.assert_close(scale.to_units(scale.to_scaled(tensor)), tensor, rtol=1e-5, atol=1e-5 * smallest)


@settings(deadline=None)
@given(fluxes, fluxes)
def test_a_larger_flux_is_a_larger_scaled_flux(one, other):
    low, high = BENT.to_scaled(np.array(sorted([one, other])))
    assert low <= high
    assert low < high or abs(one - other) <= 1e-9 * max(1.0, abs(one))


@settings(deadline=None)
@given(fluxes)
def test_uptake_is_treated_as_emission_is(flux):
    up, down = ODD.to_scaled(np.array([flux, -flux]))
    assert up == -down
    back, forth = ODD.to_units(np.array([up, down]))
    assert back == -forth


def test_a_small_flux_is_linear_and_a_large_one_logarithmic():
    scaled = ODD.to_scaled(np.array([0.0, 0.1, 0.2, 1e4, 1e5, 1e6]))
    steps = np.diff(scaled)
    assert scaled[0] == 0
    assert steps[0] == pytest.approx(steps[1], rel=1e-3) == pytest.approx(0.01 / 0.9, rel=1e-3)
    assert steps[3] == pytest.approx(steps[4], rel=1e-3) == pytest.approx(np.log(10) / 0.9, rel=1e-3)


@pytest.mark.parametrize("scale", [LINEAR, BENT])
def test_numpy_and_torch_agree_and_nan_stays(scale):
    flux = np.array([-300.0, -1e-3, 0.0, np.nan, 7.0, 2006.0], np.float32)
    scaled = scale.to_scaled(flux)
    np.testing.assert_allclose(scale.to_scaled(torch.from_numpy(flux)).numpy(), scaled, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(np.isnan(scale.to_units(scaled)), np.isnan(flux))


@pytest.mark.parametrize("place", [0.0, 1e-30, 5.0, -1e6, 1e6, 1e25])
def test_the_gradient_of_scaling_is_finite(place):
    flux = torch.tensor(place, requires_grad=True)
    BENT.to_scaled(flux).backward()
    assert torch.isfinite(flux.grad)
    assert 0 <= flux.grad <= 1 / (10 * 0.9) + 1e-6
    assert (flux.grad > 0) == (abs(place) <= 1e6)


@pytest.mark.parametrize("place", [0.0, 5.0, -20.0, 80.0, -1e4, 1e30])
def test_what_a_wild_network_says_has_a_finite_flux_and_gradient(place):
    scaled = torch.tensor(place, requires_grad=True)
    flux = BENT.to_units(scaled)
    flux.backward()
    assert torch.isfinite(flux) and torch.isfinite(scaled.grad)
    assert np.isfinite(BENT.to_units(np.array(place, np.float32)))
    assert (scaled.grad > 0) == (abs(place) * 0.9 + 1.2 < STEEPEST)


def test_errors_are_compared_with_the_spread_of_the_flux_itself():
    assert LINEAR.spread == 90.0 == BENT.spread
    assert BENT.std == 0.9
