"""A cube that raciflux wrote earlier."""

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from ...config.sources import CubeSource
from ..cube import loaded, open_zarr, select_sites


def read(pair: str, source: CubeSource, root: Path, sites: Sequence[str]) -> xr.Dataset:
    """Read a cube, or some sites of it, from its Zarr folder."""
    return loaded(opened(pair, source, root, sites))


def opened(_pair: str, source: CubeSource, root: Path, sites: Sequence[str]) -> xr.Dataset:
    """Open a cube, or some sites of it, whose daily values are read when they are asked for (``cube.loaded``)."""
    return select_sites(open_zarr(root / source.path), sites, source.path)
