"""A grid file of X-MethaneWet: opened, checked, and read for some cells.

Row 0 is the south, column 0 begins at 180 degrees west. The files say so nowhere; one that does carry latitudes which
fall is turned round.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from ....errors import UserError, did_you_mean
from ..assemble import plausible
from ..units import PER_MONTH, to_canonical
from .layout import Grid
from .months import LENGTHS

MONTHS, LONGEST_MONTH = len(LENGTHS), max(LENGTHS)
MOST_CELLS = 4320 * 8640  # 2.5 minutes: a header that claims more is damaged
NO_DATA = (-9999.0, -999.0)  # besides what the file's attributes call missing
HUGE = 1e19  # old fill values, 1e20 and 9.97e36
LATITUDES = ("lat", "latitude")

Values = NDArray[np.floating]
Cells = NDArray[np.int64]


@dataclass
class Grids:
    """The grids of one folder; all have one shape.

    Attributes
    ----------
    folder : with the files.
    units : given by the user, by name of the variable in the files.
    notes : what was assumed or masked while reading, each once.
    """

    folder: Path
    units: Mapping[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _shape: tuple[int, int] | None = None

    def shape_of(self, grid: Grid, year: int = 0) -> tuple[int, int]:
        """Return rows and columns of a file, and so of all."""
        path = self._path(grid, year)
        with _opened(path) as file:
            return self._checked_shape(_variable(file, grid.name, path), grid, path)

    def values(self, grid: Grid, year: int, cells: Cells) -> Values:
        """Return a variable (cell, ...) of some cells in the unit of the house, NaN where missing or implausible.

        What the files give as a sum over the month becomes a mean over the days of the month.

        Parameters
        ----------
        year : of a file a year; any for the others.
        cells : row times the number of columns, plus column, from the south-west.

        Raises
        ------
        UserError
            The file is missing or damaged, its shape is not that of its kind or its siblings, or its unit is unknown.
        """
        path = self._path(grid, year)
        raw, stated = self._read(grid, path, cells)
        unit = self.units.get(grid.name) or stated or grid.unit
        if not (stated or grid.name in self.units or grid.unit == "1"):
            self._note(f"{grid.name}: the files state no unit, {grid.unit} is assumed; see data.source.units")
        convert = to_canonical(grid.variable, unit.replace(PER_MONTH, " d-1"), f"{path}: {grid.name}")
        if unit.endswith(PER_MONTH):
            raw = raw / np.array(LENGTHS)
        masked: list[str] = []
        values = plausible(grid.variable, convert(raw), masked)
        for line in masked:
            self._note(f"{path.name}: {line}")
        return values

    def codes(self, grid: Grid, cells: Cells) -> Cells:
        """Return the class codes (cell,) of some cells, -1 where there is none.

        Raises
        ------
        UserError
            As ``values``; or a code is no whole number.
        """
        path = self._path(grid, 0)
        raw, _ = self._read(grid, path, cells)
        known = np.isfinite(raw)
        broken = raw[known & (np.nan_to_num(raw) % 1 != 0)]
        if len(broken):
            raise UserError(f"{path}: {grid.name} is {broken[0]:g} in a cell, expected whole codes; download it again")
        return np.where(known, np.nan_to_num(raw), -1).astype(np.int64)

    def _path(self, grid: Grid, year: int) -> Path:
        return self.folder / grid.file.format(year=year)

    def filled(self, grid: Grid, year: int) -> NDArray[np.bool_]:
        """Mask (cell,) of the cells that have any value but zero."""
        raw = self._whole(grid, self._path(grid, year))
        there = []
        for row in raw.values:  # row by row, to spare memory
            values = raw.physical(row)
            there.append((np.isfinite(values) & (values != 0)).any(tuple(range(1, row.ndim))))
        return np.concatenate(there)

    def _read(self, grid: Grid, path: Path, cells: Cells) -> tuple[Values, str]:
        """Return values (cell, ...) in the file's unit, and that unit; empty where it states none."""
        raw = self._whole(grid, path)
        rows, columns, *rest = raw.values.shape
        return raw.physical(raw.values.reshape(rows * columns, *rest)[cells]), raw.unit

    def _whole(self, grid: Grid, path: Path) -> "_Raw":
        """Return a whole file as it is stored, row 0 in the south."""
        with _opened(path) as file:
            variable = _variable(file, grid.name, path)
            shape = self._checked_shape(variable, grid, path)
            raw = _Raw.of(variable)
            falling = _latitudes_fall(file, shape[0])
        if falling:
            self._note(f"{path.name}: latitudes fall in the file; its rows were turned round")
            raw = replace(raw, values=raw.values[::-1])
        return raw

    def _checked_shape(self, variable: "netCDF4.Variable[Any]", grid: Grid, path: Path) -> tuple[int, int]:
        rows, columns = variable.shape[:2] if variable.ndim >= 2 else (0, 0)
        rest = _rest_of(grid)
        if variable.shape != (rows, columns, *rest) or columns != 2 * rows or not 0 < rows * columns <= MOST_CELLS:
            expected = ", ".join(["n", "2n", *map(str, rest)])
            raise UserError(f"{path}: {grid.name} has the shape {variable.shape}, expected ({expected})")
        if variable.dtype.kind not in "fiu":
            raise UserError(f"{path}: {grid.name} holds {variable.dtype}, expected numbers; download it again")
        self._shape = self._shape or (rows, columns)
        if self._shape != (rows, columns):
            raise UserError(
                f"{path}: has {rows} x {columns} cells, other grids beside it {self._shape[0]} x {self._shape[1]}; "
                "download it again"
            )
        return rows, columns

    def _note(self, line: str) -> None:
        if line not in self.notes:
            self.notes.append(line)


@dataclass(frozen=True)
class _Raw:
    """A variable as it is stored; masking it as a whole would need half as much memory again.

    Attributes
    ----------
    values : (row, column, ...). missing : codes of what is missing, as stored. scale, offset : to physical values.
    """

    values: NDArray[Any]
    unit: str
    missing: tuple[float, ...]
    scale: float
    offset: float

    @classmethod
    def of(cls, variable: "netCDF4.Variable[Any]") -> "_Raw":
        variable.set_auto_maskandscale(False)
        attributes = {name: variable.getncattr(name) for name in variable.ncattrs()}
        codes = [np.atleast_1d(attributes[name]) for name in ("_FillValue", "missing_value") if name in attributes]
        missing = tuple(float(code) for each in codes for code in each)
        scale, offset = (float(attributes.get(name, default)) for name, default in _PACKING)
        return cls(np.asarray(variable[:]), str(attributes.get("units", "")).strip(), missing, scale, offset)

    def physical(self, values: NDArray[Any]) -> Values:
        """Return some of the values as float32, NaN where missing."""
        made = values.astype(np.float32)
        for code in (*self.missing, *NO_DATA):
            made[made == np.float32(code)] = np.nan
        made[np.abs(made) > HUGE] = np.nan
        return (
            made if (self.scale, self.offset) == (1.0, 0.0) else made * np.float32(self.scale) + np.float32(self.offset)
        )


_PACKING = (("scale_factor", 1.0), ("add_offset", 0.0))


def _rest_of(grid: Grid) -> tuple[int, ...]:
    """Return the dimensions beside row and column: days in a month of a month of the year, or months, or none."""
    if "{year}" not in grid.file:
        return ()
    return (MONTHS,) if grid.file.startswith("monthly") else (MONTHS, LONGEST_MONTH)


@contextmanager
def _opened(path: Path) -> Iterator[netCDF4.Dataset]:
    if not path.is_file():
        there = [file.name for file in path.parent.glob("*.nc")] if path.parent.is_dir() else []
        raise UserError(f"{path}: no such file; {did_you_mean(path.name, there)}")
    try:
        with netCDF4.Dataset(path) as file:
            yield file
    except (OSError, RuntimeError, ValueError, UnicodeDecodeError, MemoryError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{path}: cannot be read as NetCDF ({reason}); it may be cut off: download it again") from None


def _variable(file: netCDF4.Dataset, name: str, path: Path) -> "netCDF4.Variable[Any]":
    if name not in file.variables:
        raise UserError(f"{path}: no variable {name!r}; {did_you_mean(name, list(file.variables))}")
    return file.variables[name]


def _latitudes_fall(file: netCDF4.Dataset, rows: int) -> bool:
    for name in LATITUDES:
        if name in file.variables and file.variables[name].shape == (rows,):
            lat = np.ma.filled(file.variables[name][:].astype(np.float64), np.nan)
            return bool(lat[0] > lat[-1])
    return False
