"""The keys of a source that say what is hidden in its world."""

import numpy as np
import pytest
from raciflux.config.sources import EmbeddedSource
from raciflux.simulation.hidden import Hidden, WorldParameters
from raciflux.simulation.world import embedded_cube


def test_the_default_source_is_the_default_world():
    assert WorldParameters.of(EmbeddedSource()) == WorldParameters()


def test_share_and_range_reach_the_hidden_properties():
    lat, lon = np.array([50.0, 50.0]), np.array([9.0, 13.0])  # 286 km apart

    def alike(**keys):
        world = WorldParameters.of(EmbeddedSource(**keys))
        return np.corrcoef(np.stack([Hidden(seed, lat, lon, world).normal("q10") for seed in range(800)]).T)[0, 1]

    assert alike(hidden_share=0.0) == pytest.approx(0.0, abs=0.12)
    assert alike(hidden_share=1.0) == pytest.approx(0.84, abs=0.08)
    assert alike(hidden_share=1.0, hidden_range_km=150.0) < 0.35


@pytest.mark.parametrize("pair", ["wetland_ch4", "cropland_gpp", "cropland_co2"])
def test_role_separation_acts_on_the_response_to_weather(pair):
    def cube(separation):
        return embedded_cube(pair, EmbeddedSource(places=8, years=1, role_separation=separation))

    target = {"wetland_ch4": "FCH4", "cropland_gpp": "GPP", "cropland_co2": "NEE"}[pair] + "_expected"
    none, usual, strong = (cube(separation)[target].values for separation in (0.0, 1.0, 3.0))
    assert np.abs(strong - none).mean() > 1.5 * np.abs(usual - none).mean() > 0.0
    assert np.array_equal(cube(3.0).TA, cube(0.0).TA)
    world = WorldParameters.of(EmbeddedSource(role_separation=3.0))
    assert (world.level, world.water, world.vigour) == (0.25, 12.0, 0.25), "levels stay as they were"


def test_hidden_keys_leave_the_simulation_alone():
    usual, other = (
        embedded_cube("wetland_ch4", EmbeddedSource(face="simulation", places=4, years=1, **keys))
        for keys in ({}, {"hidden_share": 1.0, "hidden_range_km": 50.0, "role_separation": 3.0})
    )
    assert usual.equals(other)
