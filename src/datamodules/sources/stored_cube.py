"""A cube that raciflux wrote earlier."""

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from ...config.sources import CubeSource
from ..cube import read_zarr, select_sites


def read(_pair: str, source: CubeSource, root: Path, sites: Sequence[str]) -> xr.Dataset:
    """Read a cube, or some sites of it, from its Zarr folder."""
    return select_sites(read_zarr(root / source.path), sites, source.path)
