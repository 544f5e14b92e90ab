"""Where a cell lies, and which cell a tower stands in.

The published code takes row ``round((lat + 90) * 2)``, which is the next cell for every tower in the northern half of
its own, and no cell at all at the pole. A cell of the corrected reading holds its tower.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ....geography import haversine_km
from ....variables import CLASSES
from ...cube import UNKNOWN, attributes
from .grids import Cells, Grids
from .layout import CODES, STATICS, WETLANDS

Doubles = NDArray[np.float64]
SEARCH = 2  # cells: a tower on a coast or island takes the nearest cell with data among these


def positions(cells: Cells, shape: tuple[int, int]) -> tuple[Doubles, Doubles]:
    """Return latitude and longitude (cell,) of the middle of each cell."""
    rows, columns = shape
    row, column = cells // columns, cells % columns
    return (row + 0.5) * 180.0 / rows - 90.0, (column + 0.5) * 360.0 / columns - 180.0


def cell_of(lat: Doubles, lon: Doubles, shape: tuple[int, int], *, paper: bool) -> Cells:
    """Return the cell (site,) that each place lies in; of the paper's rule, the one that its code reads."""
    rows, columns = shape
    row, column = (lat + 90.0) * rows / 180.0, (lon + 180.0) * columns / 360.0
    whole = np.round if paper else np.floor
    row = np.clip(whole(row), 0, rows - 1)
    return np.asarray(row * columns + whole(column) % columns, np.int64)


def nearest_with_data(lat: Doubles, lon: Doubles, shape: tuple[int, int], there: NDArray[np.bool_]) -> Cells:
    """Return the cell (site,) of each place, or the nearest one with data within two cells; -1 where there is none.

    Parameters
    ----------
    there : (cell,) whether a cell has data.
    """
    rows, columns = shape
    own = cell_of(lat, lon, shape, paper=False)
    steps = np.arange(-SEARCH, SEARCH + 1)
    row = own[:, None, None] // columns + steps[None, :, None]
    column = (own[:, None, None] % columns + steps[None, None, :]) % columns
    candidates = (np.clip(row, 0, rows - 1) * columns + column).reshape(len(own), -1)
    cell_lat, cell_lon = positions(candidates, shape)
    km = np.where(there[candidates], haversine_km(lat[:, None], lon[:, None], cell_lat, cell_lon), np.inf)
    best = candidates[np.arange(len(own)), km.argmin(1)]
    return np.where(there[own], own, np.where(np.isfinite(km.min(1)), best, -1))


def maps_at(grids: Grids, cells: Cells) -> Mapping[str, xr.DataArray]:
    """Return the static properties and classes (site,) of cells."""
    made = {}
    for grid in STATICS:
        values = grids.values(grid, 0, cells).astype(np.float32)
        made[grid.variable] = xr.DataArray(values, dims="site", attrs=attributes(grid.variable))
    for grid in CODES:
        names = [_class_name(grid.variable, code) for code in grids.codes(grid, cells).tolist()]
        made[grid.variable] = xr.DataArray(np.array(names), dims="site", attrs={"long_name": CLASSES[grid.variable]})
    return made


def _class_name(variable: str, code: int) -> str:
    if variable == "wetland":
        return WETLANDS.get(code, UNKNOWN)
    return str(code) if code > 0 else UNKNOWN
