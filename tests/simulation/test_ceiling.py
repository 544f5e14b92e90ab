"""The ceiling: what it is where the answer is known, and what it may never look at."""

import numpy as np
import pytest
from raciflux.config.sources import EmbeddedSource
from raciflux.geography import unit_vectors
from raciflux.simulation import hidden as hidden_module
from raciflux.simulation.ceiling import Kriging, covariance, kriged_truth
from raciflux.simulation.hidden import Hidden, WorldParameters
from raciflux.simulation.world import ECOSYSTEMS, embedded_cube, recorded, setting

PLACES = 10
TESTED = slice(0, 3)


def _world(**changes) -> EmbeddedSource:
    return EmbeddedSource(places=PLACES, years=1, seed=4, **changes)


def _towers(pair, source):
    cube = embedded_cube(pair, source)
    lat, lon = cube.lat.values, cube.lon.values
    return cube[f"{ECOSYSTEMS[pair].target}_expected"].values, lat, lon


def _ceiling(pair, source, bank=slice(3, None), draws=1):
    truth, lat, lon = _towers(pair, source)
    return truth[TESTED], kriged_truth(pair, source, lat[TESTED], lon[TESTED], lat[bank], lon[bank], draws)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_on_a_tower_that_may_be_looked_at_the_ceiling_is_the_truth(pair, share):
    truth, ceiling = _ceiling(pair, _world(hidden_share=share), bank=slice(0, None), draws=4)
    np.testing.assert_allclose(ceiling, truth, rtol=1e-3, atol=1e-3)


def test_where_neighbours_share_nothing_it_is_the_truth_of_the_median_place(pair):
    source = _world(hidden_share=0.0)
    truth, ceiling = _ceiling(pair, source)
    _, lat, lon = _towers(pair, source)

    class Median(Hidden):
        def normal(self, name):
            return np.zeros(len(self.lat))

    kind = ECOSYSTEMS[pair]
    at = setting(kind, source, lat[TESTED], lon[TESTED])
    median = kind.truth(at, Median(source.seed, at.lat, at.lon, WorldParameters.of(source))).target
    np.testing.assert_allclose(ceiling, median[:, recorded(source)], rtol=1e-6, atol=1e-6)
    assert not np.allclose(ceiling, truth, rtol=0.01)


def test_nobody_to_look_at_is_as_good_as_neighbours_who_share_nothing(pair):
    source = _world(hidden_share=0.0)
    _, nobody = _ceiling(pair, source, bank=slice(0, 0), draws=4)
    _, strangers = _ceiling(pair, source, draws=4)
    np.testing.assert_allclose(nobody, strangers, rtol=1e-9)


def test_the_own_hidden_properties_of_a_tested_place_are_never_looked_at(pair, monkeypatch):
    source = _world()
    truth, before = _ceiling(pair, source, draws=2)
    _, lat, _ = _towers(pair, source)
    tested = set(lat[TESTED].tolist())
    own = hidden_module.static_field

    def perturbed(seed, stream, range_km, lat, lon):
        return own(seed, stream, range_km, lat, lon) + np.isin(lat, list(tested)) * 1.0

    monkeypatch.setattr(hidden_module, "static_field", perturbed)
    other, after = _ceiling(pair, source, draws=2)
    assert not np.allclose(other, truth), "the perturbation reaches the truth"
    assert np.array_equal(after, before)


def test_more_draws_come_nearer_to_the_mean_over_all():
    source = _world(hidden_share=0.2, role_separation=3.0)
    _, many = _ceiling("wetland_ch4", source, draws=64)
    error = {draws: np.abs(_ceiling("wetland_ch4", source, draws=draws)[1] - many).mean() for draws in (1, 16)}
    assert error[16] < 0.5 * error[1], "the flux of the mean property is not the mean flux"
    assert error[16] < 0.03 * many.mean()


def test_kriging_leaves_less_spread_than_it_found_and_is_unbiased_over_worlds():
    rng = np.random.default_rng(0)
    lat, lon = rng.uniform(45.0, 55.0, 120), rng.uniform(0.0, 20.0, 120)
    world = WorldParameters(hidden_share=0.8)
    kriging = Kriging.of(lat[:40], lon[:40], lat[40:], lon[40:], world)
    assert (kriging.spread < 1.0).all() and (kriging.spread >= np.sqrt(1.0 - world.hidden_share) - 1e-9).all()
    left = []
    for seed in range(60):
        drawn = Hidden(seed, lat, lon, world).normal("production")
        left.append((drawn[:40] - kriging.weights @ drawn[40:]) / kriging.spread)
    assert np.mean(left) == pytest.approx(0.0, abs=0.05)
    assert np.std(left) == pytest.approx(1.0, abs=0.1), "the spread that is left is the one announced"


def test_the_covariance_is_the_one_that_hidden_properties_have():
    lat, lon = np.array([50.0, 50.0, 52.0, 50.0]), np.array([9.0, 9.0, 12.0, 40.0])
    world = WorldParameters()
    points = unit_vectors(lat, lon)
    known = covariance(points, points, world)
    drawn = np.stack([Hidden(seed, lat, lon, world).normal("q10") for seed in range(1500)])
    np.testing.assert_allclose(np.corrcoef(drawn.T), known, atol=0.08)
    assert known[0, 1] == 1.0 and 0.3 < known[0, 2] < world.hidden_share
