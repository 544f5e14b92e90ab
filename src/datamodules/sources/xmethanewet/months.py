"""From (month, day of the month) and from months to days on the calendar.

The years of the grids have 365 days: February holds 28, what lies beyond the end of a month is padding. The cube's time
axis is that of real days, so that a 29 February is there; the grids know nothing of it.
"""

import numpy as np
from numpy.typing import NDArray

from ..real_days import Days, is_leap_day, month_and_day

Values = NDArray[np.floating]

LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def on_days(padded: Values, days: Days) -> Values:
    """Return values (cell, day) of days of one year from (cell, month, day of the month); NaN on a 29 February."""
    month, day = month_and_day(days)
    return np.where(is_leap_day(days), np.nan, padded[:, month, day])


def repeated(monthly: Values, days: Days) -> Values:
    """Return values (cell, day) of days of one year from means of the months (cell, month)."""
    month, _ = month_and_day(days)
    return monthly[:, month]
