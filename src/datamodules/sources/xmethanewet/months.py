"""From (month, day of the month) and from months to days on the calendar.

The years of the grids have 365 days: February holds 28, what lies beyond the end of a month is padding. The cube's time
axis is that of real days, so that a 29 February is there; the grids know nothing of it.
"""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating]
Days = NDArray[np.datetime64]

LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


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


def on_days(padded: Values, days: Days) -> Values:
    """Return values (cell, day) of days of one year from (cell, month, day of the month); NaN on a 29 February."""
    month, day = month_and_day(days)
    return np.where(is_leap_day(days), np.nan, padded[:, month, day])


def repeated(monthly: Values, days: Days) -> Values:
    """Return values (cell, day) of days of one year from means of the months (cell, month)."""
    month, _ = month_and_day(days)
    return monthly[:, month]
