"""What a file is, and what would be read from it: said before anything is declared."""

from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import polars as pl
import xarray as xr

from ..datamodules.sources.agriculture.arrays import Numbers, read_array
from ..datamodules.sources.files import ROW, scan
from ..datamodules.sources.fluxnet.archives import Member, members
from ..datamodules.sources.fluxnet.columns import DRIVERS, FLUXES
from ..datamodules.sources.fluxnet.days import reading_of
from ..datamodules.sources.fluxnet.file_names import holds_site_facts, parse
from ..datamodules.sources.fluxnet.site_facts import read_site_facts
from ..datamodules.sources.fluxnet.steps import columns_of
from ..datamodules.sources.gridded.axes import axes_of, steps_of
from ..datamodules.sources.gridded.fields import ZARR, Part, are_months, open_file, refuse_more_dimensions
from ..datamodules.sources.gridded.page import Field
from ..datamodules.sources.xmethanewet import layout
from ..errors import UserError, did_you_mean

ENDINGS = (".csv", ".zip", ".parquet", ".nc", ".zarr", ".npy", ".sav", ".xlsx")
MOST = 12  # names that a line lists


def inspect(path: Path) -> list[str]:
    """Return lines that say what a file is and what would be read from it.

    Raises
    ------
    UserError
        There is no such file, it is damaged, or nothing here reads its kind.
    """
    if not path.exists():
        there = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        raise UserError(f"{path}: no such file; {did_you_mean(path.name, there)}")
    if path.is_dir() and path.suffix.lower() != ZARR:
        raise UserError(f"{path}: is a folder; name a file in it, such as {path / '*.zip'}")
    if path.suffix.lower() not in ENDINGS:
        raise UserError(f"{path}: nothing here reads {path.suffix or 'files without ending'!r}; {', '.join(ENDINGS)}")
    return list(_KINDS[path.suffix.lower()](path))


def _tables(path: Path) -> Iterator[str]:
    """Describe a CSV, or those inside a ZIP."""
    if path.suffix.lower() == ".csv" and holds_site_facts(path.name):
        yield from _facts(path)
        return
    inside = members(path)
    if not inside:
        yield f"{path.name}: holds no table; unpack it and inspect what is in it"
    for member in inside:
        name = parse(member.name)
        if name is not None:
            yield from _network(member)
        elif path.suffix.lower() == ".csv":
            yield from _table(path)
        else:
            yield f"{member.name}: not named as the flux networks name their files; unpack it and inspect it"


def _network(member: Member) -> Iterator[str]:
    name = parse(member.name)
    assert name is not None
    steps = {"HH": "half-hours", "HR": "hours", "DD": "days"}[name.resolution]
    yield f"{member.name}: {name.product} of {name.site}, {steps}, release {name.version or 'without a version'}"
    yield f"  reads with: data.source={{kind: fluxnet, path: {member.path.name}}}, and the network's BIF beside it"
    with member.as_file() as table:
        reading = reading_of(set(columns_of(table, name, member.where)), name)
    known = {**DRIVERS, **FLUXES}
    for variable, column in reading.column.items():
        quality = f", quality from {reading.quality[variable]}" if variable in reading.quality else ""
        yield f"  {variable:8} from {column} [{known[variable].unit_at(name.resolution)}]{quality}"


def _facts(path: Path) -> Iterator[str]:
    facts, notes = read_site_facts([path])
    yield f"{path.name}: site facts (BIF) of {len(facts)} sites: {_some(sorted(facts))}"
    yield from (f"  {note}" for note in notes[:MOST])


def _table(path: Path) -> Iterator[str]:
    table = scan(path)
    columns = [name for name in table.collect_schema().names() if name != ROW]
    rows = int(table.select(pl.len()).collect().item())
    if path.name == layout.DAILY_TABLE:
        yield f"{path.name}: the towers of X-MethaneWet, {rows:,} days; reads with: data.source={{kind: xmethanewet}}"
        return
    yield f"{path.name}: a table of {rows:,} rows x {len(columns)} columns: {_some(columns)}"
    yield "  reads with a column map: docs/add_a_source.md"
    meant = {variable: known for variable, known in {**DRIVERS, **FLUXES}.items() if set(known.names) & set(columns)}
    for variable, known in meant.items():
        column = next(name for name in known.names if name in columns)
        yield f"    {variable}: {{column: {column}, unit: ...}}"


def _grid(path: Path) -> Iterator[str]:
    with open_file(path) as dataset:
        yield f"{path.name}: {len(dataset.data_vars)} variables on a grid; reads with a page: docs/gridded_products.md"
        for name in dataset.data_vars:
            yield from _field(path, dataset, str(name))


def _field(path: Path, dataset: xr.Dataset, name: str) -> Iterator[str]:
    field = dataset[name]
    unit = field.attrs.get("units", "no unit stated")
    shape = " x ".join(f"{size} {dim}" for dim, size in field.sizes.items())
    grids = (*layout.DAILY, layout.PRODUCTION, layout.EMISSION, *layout.STATICS)
    own = [grid for grid in grids if grid.name == name and fnmatch(path.name, grid.file.format(year="[0-9]*"))]
    if own:
        yield f"  {name} [{unit}], {shape}: {own[0].variable} of X-MethaneWet's grids"
        return
    try:
        axes = axes_of(field, f"{path}: {name}")
        steps = steps_of(field, dataset, Field(name), f"{path}: {name}")
        refuse_more_dimensions(field, axes, steps, f"{path}: {name}")
        kind = "months" if are_months([Part(path, dataset, steps)], Field(name)) else "days"
    except UserError as error:
        yield f"  {name} [{unit}], {shape}: not as it is: {error}"
        return
    where = f"{axes.shape[0]} x {axes.shape[1]} cells"
    if steps is None:
        yield f"  {name} [{unit}], {where}: a map"
        return
    yield f"  {name} [{unit}], {where}: {len(steps.month)} {kind}, {steps.month[0]} to {steps.month[-1]}"


def _array(path: Path) -> Iterator[str]:
    values = _readable(path)
    known = f"{np.isfinite(values).mean():.0%} known" if values.size else "empty"
    yield f"{path.name}: numbers of shape {values.shape}, {known}; AgroFlux's read with: data.source={{kind: agroflux}}"


def _readable(path: Path) -> Numbers:
    """Return an array of one to three dimensions."""
    for dimensions in (1, 2):
        try:
            return read_array(path, dimensions)
        except UserError as error:
            if "expected numbers in" not in str(error):
                raise
    return read_array(path, 3)


def _saved(path: Path) -> Iterator[str]:
    yield f"{path.name}: a serialised dictionary; PyKGML's read with: data.source={{kind: pykgml, path: ...}}"


_KINDS: dict[str, Callable[[Path], Iterator[str]]] = {
    ".csv": _tables,
    ".zip": _tables,
    ".parquet": _table,
    ".nc": _grid,
    ".zarr": _grid,
    ".npy": _array,
    ".sav": _saved,
    ".xlsx": _facts,
}


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return f"{', '.join(names[:MOST])}{more}"
