"""What a neighbour brings, what its weight sees, and who is hidden by distance: each by a key of the config."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from raciflux.geography import haversine_km
from raciflux.retrieval.bank import Bank
from retrieved import CONFIG, attached, batch, context, retrieval

LEVELS = [[], ["inputs"], ["statistics"], ["responses"], ["inputs", "statistics", "responses"]]


def said_of(view, role, **changed):
    """The context of every site, by one role, of a bank of which something was changed."""
    config = replace(CONFIG, roles=[role], values=changed.pop("levels"))
    network, bank = retrieval(view, config), Bank.build(view, 50.0)
    table = bank.look_up(view, config, same_cube=True)
    network.attach(replace(bank, **changed), table)
    with torch.no_grad():
        return context(network, batch(*range(14)))


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("role", ["slow", "fast"])
def test_a_neighbour_brings_what_the_config_names(view, role, levels):
    bank = Bank.build(view, 50.0)
    of_flux = {"slow": "statistics", "fast": "responses"}[role]
    before = said_of(view, role, levels=levels)
    other = {name: {one: each + 1 for one, each in getattr(bank, name).items()} for name in ("values", "keys")}
    moved = {
        name: not torch.equal(said_of(view, role, levels=levels, **{name: each}), before)
        for name, each in other.items()
    }
    assert moved == {"values": of_flux in levels, "keys": "inputs" in levels}
    more_days = said_of(view, role, levels=levels, evidence=bank.evidence * 0.5)
    assert not torch.equal(more_days, before), "evidence is always told"


def test_the_null_and_the_trust_see_how_many_neighbours_there_are_and_how_near(view):
    pool = attached(view).roles["slow"]
    present = torch.tensor([[True, True, True, False, False, False], [True, False, False, True, False, False]])
    distance = torch.zeros(2, 6, 2)
    distance[0, 0, 0], distance[1, 0, 0], distance[1, 3, 1] = 1.0, 2.0, 0.5
    seen = pool._seen(present, distance)
    near = torch.exp(-torch.tensor([1.0, 2.0, 0.5]))
    expected = torch.tensor([[1, 0, near[0], 0], [1 / 3, 1 / 3, near[1], near[2]]])
    torch.testing.assert_close(seen, expected)


def test_temperature_evens_weights_out(view):
    def weights(temperature):
        return (
            attached(view, replace(CONFIG, temperature=temperature)).weights(batch(*range(14))["site"])["fast"].weight
        )

    torch.testing.assert_close(weights(2.0), (weights(1.0).log() / 2).softmax(-1))
    assert weights(100.0).std() < weights(1.0).std() < weights(0.2).std()


@pytest.mark.parametrize("backend", ["faiss", "torch"])
def test_neighbours_nearer_than_exclude_km_are_hidden(view, backend):
    bank = Bank.build(view, 50.0)
    config = replace(CONFIG, neighbours=14, exclude_km=500.0, backend=backend)
    table = bank.look_up(view, config, same_cube=True)
    km = haversine_km(view.lat[:, None], view.lon[:, None], bank.lat, bank.lon)
    shown = (view.visible.cluster[:, None] != bank.cluster) & (km >= 500)
    assert 0 < shown.sum() < (view.visible.cluster[:, None] != bank.cluster).sum()
    for (_, kind), found in table.found.items():
        within = shown & (km <= config.radius_km) if kind == "geographic" else shown
        for site in range(14):
            assert set(found.index[site][found.present[site]]) == set(np.flatnonzero(within[site]))
