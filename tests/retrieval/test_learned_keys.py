"""Functional neighbours in a projection that learns: searched on a schedule, exactly, and alike when resumed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from raciflux.config.raci import RetrievalConfig
from raciflux.geography import haversine_km
from raciflux.retrieval.bank import Bank
from raciflux.retrieval.learned_keys import LearnedKeys
from retrieved import attached, batch, context, days_of

LEARNED = RetrievalConfig(
    neighbours=3, width=6, keys="learned", key_width=5, refresh_every=4, neighbour_dropout=0.0, radius_km=20_000.0
)
EVERYONE = tuple(range(14))


def learner(view, config=LEARNED):
    network = attached(view, config)
    return network, torch.optim.SGD(network.parameters(), lr=0.5)


def step(network, optimiser, view):
    """One training step, as the LightningModule makes it; returns whom each site was shown."""
    network.train()
    optimiser.zero_grad()
    window = days_of(view, *EVERYONE)
    sum(said.square().sum() for said in network(window)).backward()
    optimiser.step()
    return shown(network)


def shown(network):
    """Neighbours (role, site, neighbour) of the mode that the network is in."""
    with torch.no_grad():
        return torch.stack([attention.entry for attention in network.weights(batch(*EVERYONE)["site"]).values()])


def nearest(view, network, role, projection, k=3):
    """The definition: every entry of another cluster, by distance in the projection and position."""
    bank = Bank.build(view, 50.0)
    queries, keys = (
        (torch.from_numpy(each) @ projection.T).numpy().astype(float)
        for each in (bank.describe(view)[role], bank.keys[role])
    )
    apart = np.sqrt(((queries[:, None] - keys[None]) ** 2).sum(-1))
    hidden = view.visible.cluster[:, None] == bank.cluster
    return np.argsort(np.where(hidden, np.inf, apart), axis=1, kind="stable")[:, :k]


@pytest.mark.parametrize("backend", ["faiss", "torch"])
def test_neighbours_are_the_nearest_in_the_projection(view, backend):
    network = attached(view, replace(LEARNED, backend=backend))
    entry = shown(network)
    for place, role in enumerate(LEARNED.roles):
        projection = network.roles[role].learned.projection.weight.detach()
        np.testing.assert_array_equal(entry[place][:, :3], nearest(view, network, role, projection))
    by_descriptors = shown(attached(view, replace(LEARNED, keys="descriptors")))
    assert torch.equal(entry[..., 3:], by_descriptors[..., 3:]), "geographic neighbours stay"
    assert not torch.equal(entry[..., :3], by_descriptors[..., :3])


def test_distances_are_of_the_projection_and_to_the_right_towers(view):
    network = attached(view, LEARNED)
    pool, bank = network.roles["fast"], Bank.build(view, 50.0)
    index, distance = pool._table()
    site = np.arange(14)[:, None]
    entry = index[:, :3].numpy()
    km = haversine_km(view.lat[site], view.lon[site], bank.lat[entry], bank.lon[entry])
    np.testing.assert_allclose(distance[:, :3, 1], np.log1p(km / 100), rtol=1e-5)
    gap = torch.randn(7, pool.queries.shape[1])
    expected = (gap @ pool.learned.projection.weight.T).square().mean(-1).sqrt()
    torch.testing.assert_close(pool.learned.distance(gap), expected, rtol=1e-3, atol=1e-3)


def test_the_projection_learns(view):
    network, _ = learner(view)
    context(network, batch(*EVERYONE)).square().sum().backward()
    for role in LEARNED.roles:
        grad = network.roles[role].learned.projection.weight.grad
        assert torch.isfinite(grad).all()
        assert grad.abs().sum() > 0


def test_training_searches_every_few_steps_and_not_between(view):
    network, optimiser = learner(view)
    seen, projections = [], []
    for _ in range(9):
        projections.append(network.roles["slow"].learned.projection.weight.detach().clone())
        for buffer in network.buffers():
            buffer.copy_(buffer.clone())  # as training on several devices does before each step
        seen.append(step(network, optimiser, view))
    for number, entry in enumerate(seen):
        projection = projections[number // 4 * 4]
        np.testing.assert_array_equal(entry[0][:, :3], nearest(view, network, "slow", projection))
    assert not torch.equal(seen[3], seen[4]), "weights have not moved enough for this test to see"
    assert network.cost()["retrieval/searches"] == 2 * 3
    assert network.cost()["retrieval/refresh_s"] > 0


def test_evaluation_uses_the_keys_as_they_are_and_leaves_training_its_own(view):
    network, optimiser = learner(view)
    for _ in range(3):
        trained = step(network, optimiser, view)
    projection = network.roles["slow"].learned.projection.weight.detach().clone()
    evaluated = shown(network.eval())
    np.testing.assert_array_equal(evaluated[0][:, :3], nearest(view, network, "slow", projection))
    assert not torch.equal(evaluated, trained)
    assert torch.equal(shown(network.train()), trained)
    searches = network.cost()["retrieval/searches"]
    shown(network.eval())
    shown(network.train())
    assert network.cost()["retrieval/searches"] == searches, "neither mode searches anew for the same keys"


@pytest.mark.parametrize("stopped", [1, 3, 4, 6])
def test_resumed_sees_whom_the_uninterrupted_run_sees(view, stopped):
    whole, optimiser = learner(view)
    expected = []
    for number in range(9):
        if number == stopped:
            kept = {name: value.clone() for name, value in whole.state_dict().items()}
        expected.append(step(whole, optimiser, view))
    resumed, optimiser = learner(view)
    shown(resumed)  # something was looked up before the weights came, as a sanity check would
    resumed.load_state_dict(kept)
    for number in range(stopped, 9):
        assert torch.equal(step(resumed, optimiser, view), expected[number]), f"step {number}"
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name


def test_loaded_weights_predict_with_their_own_keys(view):
    network, optimiser = learner(view)
    for _ in range(6):
        step(network, optimiser, view)
    other, _ = learner(view)
    before = context(other.eval(), batch(*EVERYONE))
    other.load_state_dict(network.state_dict())
    assert torch.equal(context(other, batch(*EVERYONE)), context(network.eval(), batch(*EVERYONE)))
    assert not torch.equal(context(other, batch(*EVERYONE)), before)


def test_no_flux_of_the_own_cluster_comes_back_by_learned_keys(view):
    mates = np.flatnonzero(view.visible.cluster == 2)
    target = view.target.copy()
    target[mates] += 5 * view.visible.known[mates]
    network, told = (attached(one, LEARNED) for one in (view, replace(view, target=target)))
    before, after = context(network, batch(*EVERYONE)), context(told, batch(*EVERYONE))
    assert torch.equal(before[mates], after[mates])
    assert not torch.equal(before, after)


def test_geographic_neighbours_alone_need_no_keys(view):
    network = attached(view, replace(LEARNED, kinds=["geographic"]))
    assert network.cost() == {}
    assert not any("learned" in name for name, _ in network.named_parameters())


def test_what_inference_found_serves_gradients_too(view):
    network = attached(view, LEARNED)
    with torch.inference_mode():
        context(network, batch(*EVERYONE))
    context(network, batch(*EVERYONE)).sum().backward()
    assert network.cost()["retrieval/searches"] == 2


@pytest.mark.parametrize(("sites", "every"), [(14, 4), (400, 4), (60_000, 600)])
def test_the_more_sites_search_the_rarer_they_do(sites, every):
    keys = LearnedKeys(3, 2, refresh_every=4)
    keys.serve(sites)
    searched = []
    for step in range(2 * every):
        keys.advance()
        if not searched or not torch.equal(keys.searched, searched[-1][1]):
            searched.append((step, keys.searched.clone()))
        with torch.no_grad():
            keys.projection.weight += 1
    assert [step for step, _ in searched] == [0, every]


def test_a_bank_tells_its_keys_how_many_sites_search(view):
    assert {pool.learned._sites for pool in attached(view, LEARNED).roles.values()} == {len(view.lat)}
