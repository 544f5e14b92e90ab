"""The annual series of X-MethaneWet: ``year value`` a line."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....errors import UserError


def read_annual(path: Path) -> Mapping[int, float]:
    """Read one value a year.

    Raises
    ------
    UserError
        The file is missing or no text, a line is not ``year value``, a year stands twice, or there is none.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; download it again") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as text ({error}); download it again") from None
    values: dict[int, float] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        year, value = _line(line, f"{path}, line {number}")
        if year in values:
            raise UserError(f"{path}, line {number}: the year {year} is there twice; keep one")
        values[year] = value
    if not values:
        raise UserError(f"{path}: holds no year; download it again")
    return values


def on_days(values: Mapping[int, float], days: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Return the value (day,) of each day's year; NaN where there is none."""
    years = days.astype("datetime64[Y]").astype(np.int64) + 1970
    return np.array([values.get(int(year), np.nan) for year in years])


def _line(line: str, where: str) -> tuple[int, float]:
    parts = line.replace(",", " ").split()
    try:
        year, value = int(float(parts[0])), float(parts[1])
    except (ValueError, IndexError, OverflowError):
        raise UserError(f"{where}: {line.strip()[:60]!r} is not 'year value'") from None
    if len(parts) != 2 or not np.isfinite(value) or not 1000 <= year <= 9999:
        raise UserError(f"{where}: {line.strip()[:60]!r} is not 'year value'")
    return year, value
