"""What retrieval may know, and how it weighs whom."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from raciflux.config.raci import RetrievalConfig
from raciflux.contracts import VisibleSet
from raciflux.retrieval import bank as bank_module
from raciflux.retrieval.bank import Bank
from raciflux.retrieval.descriptors import descriptor_width
from raciflux.retrieval.flux_statistics import value_width
from raciflux.retrieval.index import Exclusion
from raciflux.retrieval.role_pool import RolePool
from retrieved import CONFIG, attached, batch, context, days_of, retrieval


def contexts(view):
    """All that retrieval says of every site: its context, and its first days (site, number)."""
    network = attached(view)
    window = days_of(view, *range(len(view.site_id)))
    with torch.no_grad():
        found, said = network(window)
        return torch.cat([found, said.flatten(1)], dim=1)


def flux_changed_at(view, sites, rng):
    target = view.target.copy()
    target[sites] = np.where(view.visible.known[sites], rng.normal(size=target[sites].shape) * 9, 0)
    return replace(view, target=target)


# --- leakage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cluster", range(7))
def test_no_flux_of_the_own_cluster_reaches_the_context(view, cluster):
    mates = np.flatnonzero(view.visible.cluster == cluster)
    before, after = contexts(view), contexts(flux_changed_at(view, mates, np.random.default_rng(0)))
    assert torch.equal(after[mates], before[mates])


@pytest.mark.parametrize("target", [0, 1])
def test_no_flux_of_either_target_of_the_own_cluster_reaches_the_context(two_targets, target):
    for cluster in (0, 2, 4):
        mates = np.flatnonzero(two_targets.visible.cluster == cluster)
        changed = flux_changed_at(two_targets, mates, np.random.default_rng(0))
        flux = two_targets.target.copy()
        flux[..., target] = changed.target[..., target]
        before, after = contexts(two_targets), contexts(replace(two_targets, target=flux))
        assert torch.equal(after[mates], before[mates])
        assert not torch.equal(after, before)


def test_the_leak_would_be_seen(view, monkeypatch):
    everyone = classmethod(lambda cls, query, key: Exclusion.nothing(len(query)))
    monkeypatch.setattr(bank_module.Exclusion, "same_code", everyone)
    before, after = contexts(view), contexts(flux_changed_at(view, [0, 1], np.random.default_rng(0)))
    assert not torch.equal(after[:2], before[:2])


def test_a_cluster_s_own_days_are_not_even_counted(view):
    known = view.visible.known.copy()
    known[[2, 3], 100:] = False
    fewer = replace(view, visible=VisibleSet(known, view.visible.cluster), target=np.where(known, view.target, 0))
    assert torch.equal(contexts(fewer)[2:4], contexts(view)[2:4])
    assert not torch.equal(contexts(fewer)[4:], contexts(view)[4:])


def test_no_flux_outside_training_sites_and_days_reaches_any_context(view):
    noise = np.random.default_rng(0).normal(size=view.target.shape).astype(np.float32)
    told = replace(view, target=np.where(view.visible.known, view.target, noise))
    assert torch.equal(contexts(told), contexts(view))


def test_only_sites_and_drivers_are_read_from_the_batch(view):
    found, said = attached(view)(days_of(view, 0, 13))  # a batch with no other key
    assert torch.isfinite(found).all() and torch.isfinite(said).all()


# --- behaviour --------------------------------------------------------------------------------------------------------


def test_width_and_order_of_roles(view):
    both = context(attached(view), batch(*range(14)))
    slow = attached(view, replace(CONFIG, roles=["slow"]))
    assert both.shape == (14, 12)
    assert attached(view).width == 12
    assert slow.width == 6
    assert context(slow, batch(0)).shape == (1, 6)


def test_order_of_sites_does_not_matter(view, reorder):
    order = np.random.default_rng(4).permutation(14)
    torch.testing.assert_close(contexts(reorder(view, order)), contexts(view)[order])


def test_batch_mates_do_not_matter(view):
    network = attached(view)
    together = context(network, batch(*range(14)))
    for site in range(14):
        torch.testing.assert_close(context(network, batch(site))[0], together[site], rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(context(network, batch(13, 5))[1].detach(), context(network, batch(2, 5))[1].detach())


def test_an_empty_neighbourhood_is_the_learned_null(view):
    none_known = replace(view, visible=VisibleSet(np.zeros_like(view.visible.known), view.visible.cluster))
    out_of_reach = replace(CONFIG, kinds=["geographic"], radius_km=1.0)
    for network in (attached(none_known), attached(view, out_of_reach)):
        null = torch.cat([network.roles[role].null for role in CONFIG.roles])
        assert torch.equal(context(network, batch(0, 13)), null.expand(2, -1))
        context(network, batch(0, 13)).sum().backward()
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in network.parameters())
        assert torch.equal(network.weights(batch(0)["site"])["slow"].weight[:, -1], torch.ones(1))


def test_everything_dropped_is_the_learned_null(view):
    network = attached(view, replace(CONFIG, neighbour_dropout=1.0)).train()
    null = torch.cat([network.roles[role].null for role in CONFIG.roles])
    assert torch.equal(context(network, batch(0)), null[None])
    assert not torch.equal(context(network.eval(), batch(0)), null[None])


def test_neighbour_dropout_only_in_training(view):
    network = attached(view, replace(CONFIG, neighbour_dropout=0.5))
    assert torch.equal(context(network, batch(*range(14))), context(network, batch(*range(14))))
    network.train()
    assert not torch.equal(context(network, batch(*range(14))), context(network, batch(*range(14))))


def test_a_neighbour_hidden_in_training_is_hidden_from_context_and_days_alike(view):
    one = replace(CONFIG, roles=["fast"], kinds=["functional"], neighbours=1, neighbour_dropout=0.5)
    network = attached(view, one).train()
    found, said = network(days_of(view, *range(14)))
    from_context = (found == network.roles["fast"].null).all(1)
    from_days = torch.isclose(said, torch.tensor([0.0, 1.0])).flatten(1).all(1)
    assert torch.equal(from_context, from_days)
    assert 0 < from_days.sum() < 14


def test_every_weight_learns(view):
    network = attached(view)
    context(network, batch(*range(14))).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_a_farther_neighbour_weighs_less(view):
    network = attached(view, replace(CONFIG, roles=["slow"], kinds=["geographic"]))
    pool = network.roles["slow"]
    with torch.no_grad():
        pool.sight.weight.zero_()
        pool.sight.bias.zero_()
        pool.decay.copy_(torch.tensor([-50.0, 1.0]))  # softplus(-50) = 0: kilometres alone
    weight = network.weights(batch(*range(14))["site"])["slow"].weight[:, :-1]
    assert (weight.diff(dim=1) < 0).all()


def test_weights_name_the_neighbours_used(view):
    network = attached(view)
    bank = Bank.build(view, 50.0)
    table = bank.look_up(view, CONFIG, same_cube=True)
    attention = network.weights(batch(3, 9)["site"])
    assert set(attention) == {"slow", "fast"}
    for role, (entry, weight) in attention.items():
        expected = [table.found[role, kind].index[[3, 9]] for kind in CONFIG.kinds]
        np.testing.assert_array_equal(entry, np.concatenate(expected, axis=1))
        assert weight.shape == (2, 2 * CONFIG.neighbours + 1)
        torch.testing.assert_close(weight.sum(1), torch.ones(2))


def test_weights_go_from_one_bank_to_another(view):
    first = attached(view)
    state = first.state_dict()
    assert not any(name.split(".")[-1] in ("values", "keys", "queries", "index", "distance") for name in state)
    second = retrieval(view)
    second.load_state_dict(state)
    smaller = replace(view, train_sites=np.arange(14) < 6)
    bank = Bank.build(smaller, 50.0)
    second.attach(bank, bank.look_up(view, CONFIG, same_cube=True))
    assert context(second, batch(0)).shape == (1, 12)
    second.attach(full := Bank.build(view, 50.0), full.look_up(view, CONFIG, same_cube=True))
    assert torch.equal(context(second, batch(0, 7)), context(first, batch(0, 7)))


def test_asking_before_attaching_is_said(view):
    with pytest.raises(RuntimeError, match="attach"):
        retrieval(view)(batch(0))


def test_buffers_follow_the_module(view):
    network = attached(view).to("meta")
    assert {buffer.device.type for buffer in network.buffers()} == {"meta"}
    held = {name for role in ("slow", "fast") for name in vars_of(network.roles[role])}
    assert held == {"values", "evidence", "keys", "queries", "index", "distance"}
    assert {"coefficients", "unmeasured"} <= {name for name, _ in network.named_buffers()}


def vars_of(pool):
    return {name for name, _ in pool.named_buffers(recurse=False)}


def test_a_neighbours_evidence_is_that_of_all_its_fluxes(view):
    two = replace(view.layout, targets=("GPP", "NEE"))
    pool = RolePool(RetrievalConfig(neighbours=1, kinds=["geographic"], width=4), two, "slow").eval()
    features = descriptor_width("slow", two)
    pool.values, pool.keys, pool.queries = (torch.zeros(3, n) for n in (value_width("slow", two), features, features))
    known = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)  # all days of the first flux, none of the second; and so on
    pool.evidence = torch.cat([torch.from_numpy(known).mean(1), torch.zeros(1)])
    pool.index, pool.distance = torch.tensor([[0], [1]]), torch.zeros(2, 1, 2)
    with torch.no_grad():
        pool.sight.bias.copy_(torch.tensor([0.0, 2.0]))
    first, second = pool.look(torch.tensor([0, 1]))[0].weight
    torch.testing.assert_close(first, second)
    assert first[0] > 0.5, "evidence of either flux counts"
