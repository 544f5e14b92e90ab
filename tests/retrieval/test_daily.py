"""What the neighbours' response functions say of each day."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from raciflux.contracts import VisibleSet
from raciflux.retrieval.bank import Bank
from raciflux.retrieval.responses import ResponseBasis
from retrieved import CONFIG, attached, batch, daily, days_of


def test_daily_is_there_with_responses_of_the_fast_role_alone(two_targets):
    window = days_of(two_targets, 0, 5, 13)
    for roles, levels, width in (
        (["slow", "fast"], ["responses"], 8),
        (["fast"], ["inputs", "responses"], 4),
        (["slow"], ["responses"], 0),
        (["slow", "fast"], ["inputs", "statistics"], 0),
    ):
        network = attached(two_targets, replace(CONFIG, roles=roles, values=levels))
        assert network.daily_width == width
        assert daily(network, window).shape == (3, 40, width)


def test_daily_is_the_weighted_mean_of_the_neighbours_responses(two_targets):
    network, bank = attached(two_targets), Bank.build(two_targets, 50.0)
    window = days_of(two_targets, 2, 9)
    said = daily(network, window).detach().numpy()
    terms = ResponseBasis(two_targets.layout)(window["fast"], window["fast_mask"]).numpy()
    for place, role in enumerate(CONFIG.roles):
        entry, weight = (each.detach().numpy() for each in network.weights(window["site"])[role])
        for row in range(2):
            functions = bank.coefficients[entry[row]]  # (neighbour, target, term)
            mean = np.einsum("n,ntk,dk->dt", weight[row, :-1], functions, terms[row])
            np.testing.assert_allclose(said[row, :, 4 * place : 4 * place + 2], mean, atol=1e-5)


def test_at_a_node_the_spread_is_that_of_a_mixture(view):
    network, bank = attached(view), Bank.build(view, 50.0)
    at_node = torch.zeros(1, 3, 4)
    at_node[..., 2] = 0.5  # light and temperature at their means, a node; here is one of dryness
    said = daily(network, batch(4) | {"fast": at_node, "fast_mask": torch.ones_like(at_node)})
    node = int(network.basis(at_node, torch.ones_like(at_node))[0, 0, : network.basis.nodes].argmax())
    entry, weight = (each[0].detach().numpy() for each in network.weights(batch(4)["site"])["fast"])
    value = bank.coefficients[entry, 0, node]
    mean = (weight[:-1] * value).sum()
    variance = (weight[:-1] * (value - mean) ** 2).sum() + weight[-1] * (1 + mean**2)
    assert said[0, 0, 3].item() == pytest.approx(np.sqrt(variance), rel=1e-4)


def test_a_flux_that_neighbours_never_measured_is_unknown_and_not_mean(two_targets):
    known = two_targets.visible.known.copy()
    known[..., 1] = False
    network = attached(replace(two_targets, visible=VisibleSet(known, two_targets.visible.cluster)))
    said = daily(network, days_of(two_targets, *range(14)))
    gpp, nee, spread_gpp, spread_nee = said[..., 4:].unbind(-1)
    torch.testing.assert_close(nee, torch.zeros_like(nee))
    torch.testing.assert_close(spread_nee, torch.ones_like(nee))
    assert (gpp != 0).all()
    assert (spread_gpp != 1).all()


def test_without_neighbours_a_day_is_unknown(view):
    network = attached(view, replace(CONFIG, kinds=["geographic"], radius_km=1.0))
    said = daily(network, days_of(view, 0, 5))
    torch.testing.assert_close(said, torch.tensor([0.0, 1.0, 0.0, 1.0]).expand(2, 40, 4))
    said.sum().backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in network.parameters())


@pytest.mark.parametrize("cut", [0, 15, 38])
def test_no_day_looks_ahead(view, cut):
    network, window = attached(view), days_of(view, 3, 8)
    later = (torch.arange(40) > cut)[:, None]
    other = window | {
        "fast": torch.where(later, 3.0, window["fast"]),
        "fast_mask": torch.where(later, 1.0, window["fast_mask"]),
    }
    before, after = daily(network, window), daily(network, other)
    assert torch.equal(after[:, : cut + 1], before[:, : cut + 1])
    assert not torch.equal(after[:, cut + 1 :], before[:, cut + 1 :])


def test_absurd_weather_gives_no_absurd_answer(view):
    network, window = attached(view), days_of(view, *range(14))
    bound = np.abs(Bank.build(view, 50.0).coefficients).max()
    said = daily(network, window | {"fast": 1e4 * torch.randn_like(window["fast"])})
    assert said.abs().max() < 4 * bound * ResponseBasis(view.layout).terms
    surface = said[..., 1::2]
    assert (surface <= np.sqrt(1 + bound**2) + 1e-4).all()


def test_attention_learns_from_days(view):
    network = attached(view)
    daily(network, days_of(view, *range(14))).square().sum().backward()
    for role in CONFIG.roles:
        for name in ("decay", "kind_logit"):
            grad = getattr(network.roles[role], name).grad
            assert grad.abs().sum() > 0
            assert torch.isfinite(grad).all()
