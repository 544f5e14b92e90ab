from dataclasses import replace

import numpy as np
import pytest
from raciflux.contracts import VisibleSet
from raciflux.errors import UserError
from raciflux.geography import haversine_km
from raciflux.retrieval import applicability as module
from raciflux.retrieval.applicability import applicability
from raciflux.retrieval.bank import Bank

ROLES = ("slow", "fast")


@pytest.fixture
def bank(view):
    return Bank.build(view, 50.0)


def distances(one, other):
    return np.sqrt(((one[:, None].astype(float) - other[None]) ** 2).sum(-1))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("exclude_km", [0.0, 700.0])
def test_is_the_definition(view, bank, role, exclude_km):
    said = applicability(bank, view, same_cube=True, exclude_km=exclude_km)[role]
    keys = bank.keys[role]
    between = distances(keys, keys)
    typical = between[~np.eye(len(keys), dtype=bool)].mean()
    far, apart = (
        haversine_km(lat[:, None], lon[:, None], bank.lat, bank.lon) >= exclude_km
        for lat, lon in ((view.lat, view.lon), (bank.lat, bank.lon))
    )
    assert far.all() == (exclude_km == 0)
    shown = (view.visible.cluster[:, None] != bank.cluster) & far
    nearest = np.where(shown, distances(bank.describe(view)[role], keys), np.inf).min(1) / typical
    np.testing.assert_allclose(said.dissimilarity, nearest)
    own = np.where((bank.cluster[:, None] != bank.cluster) & apart, between, np.inf).min(1) / typical
    low, high = np.quantile(own, [0.25, 0.75])
    assert said.threshold == pytest.approx(own[own <= high + 1.5 * (high - low)].max())
    assert (said.inside == (said.dissimilarity <= said.threshold)).all()


def test_an_outlier_of_the_bank_does_not_stretch_its_area():
    near = np.linspace(1, 2, 40)
    assert module._upper_whisker(np.append(near, 30.0)) == 2.0
    assert module._upper_whisker(np.append(near, [2.2, np.inf])) == 2.2


def test_a_place_like_no_other_is_outside_and_a_twin_of_another_cluster_inside(view, bank):
    static = view.static.copy()
    static[13] = 60.0
    twin = ("fast", "fast_mask", "static", "static_mask", "classes")
    like = {name: getattr(view, name).copy() for name in twin}
    for values in like.values():
        values[12] = values[3]
    like["static"][13] = 60.0
    like["static_mask"][13] = True
    said = applicability(bank, replace(view, **like), same_cube=True)["slow"]
    assert said.dissimilarity[12] == 0
    assert said.inside[12]
    assert not said.inside[13]


def test_without_a_second_cluster_nothing_is_said_to_be_inside(view):
    one = replace(view, train_sites=np.arange(14) < 2)
    said = applicability(Bank.build(one, 50.0), view, same_cube=True)["fast"]
    assert np.isnan(said.threshold)
    assert np.isinf(said.dissimilarity[:2]).all()
    assert np.isfinite(said.dissimilarity[2:]).all()
    assert not said.inside.any()


def test_a_bank_of_nobody_is_far_from_everyone(view):
    nothing = replace(view, visible=VisibleSet(np.zeros_like(view.visible.known), view.visible.cluster))
    for said in applicability(Bank.build(nothing, 50.0), view, same_cube=True).values():
        assert np.isinf(said.dissimilarity).all()
        assert not said.inside.any()


def test_fluxes_play_no_part(view, bank):
    other = Bank.build(replace(view, target=view.target * 3), 50.0)
    for role in ROLES:
        one, two = (applicability(each, view, same_cube=True)[role] for each in (bank, other))
        np.testing.assert_array_equal(one.dissimilarity, two.dissimilarity)


def test_other_inputs_are_refused(view, bank):
    with pytest.raises(UserError, match="but the data have"):
        applicability(bank, replace(view, layout=replace(view.layout, targets=("NEE",))), same_cube=True)


def test_a_sample_stands_for_a_large_bank(monkeypatch):
    keys = np.random.default_rng(0).normal(size=(3000, 5)).astype(np.float32)
    whole = distances(keys, keys).sum() / (3000 * 2999)
    monkeypatch.setattr(module, "SAMPLE", 500)
    assert module._mean_distance(keys) == pytest.approx(whole, rel=0.02)
