"""The cube: one daily `xarray.Dataset` (site, time) that every reader returns, and its Zarr folder.

Coordinates ``site_id``, ``lat``, ``lon`` stand on ``site``; drivers and targets are float32 (site, time), NaN where
missing; statics and classes stand on ``site``. Units are the canonical ones of `raciflux.variables`.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import UserError, did_you_mean
from ..variables import (
    CLASSES,
    DRIVERS,
    EXPECTED_SUFFIX,
    MEASURED_SUFFIX,
    PORTS_SUFFIX,
    QC_SUFFIX,
    SPREAD_SUFFIX,
    STATICS,
    TARGETS,
    Variable,
    lookup,
)
from ..zarr_folder import with_text_as, write_folder

UNKNOWN = "unknown"
SITE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
DIMS = ("site", "time")
CELL_SIZE = ("cell_height", "cell_width")  # coordinates (site) of a grid's cells, degrees from edge to edge


def check_site_id(name: str, where: str) -> None:
    """Refuse a site id that could leave its folder or break a file name."""
    if not SITE_ID.fullmatch(name):
        raise UserError(
            f"{where}: {name!r} is no site id; use letters, digits, '.', '_' and '-', starting with a letter or digit"
        )


def attributes(name: str) -> dict[str, str]:
    """CF attributes of a driver, target or static variable."""
    variable = lookup(name)
    standard = {"standard_name": variable.standard_name} if variable.standard_name else {}
    return {"units": variable.unit, "long_name": variable.long_name, **standard}


def validate(cube: xr.Dataset, where: str = "cube") -> xr.Dataset:
    """Check a cube against its conventions and return it, dimensions in order.

    Raises
    ------
    UserError
        A dimension, coordinate or unit is wrong, a site stands twice, a day is missing from the time axis, or a value
        is infinite.
    """
    checked = check_form(cube, where)
    for name in checked.data_vars:
        _check_finite(checked[str(name)], str(name), where)
    return checked


def check_form(cube: xr.Dataset, where: str = "cube") -> xr.Dataset:
    """Check all of a cube but its daily values, which need not be in memory, and return it, dimensions in order.

    Raises
    ------
    UserError
        As ``validate``, but for infinite values.
    """
    for dimension in DIMS:
        if dimension not in cube.dims:
            raise UserError(f"{where}: no dimension {dimension!r}; a cube has (site, time)")
        if cube.sizes[dimension] == 0:
            raise UserError(f"{where}: holds no {dimension}; nothing can be read from it")
    _check_places(cube, where)
    _check_days(cube, where)
    for name in cube.data_vars:
        _check_variable(cube[str(name)], str(name), where)
    return cube.transpose(*DIMS, ...)


def select_sites(cube: xr.Dataset, sites: Sequence[str], where: str = "cube") -> xr.Dataset:
    """Keep some sites, by id; none named keeps all.

    Raises
    ------
    UserError
        A named site is not in the cube.
    """
    if not sites:
        return cube
    there = [str(name) for name in cube["site_id"].to_numpy()]
    for name in sites:
        if name not in there:
            raise UserError(f"data.sites: {name!r} is not in {where}; {did_you_mean(name, there)}")
    return cube.isel(site=[there.index(name) for name in there if name in sites])


def cell_size(cube: xr.Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return height and width (site,) of a grid's cells, degrees; None where the sites of a cube are no cells."""
    if any(name not in cube.coords for name in CELL_SIZE):
        return None
    height, width = (cube[name].to_numpy().astype(np.float64) for name in CELL_SIZE)
    return height, width


def write_zarr(cube: xr.Dataset, path: Path) -> None:
    """Write a cube whole or not at all: to a folder beside ``path`` that is renamed at the end.

    Raises
    ------
    UserError
        ``path`` exists, or the disk refuses.
    """
    if path.exists():
        raise UserError(f"{path}: exists already; remove it or choose another name")
    write_folder(cube, path)


def read_zarr(path: Path) -> xr.Dataset:
    """Read a whole cube into memory.

    Raises
    ------
    UserError
        The folder is missing or damaged, or what it holds is no cube.
    """
    return validate(loaded(open_zarr(path)), str(path))


def open_zarr(path: Path) -> xr.Dataset:
    """Open a cube of which only coordinates and text are read; ``loaded`` reads the rest, or what is taken of it.

    Raises
    ------
    UserError
        The folder is missing or damaged, or what it holds has not the form of a cube.
    """
    if not path.is_dir():
        raise UserError(f"{path}: no such Zarr folder; check data.root and the path")
    with _damage_said(str(path)):
        opened = xr.open_zarr(path, chunks=None, consolidated=False, decode_timedelta=False)
        cube = with_text_as(np.str_, opened.assign_coords({name: opened[name].load() for name in opened.coords}))
    cube.encoding["source"] = str(path)
    return check_form(cube, str(path))


def loaded(cube: xr.Dataset) -> xr.Dataset:
    """Read into memory what is left to be read of a cube.

    Raises
    ------
    UserError
        The folder that it comes from is damaged.
    """
    with _damage_said(str(cube.encoding.get("source", "cube"))):
        return cube.load()


@contextmanager
def _damage_said(where: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # each codec and metadata parser raises its own kind
        raise UserError(
            f"{where}: cannot be read as Zarr ({' '.join(str(error).split())[:200]}); write it again"
        ) from None


def _check_places(cube: xr.Dataset, where: str) -> None:
    for name in ("site_id", "lat", "lon"):
        if name not in cube.coords or cube[name].dims != ("site",):
            raise UserError(f"{where}: no coordinate {name!r} on (site)")
    names = [str(name) for name in cube["site_id"].to_numpy()]
    for name in names:
        check_site_id(name, where)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"{where}: the site {twice!r} stands {names.count(twice)} times; keep one")
    for name, low, high in (("lat", -90, 90), ("lon", -180, 180)):
        values = cube[name].to_numpy()
        wrong = ~((values >= low) & (values <= high))  # so that NaN is wrong
        if wrong.any():
            first = int(np.argmax(wrong))
            raise UserError(
                f"{where}: {name} of the site {names[first]!r} is {values[first]:g}, expected {low} to {high}"
            )


def _check_days(cube: xr.Dataset, where: str) -> None:
    time = cube["time"]
    if time.dims != ("time",) or time.dtype.kind != "M":
        raise UserError(f"{where}: the coordinate 'time' must hold dates (datetime64) on (time)")
    days = time.to_numpy().astype("datetime64[D]")
    steps = np.diff(days).astype(int)
    if (steps != 1).any():
        first = int(np.argmax(steps != 1))
        raise UserError(f"{where}: time goes from {days[first]} to {days[first + 1]}; days must follow one another")
    if time.attrs.get("source_calendar") not in ("standard", "noleap"):
        raise UserError(f"{where}: time.attrs['source_calendar'] must say standard or noleap")


def _check_variable(values: xr.DataArray, name: str, where: str) -> None:
    """Check dimensions and unit of one variable of the cube."""
    if name in CLASSES:
        if values.dims != ("site",) or values.dtype.kind != "U":
            raise UserError(f"{where}: the class {name!r} must be text on (site)")
        return
    variable, dims = _expected(name, where)
    if set(values.dims) != set(dims) or values.dtype.kind != "f":
        raise UserError(f"{where}: {name!r} must be floating point on {dims}, found {values.dtype} on {values.dims}")
    if values.attrs.get("units") != variable.unit:
        raise UserError(f"{where}: units of {name!r} are {values.attrs.get('units')!r}, expected {variable.unit!r}")


def _check_finite(values: xr.DataArray, name: str, where: str) -> None:
    """Refuse infinite values of a variable (site, time) or (site,)."""
    infinite = np.isinf(values.to_numpy()) if values.dtype.kind == "f" else np.zeros(0, np.bool_)
    if infinite.any():
        first = np.unravel_index(int(np.argmax(infinite)), infinite.shape)
        place = " at ".join(str(values[dim].to_numpy()[i]) for dim, i in zip(("site_id", "time"), first, strict=False))
        raise UserError(f"{where}: {name!r} is infinite at {place}; correct it or mark it missing")


def _expected(name: str, where: str) -> tuple[Variable, tuple[str, ...]]:
    for suffix in (QC_SUFFIX, MEASURED_SUFFIX, EXPECTED_SUFFIX, SPREAD_SUFFIX, PORTS_SUFFIX):
        target = name.removesuffix(suffix)
        if target != name and target in TARGETS:
            number = Variable("1", "share of the day, or count", (0.0, np.inf))
            return (TARGETS[target] if suffix in (EXPECTED_SUFFIX, SPREAD_SUFFIX) else number), DIMS
    if name in STATICS:
        return STATICS[name], ("site",)
    if name in DRIVERS or name in TARGETS:
        return lookup(name), DIMS
    near = did_you_mean(name, [*DRIVERS, *TARGETS, *STATICS, *CLASSES])
    raise UserError(f"{where}: {name!r} is no variable of a cube; {near}")
