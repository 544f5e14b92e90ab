"""The grid of a cube and the cells of it that are read: those with a flux, some of them, or those that hold sites."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....config.sources import GridSource
from ....errors import UserError
from ..grid_cells import drawn, names_of
from ..site_list import read_site_list
from .fields import Variable
from .regrid import Edges, Overlap, Values, regular


@dataclass(frozen=True)
class Target:
    """Where values are wanted.

    Attributes
    ----------
    lat_edges, lon_edges : of the grid, rising. cells : row times the number of columns plus column, of each site.
    names : of the sites: cells by row and column, or those of a site table. lat, lon : (site,) degrees.
    at_places : whether the sites are those of a site table.
    """

    lat_edges: Edges
    lon_edges: Edges
    cells: NDArray[np.int64]
    names: list[str]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    at_places: bool = False

    def taken(self, values: Values) -> Values:
        """Return values (step, site) of a field (step, row, column) on this grid."""
        steps, rows, columns = values.shape
        return values.reshape(steps, rows * columns)[:, self.cells]

    def overlap(self, variable: Variable) -> Overlap | None:
        """How a variable's grid lies under this one; None if it is this one."""
        lat, lon = variable.axes.lat_edges, variable.axes.lon_edges
        same = len(lat) == len(self.lat_edges) and len(lon) == len(self.lon_edges)
        if same and np.allclose(lat, self.lat_edges, atol=1e-6) and np.allclose(lon, self.lon_edges, atol=1e-6):
            return None
        return Overlap.of(self.lat_edges, self.lon_edges, lat, lon)


def target_of(source: GridSource, root: Path, flux: Variable) -> Target:
    """Choose the grid, and the cells or sites.

    Raises
    ------
    UserError
        The resolution does not divide the globe, the site table cannot be read, a site lies off the grid, or no cell
        has a flux in the first year.
    """
    lat, lon = (flux.axes.lat_edges, flux.axes.lon_edges) if source.resolution == 0 else _regular(source.resolution)
    rows, columns = len(lat) - 1, len(lon) - 1
    if source.sites:
        return _at_sites(root / source.sites, lat, lon)
    grid = Target(lat, lon, np.arange(rows * columns), [], np.zeros(0), np.zeros(0))
    cells = np.flatnonzero(_emits(flux, grid, source.first_year))
    if not len(cells):
        raise UserError(f"{flux.parts[0].path}: no cell has a flux other than zero in {source.first_year}")
    cells = drawn(cells, source.cells, source.seed)
    row, column, names = cells // columns, cells % columns, names_of(cells, columns)
    return Target(lat, lon, cells, names, (lat[row] + lat[row + 1]) / 2, (lon[column] + lon[column + 1]) / 2)


def _emits(flux: Variable, grid: Target, year: int) -> NDArray[np.bool_]:
    """Mask (cell,) of the cells with a flux other than zero in some month of a year."""
    emits = np.zeros((len(grid.lat_edges) - 1) * (len(grid.lon_edges) - 1), bool)
    overlap = grid.overlap(flux)
    first = np.datetime64(f"{year}-01")
    for month in np.arange(first, first + 12):
        values, _ = flux.steps_in(month)
        values = values if overlap is None else overlap.density(values)
        emits |= (np.nan_to_num(grid.taken(values)) != 0).any(0)
    return emits


def _regular(step: float) -> tuple[Edges, Edges]:
    if abs(180.0 / step - round(180.0 / step)) > 1e-6:
        raise UserError(f"data.*.resolution={step:g}: does not divide 180 degrees; take one such as 0.5, 1 or 2")
    return regular(step)


def _at_sites(path: Path, lat_edges: Edges, lon_edges: Edges) -> Target:
    sites = read_site_list(path)
    names, lat, lon = sites.names, sites.lat, sites.lon
    lon = (lon + 180.0) % 360.0 - 180.0
    east = lon_edges[0] + (lon - lon_edges[0]) % 360.0  # a cell may lie across the 180th meridian
    row, column = np.searchsorted(lat_edges, lat, "right") - 1, np.searchsorted(lon_edges, east, "right") - 1
    row = np.where(lat == lat_edges[-1], row - 1, row)
    off = ~((row >= 0) & (row < len(lat_edges) - 1) & (column >= 0) & (column < len(lon_edges) - 1))
    if off.any() or not names:
        which = names[int(off.argmax())] if names else "no site"
        raise UserError(f"{path}: {which!r} does not lie on the product's grid; correct its position or leave it out")
    return Target(lat_edges, lon_edges, row * (len(lon_edges) - 1) + column, names, lat, lon, at_places=True)
