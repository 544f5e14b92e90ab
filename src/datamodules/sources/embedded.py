"""The embedded world as a source."""

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from ...config.sources import EmbeddedSource
from ..cube import select_sites


def read(pair: str, source: EmbeddedSource, _root: Path, sites: Sequence[str]) -> xr.Dataset:
    """Generate one face of the embedded world for a flux/ecosystem pair."""
    from ...simulation.world import embedded_cube  # here, so that reading files does not load the world

    return select_sites(embedded_cube(pair, source), sites, "the embedded world")
