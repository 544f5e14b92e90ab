"""Some sources of a pool as one cube: their sites beside each other, over the days of all."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from ...config.sources import PoolSource
from ...errors import UserError, did_you_mean
from ...json_strict import read_object
from ...variables import TARGETS
from ..cube import read_zarr, select_sites
from .assemble import AREA, described
from .beside import side_by_side

CURRENT, CATALOGUE = "current", "catalogue.json"


def read(_pair: str, source: PoolSource, root: Path, sites: Sequence[str]) -> xr.Dataset:
    """Read the sources that ``take`` names, or all; a variable that one of them lacks is left out.

    Raises
    ------
    UserError
        There is no such pool or source, towers are taken together with cells, or the sources share no variable.
    """
    folder = root / source.path
    listed = _sources(folder)
    for name in source.take:
        if name not in listed:
            raise UserError(f"data.*.take: {name!r} is not in {folder}; {did_you_mean(name, listed)}")
    taken = source.take or list(listed)
    cubes = {name: read_zarr(folder / str(listed[name]["cube"])) for name in taken}
    if len({cube.attrs.get("places", "") for cube in cubes.values()}) > 1:
        raise UserError(f"data.*.take: {', '.join(taken)}: towers and cells of a grid; take one kind at a time")
    return select_sites(_beside(cubes, folder), sites, str(folder))


def _sources(folder: Path) -> Mapping[str, Mapping[str, object]]:
    path = folder / CURRENT / CATALOGUE
    if not path.is_file():
        raise UserError(f"{folder}: is no pool; build it with scripts/harmonise.py, or check data.root and the path")
    sources = read_object(path, ("sources",), "build the pool again").get("sources")
    if not isinstance(sources, dict) or not all(isinstance(each, dict) and "cube" in each for each in sources.values()):
        raise UserError(f"{path}: names no sources; build the pool again")
    return sources


def _beside(cubes: Mapping[str, xr.Dataset], folder: Path) -> xr.Dataset:
    """Join cubes along their sites; a site id that several have is led by the name of its source."""
    _refuse_mixed_areas(cubes, folder)
    shared = set.intersection(*({str(name) for name in cube.data_vars} for cube in cubes.values()))
    if not shared:
        raise UserError(f"{folder}: {', '.join(cubes)} share no variable; take fewer sources")
    counts = Counter(str(site) for cube in cubes.values() for site in cube["site_id"].to_numpy())
    parts, notes = [], []
    for name, cube in cubes.items():
        names = [f"{name}.{site}" if counts[str(site)] > 1 else str(site) for site in cube["site_id"].to_numpy()]
        parts.append(cube[sorted(shared)].assign_coords(site_id=("site", np.array(names), cube["site_id"].attrs)))
        left_out = sorted({str(each) for each in cube.data_vars} - shared)
        notes += [f"{name}: {', '.join(left_out)} left out, not all sources have them"] if left_out else []
        notes += [f"{name}: {line}" for line in str(cube.attrs.get("reading_notes", "")).split("\n") if line]
    joined = side_by_side(parts)
    told = {key: "; ".join(_once(cubes, key)) for key in ("title", "licence", "citation")}
    joined.attrs = described(told["title"], "", told["licence"], told["citation"], notes)
    return joined.assign_attrs({"places": "cells"} if all("places" in cube.attrs for cube in cubes.values()) else {})


def _refuse_mixed_areas(cubes: Mapping[str, xr.Dataset], folder: Path) -> None:
    """Refuse cells whose fluxes are of different areas: they differ by how much of a cell is wetland."""
    for flux in TARGETS:
        of_cells = {name: cube[flux].attrs.get(AREA) for name, cube in cubes.items() if flux in cube}
        areas = {name: str(area) for name, area in of_cells.items() if area is not None}
        if len(set(areas.values())) > 1:
            said = ", ".join(f"per area of {area} in {name}" for name, area in areas.items())
            raise UserError(
                f"{folder}: {flux} is {said}; give each a wetland_fraction in its page, or take one of them"
            )


def _once(cubes: Mapping[str, xr.Dataset], key: str) -> list[str]:
    return list(dict.fromkeys(str(cube.attrs.get(key, "")) for cube in cubes.values()))
