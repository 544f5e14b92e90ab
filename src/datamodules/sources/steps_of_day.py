"""Tables with several rows a day, such as half-hours: days of a variable, where enough of its steps are known."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...errors import UserError
from .column_map import StepsOfDay
from .daily_table import DailyRows

AMOUNT = "mm"  # a unit without a time: what fell in one step
LOWEST, HIGHEST = "_MIN", "_MAX"  # ends of names of drivers that are extremes of a day

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Days:
    """Which rows of a table make which day.

    Attributes
    ----------
    site, day : (day of a site,) indices, sorted. of_row : (row,) position of the row's day among them.
    per_day, least : steps that a day has, and of which it needs so many.
    """

    site: NDArray[np.int64]
    day: NDArray[np.int64]
    of_row: NDArray[np.int64]
    per_day: int
    least: int

    def over(self, name: str, values: Doubles, unit: str) -> Doubles:
        """Return days of a variable (row,): the mean, the lowest or highest by its name, or the sum of amounts."""
        known = np.isfinite(values)
        count = np.bincount(self.of_row, known, len(self.site))
        if name.endswith((LOWEST, HIGHEST)):
            lowest = name.endswith(LOWEST)
            made = np.full(len(self.site), np.inf if lowest else -np.inf)
            (np.minimum if lowest else np.maximum).at(made, self.of_row[known], values[known])
        else:
            made = np.bincount(self.of_row, np.where(known, values, 0.0), len(self.site)) / np.maximum(count, 1)
            if unit == AMOUNT:
                made = made * self.per_day  # a missing step had as much as the others
        return np.where(count >= self.least, made, np.nan)

    def share(self, share: Doubles, flux: Doubles) -> Doubles:
        """Return the share of the day (day,) from shares of its steps (row,); a step without a flux has none."""
        there = np.where(np.isfinite(flux) & np.isfinite(share), share, 0.0)
        return np.asarray(np.minimum(np.bincount(self.of_row, there, len(self.site)) / self.per_day, 1.0))


def days_of_steps(rows: DailyRows, stamps: pl.Series, steps: StepsOfDay) -> Days:
    """Find the days of a table of steps.

    Parameters
    ----------
    stamps : (row,) what the file says of the time of each row.

    Raises
    ------
    UserError
        If a step of a site stands there twice, or a day has more steps than were declared.
    """
    table = pl.DataFrame({"site": rows.site, "stamp": stamps})
    twice = table.select(~pl.struct("site", "stamp").is_first_distinct()).to_series().arg_true()
    if len(twice):
        where = rows.name_row(int(twice[0]))
        raise UserError(f"{where}: this step stands there already ({len(twice)} such rows); keep one row a step")
    place, of_row, count = np.unique(rows.site * rows.days + rows.day, return_inverse=True, return_counts=True)
    per_day = int(steps.per_day)
    if count.max() > per_day:
        where = rows.name_row(int(np.argmax(of_row == count.argmax())))
        raise UserError(f"{where}: this day has {count.max()} steps; the map says steps.per_day: {per_day}")
    return Days(place // rows.days, place % rows.days, of_row.astype(np.int64), per_day, int(steps.least))
