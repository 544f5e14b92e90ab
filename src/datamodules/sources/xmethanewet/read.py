"""X-MethaneWet becomes a cube: its towers, or the cells of its simulation."""

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from ....config.sources import XMethaneWetSource
from .cells import read_cells
from .towers import read_towers


def read(_pair: str, source: XMethaneWetSource, root: Path, sites: Sequence[str]) -> xr.Dataset:
    """Read a face of the data set.

    Raises
    ------
    UserError
        See ``read_cells`` and ``read_towers``.
    """
    return (read_towers if source.face == "towers" else read_cells)(source, root, sites)
