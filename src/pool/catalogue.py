"""The catalogue: one row for each source and site, and for each cell which tower is near."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import xarray as xr
from numpy.typing import NDArray

from ..datamodules.cube import CELL_SIZE
from ..datamodules.sources.account import UNIT, account_of
from ..datamodules.towers import is_grid
from ..geography import cells_that_hold, haversine_km
from ..variables import DRIVERS, STATICS, TARGETS, lookup

NEAR_KM = 50.0  # a cell this near to a tower shows its weather and perhaps its fluxes (docs/architecture.md, rule 6)
BLOCK = 366  # days read at once
CELLS_AT_ONCE = 10_000  # whose distances to all towers are held
DOI = re.compile(r"10\.\d{4,9}/[^\s,;)\]]+")


@dataclass(frozen=True)
class Written:
    """A source's cube on disk.

    Attributes
    ----------
    name : of the source. kind : of its reader. cube : Zarr folder, relative to the pool. checksum : of its input.
    attributes : of the cube. rows : of the catalogue, without ``near_tower``. grid : whether its sites are cells.
    accounts : what became of each driver's and target's values. units : of the files and of the cube, of each.
    """

    name: str
    kind: str
    cube: str
    checksum: str
    attributes: Mapping[str, str]
    rows: tuple[Mapping[str, Any], ...]
    grid: bool
    accounts: Mapping[str, Mapping[str, int]]
    units: Mapping[str, tuple[str, str]]


def described(name: str, kind: str, cube_path: Path, cube: str, checksum: str) -> Written:
    """Describe a cube that was written, reading one variable at a time."""
    with xr.open_zarr(cube_path, consolidated=True, chunks=None) as dataset:
        attributes = {key: str(value) for key, value in dataset.attrs.items()}
        grid = is_grid(dataset)
        known = [str(variable) for variable in dataset.data_vars if variable in {**DRIVERS, **TARGETS, **STATICS}]
        present = {name_: _present(dataset[name_]) for name_ in known if "time" in dataset[name_].dims}
        rows = _rows(dataset, present, known)
        accounts = {name_: account_of(dataset[name_]) for name_ in present}
        units = {name_: (str(dataset[name_].attrs.get(UNIT, "")), lookup(name_).unit) for name_ in present}
    about = {
        "source": name,
        "product": attributes.get("title", name),
        "licence": attributes.get("licence", ""),
        "citation": attributes.get("citation", ""),
        "doi": " ".join(DOI.findall(attributes.get("citation", ""))),
        "input_sha256": checksum,
        "cube": cube,
    }
    whole = tuple({**about, **row} for row in rows)
    return Written(name, kind, cube, checksum, attributes, whole, grid, accounts, units)


def table_of(written: Sequence[Written]) -> pl.DataFrame:
    """Return the whole catalogue; cells that hold a tower of any source, or have one within 50 km, name it."""
    rows = [dict(row) for each in written for row in each.rows]
    near = _near_towers(written)
    for row in rows:
        row["near_tower"], row["near_tower_km"] = near.get((row["source"], row["site_id"]), ("", None))
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(pl.col("near_tower_km").cast(pl.Float64))


def _present(values: xr.DataArray) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return number, first and last (site,) of the days with a value, -1 where there is none; a year at a time."""
    count, first, last = np.zeros(values.sizes["site"], np.int64), *np.full((2, values.sizes["site"]), -1)
    for begin in range(0, values.sizes["time"], BLOCK):
        there = np.isfinite(values.isel(time=slice(begin, begin + BLOCK)).transpose("site", "time").to_numpy())
        some = there.any(1)
        count += there.sum(1)
        first = np.where(some & (first < 0), begin + there.argmax(1), first)
        last = np.where(some, begin + there.shape[1] - 1 - there[:, ::-1].argmax(1), last)
    return count, first, last


def _rows(
    cube: xr.Dataset, present: Mapping[str, tuple[NDArray[np.int64], ...]], known: Sequence[str]
) -> list[dict[str, Any]]:
    time = cube["time"].to_numpy().astype("datetime64[D]")
    units = json.dumps({name: lookup(name).unit for name in sorted(known)}, sort_keys=True)
    lat, lon = cube["lat"].to_numpy(), cube["lon"].to_numpy()
    size = {name: cube[name].to_numpy() for name in CELL_SIZE if name in cube.coords}
    rows = []
    for place, site in enumerate(cube["site_id"].to_numpy().tolist()):
        days = {name: int(counts[place]) for name, (counts, _, _) in sorted(present.items()) if counts[place]}
        firsts = [int(first[place]) for _, first, _ in present.values() if first[place] >= 0]
        lasts = [int(last[place]) for _, _, last in present.values() if last[place] >= 0]
        rows.append(
            {
                "site_id": str(site),
                "lat": float(lat[place]),
                "lon": float(lon[place]),
                **{name: float(sizes[place]) for name, sizes in size.items()},
                "first_day": str(time[min(firsts)]) if firsts else "",
                "last_day": str(time[max(lasts)]) if lasts else "",
                "variables": " ".join(sorted(days)),
                "days": json.dumps(days, sort_keys=True),
                "units": units,
            }
        )
    return rows


def _near_towers(written: Sequence[Written]) -> dict[tuple[str, str], tuple[str, float]]:
    """Return the nearest tower and its distance, km, of each cell that holds one or has one within 50 km."""
    towers = [row for each in written if not each.grid for row in each.rows]
    if not towers:
        return {}
    made = {}
    of_towers = _positions(towers)
    for each in (source for source in written if source.grid):
        for begin in range(0, len(each.rows), CELLS_AT_ONCE):
            cells = each.rows[begin : begin + CELLS_AT_ONCE]
            lat, lon = _positions(cells)
            km = haversine_km(lat[:, None], lon[:, None], of_towers[0][None], of_towers[1][None])
            height, width = (np.array([row.get(name, 0.0) for row in cells]) for name in CELL_SIZE)
            there = (km <= NEAR_KM) | cells_that_hold(lat, lon, height, width, *of_towers)
            nearest = np.where(there, km, np.inf).argmin(1)
            for row in np.flatnonzero(there.any(1)).tolist():
                tower = towers[nearest[row]]
                name = f"{tower['source']}/{tower['site_id']}"
                made[each.name, str(cells[row]["site_id"])] = name, round(float(km[row, nearest[row]]), 3)
    return made


def _positions(rows: Sequence[Mapping[str, Any]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.array([row["lat"] for row in rows]), np.array([row["lon"] for row in rows])
