"""The FLUXNET-CH4 towers of X-MethaneWet: their days, and the grid cells that they stand in.

Soils, net primary production and, in the paper, radiation come from the cell; the rest of the weather from the tower.
The corrected reading takes a tower's own radiation where it has it, the cell that holds the tower, and 29 Februaries;
and it says which days were measured.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import xarray as xr
from numpy.typing import NDArray

from ....config.sources import XMethaneWetSource
from ....errors import UserError, did_you_mean
from ....vapour import vapour_pressure
from ....variables import MEASURED_SUFFIX, QC_SUFFIX
from ...cube import UNKNOWN, attributes
from ..assemble import coordinates, described, on_days, plausible_days, share_of
from ..real_days import is_leap_day
from . import annual, months
from .grids import Cells, Grids
from .layout import (
    CARBON_DIOXIDE_IN_AIR,
    CITATION,
    DAILY_TABLE,
    GRIDS,
    LICENCE,
    METHANE_IN_AIR,
    PRODUCTION,
    SHORTWAVE,
    SITE_TABLE,
    STATICS,
    TOWERS,
    TOWERS_PRODUCT,
    units_of,
)
from .places import cell_of, maps_at, nearest_with_data
from .tower_tables import Sites, read_days, read_sites

WEATHER = {"TA_F": "TA", "VPD_F": "VPD", "P_F": "P"}
RADIATION, FILLED, MEASURED, SHARE = "SW_IN_F", "FCH4_F_ANNOPTLM", "FCH4", "FCH4_F_ANNOPTLM_QC"

Values = NDArray[np.floating]
Days = NDArray[np.datetime64]


def read_towers(source: XMethaneWetSource, root: Path, wanted: Sequence[str]) -> xr.Dataset:
    """Read the towers into memory.

    Raises
    ------
    UserError
        A file is missing or damaged, a cell of a table is wrong, a site is not in the site table, or no grid cell with
        data is near a tower.
    """
    folder = root / source.path
    path = folder / TOWERS / DAILY_TABLE
    table = read_days(path, (*WEATHER, FILLED), (RADIATION, MEASURED, SHARE))
    names = [str(name) for name in table["site"].unique(maintain_order=True)]
    for name in wanted:
        if name not in names:
            raise UserError(f"data.sites: {name!r} is not in {path}; {did_you_mean(name, names)}")
    sites = read_sites(folder / TOWERS / SITE_TABLE, [name for name in names if not wanted or name in wanted])
    table = table.filter(pl.col("site").is_in(sites.names))
    begin, end = (np.datetime64(str(day)) for day in (table["day"].min(), table["day"].max()))
    days = np.arange(begin, end + 1)
    own = _dense(table, sites.names, begin, len(days))
    grids = Grids(folder / GRIDS, units_of(source.units))
    notes: list[str] = []
    cells = _cells(grids, sites, source, notes)
    variables = _inputs(own, grids, cells, days, source.paper_compat)
    variables["FCH4"] = own[FILLED]
    if source.paper_compat:  # its years have 365 days
        variables["FCH4"] = np.where(is_leap_day(days), np.nan, own[FILLED])
    masked = {name: plausible_days(name, values, notes) for name, values in variables.items()}
    fixed = {**maps_at(grids, cells), **_told(sites)}
    cube = xr.Dataset(
        {**masked, **_quality(own, notes), **fixed},
        coordinates(sites.names, sites.lat, sites.lon, begin, len(days), "standard"),
    )
    return cube.assign_attrs(described(TOWERS_PRODUCT, "", LICENCE, CITATION, [*notes, *grids.notes]))


def _dense(table: pl.DataFrame, names: list[str], begin: np.datetime64, length: int) -> dict[str, Values]:
    """Return each column as (site, day)."""
    place = {name: row for row, name in enumerate(names)}
    row = np.array([place[name] for name in table["site"]], np.int64)
    day = (table["day"].to_numpy().astype("datetime64[D]") - begin).astype(np.int64)
    made = {}
    for column in table.columns[2:]:
        made[column] = np.full((len(names), length), np.nan)
        made[column][row, day] = table[column].to_numpy().astype(np.float64)
    return made


def _cells(grids: Grids, sites: Sites, source: XMethaneWetSource, notes: list[str]) -> Cells:
    shape = grids.shape_of(STATICS[0])
    own = cell_of(sites.lat, sites.lon, shape, paper=source.paper_compat)
    if source.paper_compat:
        return own
    every = np.arange(shape[0] * shape[1])
    there = np.isfinite(grids.values(STATICS[0], 0, every)) & np.isfinite(grids.values(STATICS[2], 0, every))
    cells = nearest_with_data(sites.lat, sites.lon, shape, there)
    for name, found, cell in zip(sites.names, cells.tolist(), own.tolist(), strict=True):
        if found < 0:
            raise UserError(
                f"{grids.folder}: no cell with data lies near the site {name!r}; leave it out of data.sites"
            )
        if found != cell:
            notes.append(f"{name}: its cell has no data, the nearest that has was taken")
    return cells


def _inputs(own: Mapping[str, Values], grids: Grids, cells: Cells, days: Days, paper: bool) -> dict[str, Values]:
    """Return drivers (site, day): the tower's, and its cell's in the years that the grids have."""
    made = {variable: own[column] for column, variable in WEATHER.items()}
    radiation, production = (np.full(own[FILLED].shape, np.nan) for _ in range(2))
    for year in np.unique(days.astype("datetime64[Y]").astype(np.int64) + 1970).tolist():
        if not (grids.folder / SHORTWAVE.file.format(year=year)).is_file():
            continue
        of_year = days.astype("datetime64[Y]").astype(np.int64) + 1970 == year
        radiation[:, of_year] = months.on_days(grids.values(SHORTWAVE, year, cells), days[of_year])
        production[:, of_year] = months.repeated(grids.values(PRODUCTION, year, cells), days[of_year])
    if not paper:
        radiation = _across_leap_days(radiation, days)
        tower = own.get(RADIATION, np.full(radiation.shape, np.nan))
        radiation = np.where(np.isfinite(tower), tower, radiation)
    air = {
        "CH4_AIR": annual.on_days(annual.read_annual(grids.folder / METHANE_IN_AIR), days),
        "CO2": annual.on_days(annual.read_annual(grids.folder / CARBON_DIOXIDE_IN_AIR), days),
    }
    made |= {"SW": radiation, "NPP": production}
    made |= {name: np.broadcast_to(values, radiation.shape) for name, values in air.items()}
    if paper:
        made["VP"] = vapour_pressure(made["TA"], made.pop("VPD"))
    return made


def _across_leap_days(values: Values, days: Days) -> Values:
    """Give a 29 February the mean of its neighbours: the grids have none."""
    filled = values.copy()
    for place in np.flatnonzero(is_leap_day(days)):
        near = values[:, max(place - 1, 0) : place + 2]
        known = np.isfinite(near)
        filled[:, place] = np.where(known.any(1), np.nan_to_num(near).sum(1) / np.maximum(known.sum(1), 1), np.nan)
    return filled


def _quality(own: Mapping[str, Values], notes: list[str]) -> dict[str, xr.DataArray]:
    """Return the shares of each day: told by the table, or whole where the column of measured days has a value."""
    if SHARE in own:
        share = np.where((own[SHARE] >= 0) & (own[SHARE] <= 1), own[SHARE], np.nan)
        words = f"{SHARE} is the share of each day that was measured"
    elif MEASURED in own:
        share = np.isfinite(own[MEASURED]).astype(np.float64)
        words = f"days with a value of {MEASURED} count as measured; the table does not say how much of them was"
    else:
        notes.append("the table does not say which days were measured; take data.quality=published")
        return {}
    notes.append(words)
    shares = {suffix: on_days(share, share_of("FCH4", "share of the day measured")) for suffix in _SUFFIXES}
    return {"FCH4" + suffix: values for suffix, values in shares.items()}


_SUFFIXES = (QC_SUFFIX, MEASURED_SUFFIX)


def _told(sites: Sites) -> dict[str, xr.DataArray]:
    """Return what the site table tells, which counts before the maps."""
    made = {
        name: xr.DataArray(values.astype(np.float32), dims="site", attrs=attributes(name))
        for name, values in sites.told.items()
        if name != "elevation" and np.isfinite(values).any()
    }
    if any(sites.igbp):
        names = np.array([name or UNKNOWN for name in sites.igbp])
        made["igbp"] = xr.DataArray(names, dims="site", attrs={"long_name": "IGBP land cover"})
    return made
