"""The cells of TEM-MDM as a cube, a year at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ....config.sources import XMethaneWetSource
from ....errors import UserError, did_you_mean
from ....vapour import vapour_deficit
from ....variables import TARGETS
from ...cube import attributes
from ..account import SITE_DAYS, kept, opened, with_accounts_of
from ..assemble import AREA, coordinates, described, of_cells, on_days
from ..grid_cells import drawn, names_of, years_between
from ..real_days import days_of_year
from . import annual, months
from .grids import Cells, Grids
from .layout import (
    AIR_TEMPERATURE,
    CARBON_DIOXIDE_IN_AIR,
    CELLS_PRODUCT,
    CITATION,
    DAILY,
    EMISSION,
    GRIDS,
    LICENCE,
    METHANE_IN_AIR,
    PAPER_DIVISOR,
    PRODUCTION,
    STATICS,
    units_of,
)
from .places import maps_at, positions

Values = NDArray[np.floating]


@dataclass(frozen=True)
class Simulation:
    """The grids of a download, of which some cells are read.

    Attributes
    ----------
    cells : row times the number of columns plus column. shape : rows and columns of the grid.
    air : atmospheric mole fraction by variable and year.
    paper : whether it is read as the published code does.
    """

    grids: Grids
    cells: Cells
    shape: tuple[int, int]
    air: Mapping[str, Mapping[int, float]]
    paper: bool

    def year(self, year: int) -> dict[str, Values]:
        """Return drivers and emission (cell, day) of one year."""
        days = days_of_year(year)
        made = drivers_of(self.grids, year, self.cells, days, paper=self.paper)
        emission = months.on_days(self.grids.values(EMISSION, year, self.cells), days)
        if self.paper:
            emission = emission / PAPER_DIVISOR
        air = {name: annual.on_days(values, days) for name, values in self.air.items()}
        whole = {name: np.broadcast_to(values, emission.shape) for name, values in air.items()}
        return {**made, **whole, EMISSION.variable: emission}

    @property
    def site_ids(self) -> list[str]:
        """Names of the cells, by row and column from the south-west."""
        return names_of(self.cells, self.shape[1])


def drivers_of(
    grids: Grids, year: int, cells: Cells, days: NDArray[np.datetime64], *, paper: bool
) -> dict[str, Values]:
    """Return the weather and net primary production (cell, day) of one year's days."""
    made = {grid.variable: months.on_days(grids.values(grid, year, cells), days) for grid in DAILY}
    made[PRODUCTION.variable] = months.repeated(grids.values(PRODUCTION, year, cells), days)
    if not paper:
        made["VPD"] = vapour_deficit(made["TA"], made.pop("VP"))
    return made


def open_simulation(source: XMethaneWetSource, root: Path) -> Simulation:
    """Open the grids and choose the cells: those that emit in the first year, all or some drawn by seed.

    Raises
    ------
    UserError
        A file is missing or damaged, the years are none, or no cell emits.
    """
    years_between(source.first_year, source.last_year)
    folder = root / source.path / GRIDS
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; download the data set, or check data.root and the path")
    grids = Grids(folder, units_of(source.units))
    shape = grids.shape_of(STATICS[0])
    emits = grids.filled(EMISSION, source.first_year) & grids.filled(AIR_TEMPERATURE, source.first_year)
    cells = np.flatnonzero(emits)
    if not len(cells):
        raise UserError(f"{folder}: no cell has both weather and emissions in {source.first_year}; download it again")
    cells = drawn(cells, source.cells, source.seed)
    air = {
        "CH4_AIR": annual.read_annual(folder / METHANE_IN_AIR),
        "CO2": annual.read_annual(folder / CARBON_DIOXIDE_IN_AIR),
    }
    return Simulation(grids, cells, shape, air, source.paper_compat)


def read_cells(source: XMethaneWetSource, root: Path, sites: Sequence[str]) -> xr.Dataset:
    """Read the cells into memory.

    Raises
    ------
    UserError
        As ``open_simulation``; or a cell named in ``sites`` emits nothing.
    """
    years = list(cells_by_year(source, root, sites))
    joined = xr.concat([year.drop_attrs(deep=False) for year in years], "time", data_vars="minimal", coords="minimal")
    joined["time"].attrs = years[-1]["time"].attrs
    return with_accounts_of(joined.assign_attrs(years[-1].attrs), years)


def cells_by_year(source: XMethaneWetSource, root: Path, sites: Sequence[str] = ()) -> Iterator[xr.Dataset]:
    """Read the cells a year at a time; the notes of each say what was met up to then.

    Raises
    ------
    UserError
        As ``read_cells``.
    """
    simulation = _named(open_simulation(source, root), sites)
    lat, lon = positions(simulation.cells, simulation.shape)
    fixed = maps_at(simulation.grids, simulation.cells)
    for year in years_between(source.first_year, source.last_year):
        days = {name: _counted(name, values) for name, values in simulation.year(year).items()}
        begin, length = np.datetime64(f"{year}-01-01"), len(days_of_year(year))
        cube = xr.Dataset({**days, **fixed}, coordinates(simulation.site_ids, lat, lon, begin, length, "noleap"))
        notes = [*simulation.grids.notes, *_said(source)]
        rows, columns = simulation.shape
        cube = of_cells(cube, 180.0 / rows, 360.0 / columns)
        whole = [cube.assign_attrs(described(CELLS_PRODUCT, "", LICENCE, CITATION, notes))]
        del days, cube
        yield whole.pop()  # so that no year is held while the next is read


def _counted(name: str, values: Values) -> xr.DataArray:
    area = {AREA: "wetland"} if name in TARGETS else {}
    return on_days(values, {**attributes(name), **kept(opened(values, SITE_DAYS)), **area})


def _said(source: XMethaneWetSource) -> list[str]:
    if source.paper_compat:
        return [f"emissions were divided by {PAPER_DIVISOR:g}, as the published code does in pretraining"]
    return ["emissions are per area of wetland"]


def _named(simulation: Simulation, sites: Sequence[str]) -> Simulation:
    if not sites:
        return simulation
    there = simulation.site_ids
    for name in sites:
        if name not in there:
            raise UserError(f"data.sites: {name!r} is no cell that was read; {did_you_mean(name, there)}")
    return replace(simulation, cells=simulation.cells[np.isin(there, list(sites))])
