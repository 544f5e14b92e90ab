"""One variable of a product: its files opened lazily, and its steps read one month at a time."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ....errors import UserError, did_you_mean
from .axes import Axes, Steps, axes_of, steps_of
from .page import Field

ZARR = ".zarr"
SAME = 1e-6  # degrees by which the grids of a variable's files may differ

Values = NDArray[np.floating]


@dataclass(frozen=True)
class Part:
    """One file, or one Zarr store, of a variable; ``steps`` is None where it has no time axis."""

    path: Path
    dataset: xr.Dataset
    steps: Steps | None


@dataclass(frozen=True)
class Variable:
    """A variable over all its files.

    Attributes
    ----------
    unit : declared, or else stated by the files; empty where neither tells.
    monthly : whether no month has two steps: then they are months, whatever day they are dated.
    """

    name: str
    declared: Field
    axes: Axes
    parts: tuple[Part, ...]
    unit: str
    missing: tuple[float, ...]
    monthly: bool

    @property
    def is_static(self) -> bool:
        """Whether it has no time axis."""
        return self.parts[0].steps is None

    @property
    def no_leap(self) -> bool:
        """Whether its calendar has 365 days."""
        return any(part.steps is not None and part.steps.no_leap for part in self.parts)

    def steps_in(self, month: np.datetime64) -> tuple[Values, NDArray[np.datetime64] | None]:
        """Return the steps (step, row, column) of one month, and their days; one step and None of monthly data."""
        found = []
        for part in self.parts:
            if part.steps is None:
                return self._read(part, None), None
            at = np.flatnonzero(part.steps.month == month)
            if len(at):
                days = part.steps.day[at] if part.steps.day is not None and not self.monthly else None
                found.append((self._read(part, at), days))
        if not found:
            return np.zeros((0, *self.axes.shape), np.float32), None
        values = np.concatenate([each for each, _ in found])
        return values, None if self.monthly else np.concatenate([days for _, days in found if days is not None])

    def _read(self, part: Part, at: NDArray[np.int64] | None) -> Values:
        """Return some steps (step, row, column) from the south-west, NaN where missing."""
        field = part.dataset[self.declared.name]
        with readable(part.path):
            if at is not None:
                assert part.steps is not None
                field = field.isel({part.steps.dimension: at})
                field = field.transpose(part.steps.dimension, self.axes.lat, self.axes.lon, ...)
            else:
                field = field.transpose(self.axes.lat, self.axes.lon, ...)
            values = field.to_numpy().astype(np.float32)
        values = values.reshape(-1, *self.axes.shape)[:, self.axes.rows][:, :, self.axes.columns]
        for code in self.missing:
            values[values == np.float32(code)] = np.nan
        values[~np.isfinite(values)] = np.nan
        return -values if self.declared.negate else values


@contextmanager
def open_variable(name: str, declared: Field, folder: Path, missing: tuple[float, ...]) -> Iterator[Variable]:
    """Open a variable's files without reading its values, and close them at the end.

    Raises
    ------
    UserError
        No file matches, one is damaged or lacks the variable, axes cannot be read, or files differ in their grids.
    """
    with ExitStack() as held:
        paths = _paths(folder, declared)
        parts, axes, unit = [], None, declared.unit
        for path in paths:
            dataset = held.enter_context(open_file(path))
            if declared.name not in dataset.data_vars:
                known = [str(each) for each in dataset.data_vars]
                raise UserError(f"{path}: no variable {declared.name!r}; {did_you_mean(declared.name, known)}")
            field = dataset[declared.name]
            if field.dtype.kind not in "fiu":
                raise UserError(f"{path}: {declared.name} holds {field.dtype}, expected numbers")
            of_file = axes_of(field, f"{path}: {declared.name}")
            axes = axes or of_file
            if not _alike(axes, of_file):
                raise UserError(
                    f"{path}: {declared.name} is on another grid than in {paths[0].name}; regrid one of them"
                )
            steps = steps_of(field, dataset, declared, f"{path}: {declared.name}")
            refuse_more_dimensions(field, axes, steps, f"{path}: {declared.name}")
            unit = unit or str(field.attrs.get("units", "")).strip()
            parts.append(Part(path, dataset, steps))
        assert axes is not None
        if len(parts) > 1 and any(part.steps is None for part in parts):
            raise UserError(f"{parts[0].path}: {declared.name} has no time axis but several files; name one in 'files'")
        yield Variable(name, declared, axes, tuple(parts), unit, missing, are_months(parts, declared))


def are_months(parts: Sequence[Part], declared: Field) -> bool:
    """Whether steps are months: told by all files together, since each may hold one step.

    Raises
    ------
    UserError
        They are neither months nor real days, each once, or are means of several.
    """
    steps = [part.steps for part in parts if part.steps is not None]
    if declared.first is not None or not steps:
        return declared.first is None or declared.first.step == "month"
    months = np.concatenate([each.month for each in steps])
    where = f"{parts[0].path}: {declared.name}"
    if len(np.unique(months)) == len(months):
        _refuse_apart(months, "month", where)
        return True
    days = [each.day for each in steps if each.day is not None]
    if len(days) < len(steps):
        raise UserError(f"{where}: days of a 360-day calendar are no real days; give monthly means")
    if len(np.unique(np.concatenate(days))) < len(months):
        raise UserError(f"{where}: several steps a day, or a day in several files; take daily means, each once")
    _refuse_apart(np.concatenate(days), "day", where)
    return False


def _refuse_apart(steps: NDArray[np.datetime64], unit: str, where: str) -> None:
    """Refuse steps of which no two are neighbours: the mean of a year would stand for a month, of 8 days for a day."""
    apart = int(np.diff(np.unique(steps)).min().astype(int)) if len(steps) > 1 else 1
    if apart > 1:
        raise UserError(f"{where}: its steps are {apart} {unit}s apart; give means of days or of months")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn whatever a library says of a damaged file into one line."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # each format, codec and parser raises its own kinds
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{path}: cannot be read ({reason}); it may be cut off: fetch or write it again") from None


def _paths(folder: Path, declared: Field) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; check data.root (or RACIFLUX_DATA) and the path")
    paths = sorted(path for path in folder.glob(declared.files) if path.is_file() or path.suffix == ZARR)
    if not paths:
        there = [path.name for path in folder.iterdir()]
        raise UserError(f"{folder}: no file {declared.files!r}; {did_you_mean(declared.files, there)}")
    return paths


def open_file(path: Path) -> xr.Dataset:
    """Open a NetCDF file or a Zarr store without reading its values.

    Raises
    ------
    UserError
        If it is damaged.
    """
    with readable(path):
        if path.is_dir():
            store: xr.Dataset = xr.open_zarr(path, consolidated=False, chunks=None, decode_times=False)
            return store
        return xr.open_dataset(path, engine="netcdf4", decode_times=False)


def _alike(one: Axes, other: Axes) -> bool:
    return (
        one.shape == other.shape
        and all(
            np.allclose(a, b, atol=SAME, rtol=0)
            for a, b in ((one.lat_edges, other.lat_edges), (one.lon_edges, other.lon_edges))
        )
        and bool((one.rows == other.rows).all() and (one.columns == other.columns).all())
    )


def refuse_more_dimensions(field: xr.DataArray, axes: Axes, steps: Steps | None, where: str) -> None:
    """Refuse a field of levels, members or sectors.

    Raises
    ------
    UserError
        It has a dimension besides steps, rows and columns.
    """
    expected = {axes.lat, axes.lon} | ({steps.dimension} if steps else set())
    more = [str(name) for name in field.dims if name not in expected and field.sizes[name] > 1]
    if more:
        raise UserError(
            f"{where}: has the dimension {more[0]!r} of {field.sizes[more[0]]}; write one of them to a file"
        )
