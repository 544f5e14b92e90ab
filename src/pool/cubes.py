"""One source becomes one cube on disk: whole in memory, or a year at a time where it would not fit."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

from ..atomic import replacing
from ..datamodules.cube import validate
from ..datamodules.sources import read
from ..datamodules.sources.account import account_of, kept, together
from ..datamodules.sources.gridded import read as gridded
from ..datamodules.sources.xmethanewet import cells as xmethanewet
from ..zarr_folder import with_text_as
from .plan import Entry

CHUNK = {"site": 512, "time": 366}


def write_cube(entry: Entry, root: Path, path: Path) -> None:
    """Read a source and write its cube, whole or not at all.

    Raises
    ------
    UserError
        The source cannot be read, or the disk does not take the cube.
    """
    with replacing(path) as partial:
        attributes: dict[str, Any] = {}
        accounts: dict[str, dict[str, int]] = {}
        for part in parts_of(entry, root):
            _append(part, partial, first=not attributes)
            attributes = dict(part.attrs)
            for name in map(str, part.data_vars):
                accounts[name] = together([accounts.get(name, {}), account_of(part[name])])
            del part  # the next is read before this name is given to it
        group = zarr.open_group(partial, mode="r+")
        group.attrs.update(attributes)
        for name, account in accounts.items():
            group[name].attrs.update(kept(account) if account else {})
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
            zarr.consolidate_metadata(partial)


def parts_of(entry: Entry, root: Path) -> Iterator[xr.Dataset]:
    """Return a source's cube in parts that follow one another in time."""
    by_year = BY_YEAR.get(entry.section.kind)
    if by_year is not None and getattr(entry.section, "face", "") != "towers":
        yield from map(validate, by_year(entry.section, root))
    else:
        yield read(entry.pair, entry.section, root).drop_vars("abs_lat")


def _append(part: xr.Dataset, path: Path, *, first: bool) -> None:
    if first:
        stored = with_text_as(np.object_, part)
        chunks = {
            name: {"chunks": tuple(min(CHUNK[str(dim)], part.sizes[dim]) for dim in part[name].dims)}
            for name in part.data_vars
        }
        stored.to_zarr(path, mode="w", zarr_format=3, consolidated=False, encoding=chunks)
        return
    in_time = part[[name for name in part.data_vars if "time" in part[name].dims]]
    in_time.drop_vars([name for name in in_time.coords if name != "time"]).to_zarr(
        path, append_dim="time", zarr_format=3, consolidated=False
    )


BY_YEAR: dict[str, Callable[[Any, Path], Iterator[xr.Dataset]]] = {
    "xmethanewet": xmethanewet.cells_by_year,
    "grid": gridded.cells_by_year,
}
