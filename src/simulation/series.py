"""Small tools on daily series (site, day): parameters as columns, memory, seasons of light."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Series = NDArray[np.float64]
Value = float | NDArray[np.float64]
"""A parameter: one number for all sites, or one a site (site,)."""


def column(value: Value) -> NDArray[np.float64]:
    """Parameter as a column (site or 1, 1) that broadcasts against (site, day)."""
    return np.reshape(np.asarray(value, np.float64), (-1, 1))


def lagged(series: Series, days: Value) -> Series:
    """Exponentially weighted past (site, day), today included, with an e-folding time of ``days``.

    It starts at the first known value; a missing day (NaN) leaves it as it was.
    """
    rows = np.ascontiguousarray(np.asarray(series, np.float64).T)
    take = np.broadcast_to(1.0 - np.exp(-1.0 / np.asarray(days, np.float64)), rows.shape[1:])
    out = np.empty_like(rows)
    known = np.isfinite(rows)
    first = rows[np.argmax(known, axis=0), np.arange(rows.shape[1])]
    state = np.where(known.any(axis=0), first, np.nan)
    for day in range(len(rows)):
        state = np.where(known[day], state + take * (rows[day] - state), state)
        out[day] = state
    return np.ascontiguousarray(out.T)


def ramp(series: Series, low: Value, high: Value) -> Series:
    """Linear rise (site, day) from 0 at ``low`` to 1 at ``high``, flat outside; falls where ``high < low``."""
    return np.clip((series - column(low)) / (column(high) - column(low)), 0.0, 1.0)


def day_length(lat: ArrayLike, day_of_year: ArrayLike) -> Series:
    """Hours from sunrise to sunset (FAO-56, eqs. 24, 25 and 34); arguments broadcast."""
    declination = 0.409 * np.sin(2.0 * np.pi * np.asarray(day_of_year, np.float64) / 365.0 - 1.39)
    cosine = -np.tan(np.deg2rad(np.asarray(lat, np.float64))) * np.tan(declination)
    return np.asarray(24.0 / np.pi * np.arccos(np.clip(cosine, -1.0, 1.0)))
