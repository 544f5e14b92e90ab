"""Small worlds, made once a session."""

import pytest
import xarray as xr
from raciflux.config.sources import EmbeddedSource
from raciflux.simulation.world import ECOSYSTEMS, embedded_cube


@pytest.fixture(scope="session", params=list(ECOSYSTEMS))
def pair(request) -> str:
    return request.param


@pytest.fixture(scope="session")
def towers(pair) -> xr.Dataset:
    return embedded_cube(pair, EmbeddedSource(face="towers", places=24, years=3))


@pytest.fixture(scope="session")
def cells(pair) -> xr.Dataset:
    return embedded_cube(pair, EmbeddedSource(face="simulation", places=24, years=2))
