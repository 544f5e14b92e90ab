"""Days of the real calendar, and where years of 365 days have none."""

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.datetime64]


def days_of_year(year: int) -> Days:
    """Return the days (day,) of a real year."""
    return np.arange(np.datetime64(f"{year}-01-01"), np.datetime64(f"{year + 1}-01-01"))


def month_and_day(days: Days) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return month and day of the month of each day, both from 0."""
    month = days.astype("datetime64[M]")
    return month.astype(np.int64) % 12, (days - month.astype("datetime64[D]")).astype(np.int64)


def is_leap_day(days: Days) -> NDArray[np.bool_]:
    """Mask (day,) of every 29 February."""
    month, day = month_and_day(days)
    return np.asarray((month == 1) & (day == 28))
