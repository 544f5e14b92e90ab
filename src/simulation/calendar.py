"""The days of the embedded world: the standard calendar, leap days and all."""

import numpy as np
from numpy.typing import NDArray

DAYS_A_YEAR = 365.25


def days_of(first_year: int, years: int) -> NDArray[np.datetime64]:
    """Every day (day,) of the years from the first of January of ``first_year``."""
    return np.arange(f"{first_year:04d}-01-01", f"{first_year + years:04d}-01-01", dtype="datetime64[D]")


def day_of_year(days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Day of the year (day,), 1 to 366."""
    return np.asarray((days - days.astype("datetime64[Y]")).astype(np.int64) + 1)


def season(days: NDArray[np.datetime64], peak: NDArray[np.float64]) -> NDArray[np.float64]:
    """Annual cosine (site, day) that is 1 on the day of the year ``peak`` (site,)."""
    return np.cos(2.0 * np.pi * (day_of_year(days)[None, :] - peak[:, None]) / DAYS_A_YEAR)
