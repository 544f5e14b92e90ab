"""What response functions are made of, and how well they are fitted."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from raciflux.contracts import VisibleSet
from raciflux.retrieval.response_fit import DAYS_OF_ONE, fit_responses
from raciflux.retrieval.responses import RECENT_DAYS, ResponseBasis, recent_mean

LAYOUTS = {
    "all axes": ("TA", "SW", "VPD", "P"),
    "no light": ("P", "TA"),
    "light by its photons": ("PPFD", "WTD", "TA"),
    "no axis": ("PA", "WS"),
    "no temperature": ("SW", "VPD"),
}


def weather(layout, records=5, days=60, seed=0, missing=0.1):
    rng = np.random.default_rng(seed)
    shape = (records, days, len(layout.fast))
    mask = rng.random(shape) >= missing
    return torch.tensor(rng.normal(size=shape) * mask), torch.tensor(mask).double()


def known_days(view, known, target):
    shown = np.where(known, target, 0).astype(np.float32)
    return replace(view, target=shown, visible=VisibleSet(known, view.visible.cluster))


@pytest.mark.parametrize("fast", LAYOUTS.values(), ids=LAYOUTS)
def test_surfaces_interpolate_whatever_the_drivers(view, fast):
    basis = ResponseBasis(replace(view.layout, fast=fast))
    drivers, mask = weather(replace(view.layout, fast=fast))
    terms = basis(4 * drivers, mask)
    assert terms.shape == (5, 60, basis.terms)
    assert basis.precision.shape == (basis.terms, basis.terms)
    surface = terms[..., : basis.nodes]
    assert (surface >= 0).all()
    torch.testing.assert_close(surface.sum(-1), torch.ones(5, 60, dtype=torch.float64))
    assert basis.references.shape == (basis.conditions, basis.terms)
    assert torch.linalg.eigvalsh(basis.precision).min() > 0


def test_beyond_the_grid_a_response_stands_still(view):
    basis = ResponseBasis(view.layout)
    coefficient = torch.randn(basis.terms, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    hot, hotter = (torch.full((1, 1, 4), level, dtype=torch.float64) for level in (3.0, 300.0))
    known = torch.ones_like(hot)
    torch.testing.assert_close(basis(hotter, known) @ coefficient, basis(hot, known) @ coefficient)


def test_recent_is_the_mean_of_known_days_up_to_the_day():
    drivers, mask = torch.randn(3, 50, 2), (torch.rand(3, 50, 2) < 0.7).float()
    mask[0, :20, 0] = 0
    found = recent_mean(drivers * mask, mask)
    for record, day, driver in np.ndindex(3, 50, 2):
        start = max(0, day - RECENT_DAYS + 1)
        shown = mask[record, start : day + 1, driver] > 0
        known = drivers[record, start : day + 1, driver][shown]
        expected = known.mean() if len(known) else torch.tensor(0.0)
        torch.testing.assert_close(found[record, day, driver], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cut", [0, 7, 20, 58])
def test_no_term_looks_ahead(view, cut):
    basis = ResponseBasis(view.layout)
    (drivers, mask), (others, gaps) = weather(view.layout), weather(view.layout, seed=1, missing=0.5)
    later = (torch.arange(60) > cut)[:, None]
    changed = basis(torch.where(later, others, drivers), torch.where(later, gaps, mask))
    before = basis(drivers, mask)
    assert torch.equal(changed[:, : cut + 1], before[:, : cut + 1])
    assert not torch.equal(changed[:, cut + 1 :], before[:, cut + 1 :])


def test_is_the_posterior_of_its_own_days(view):
    """Against the textbook: each site and target alone, with the noise that the fit itself ends at."""
    site, basis = 3, ResponseBasis(view.layout)
    fitted = fit_responses(view, np.arange(11), basis)
    days = view.visible.known[site, :, 0]
    drivers, mask = (torch.from_numpy(each[[site]].astype(float)) for each in (view.fast, view.fast_mask))
    design, flux = basis(drivers, mask).numpy()[0][days], view.target[site, days, 0].astype(float)
    noise, prior = 1.0, np.linalg.inv(basis.precision.numpy())
    for _ in range(2):
        of_flux = design @ prior @ design.T + DAYS_OF_ONE * noise * np.eye(len(flux))
        expected = prior @ design.T @ np.linalg.solve(of_flux, flux)
        covariance = prior - prior @ design.T @ np.linalg.solve(of_flux, design @ prior)
        noise = (((flux - design @ expected) ** 2).sum() + 30) / (len(flux) + 30)
    np.testing.assert_allclose(fitted.coefficient[site, 0], expected, atol=1e-7)
    at = basis.references.numpy()
    np.testing.assert_allclose(fitted.mean[site, 0], at @ expected, atol=1e-7)
    before, after = (np.einsum("rk,kl,rl->r", at, each, at) for each in (prior, covariance))
    np.testing.assert_allclose(fitted.log_shrink[site, 0], 0.5 * np.log(after / before), atol=1e-6)


def test_a_saturating_response_is_recovered_and_known_the_better_for_more_days(view):
    light, warmth = view.fast[..., 1].astype(float), view.fast[..., 0].astype(float)
    truth = (1.5 * np.tanh(light) * (1 + 0.3 * np.clip(warmth, -1, 1)))[..., None]
    site, basis = np.array([0]), ResponseBasis(view.layout)
    many, few = np.zeros_like(view.visible.known), np.zeros_like(view.visible.known)
    many[:, :730], few[:, :4] = True, True
    well, little = (fit_responses(known_days(view, known, truth), site, basis) for known in (many, few))
    drivers, mask = (torch.from_numpy(each[:1].astype(float)) for each in (view.fast, view.fast_mask))
    said = basis(drivers, mask).numpy()[0, :730] @ well.coefficient[0, 0]
    assert 1 - ((said - truth[0, :730, 0]) ** 2).mean() / truth[0, :730, 0].var() > 0.95
    assert (well.log_shrink < little.log_shrink).all()
    assert (little.log_shrink <= 0).all()
    assert well.log_shrink.max() < np.log(0.6)


@pytest.mark.parametrize(("days", "low", "high"), [(3, 0.8, 1.6), (600, 1.9, 2.0)])
def test_a_level_is_shrunk_to_none_where_days_are_few(view, days, low, high):
    known = np.zeros_like(view.visible.known)
    known[0, :days] = True
    flat = replace(view, fast=np.zeros_like(view.fast))
    fitted = fit_responses(
        known_days(flat, known, np.full(known.shape, 2.0)), np.array([0]), ResponseBasis(view.layout)
    )
    middle = 4  # light and temperature at their means
    assert low < fitted.mean[0, 0, middle] < high


def test_the_canopy_remembers(view):
    """A flux of last fortnight's warmth is told apart from one of today's."""
    recent = recent_mean(*(torch.from_numpy(each.astype(float)) for each in (view.fast, view.fast_mask)))[
        ..., 0
    ].numpy()
    known = np.zeros_like(view.visible.known)
    known[:, :730] = True
    basis = ResponseBasis(view.layout)
    flux = 3 * (recent - recent[:, :730].mean(1, keepdims=True))[..., None]
    fitted = fit_responses(known_days(view, known, flux), np.arange(11), basis).mean[:, 0]
    cold, warm = fitted[:, -2], fitted[:, -1]
    assert (warm - cold > 1.0).all()


@pytest.mark.parametrize("fast", LAYOUTS.values(), ids=LAYOUTS)
def test_any_drivers_can_be_fitted(view, fast):
    chosen = len(fast)
    other = replace(
        view,
        layout=replace(view.layout, fast=fast),
        fast=view.fast[..., :chosen],
        fast_mask=view.fast_mask[..., :chosen],
    )
    fitted = fit_responses(other, np.arange(11), ResponseBasis(other.layout))
    for part in fitted:
        assert np.isfinite(part).all()
    assert (fitted.log_shrink < 0).all()


@pytest.mark.parametrize("fast", LAYOUTS.values(), ids=LAYOUTS)
def test_the_last_terms_are_the_drivers_that_have_no_axis_and_the_recent_means(view, fast):
    layout = replace(view.layout, fast=fast)
    basis = ResponseBasis(layout)
    drivers, mask = weather(layout)
    recent = recent_mean(drivers, mask)
    today = [drivers[..., place] for place in range(len(fast)) if place not in basis.axes.values()]
    lasting = [recent[..., place] for place in range(len(fast)) if place != basis.axes.get("temperature")]
    slopes = torch.stack([*today, *lasting], dim=-1).clamp(-3, 3)
    torch.testing.assert_close(basis(drivers, mask)[..., -slopes.shape[-1] :], slopes)
