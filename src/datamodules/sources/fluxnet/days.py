"""From the steps of a table to days: means, sums, extremes, and how much of each day was measured.

A day counts where enough of its steps are known, by ``least_share``. The share *measured* is that of steps whose flag
is 0, the share *measured or well filled* that of flags 0 and 1, as the daily files of the networks count them; of a
product that is not filled (AmeriFlux BASE), both are the share of steps with a flux.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from ....variables import MEASURED_SUFFIX, QC_SUFFIX
from .columns import DRIVERS, FLUXES, Column, Flux, chosen
from .file_names import DAILY, FileName
from .steps import MINUTES

MEASURED, WELL_FILLED = 0, 1  # flags of half-hours


@dataclass(frozen=True)
class Reading:
    """What of a table becomes which variable.

    Attributes
    ----------
    column : of each variable.
    quality : column of a flux's flag or share, where the table has one.
    """

    column: Mapping[str, str]
    quality: Mapping[str, str]

    @property
    def columns(self) -> list[str]:
        """Columns to read, each once."""
        return list(dict.fromkeys([*self.column.values(), *self.quality.values()]))


def reading_of(there: set[str], name: FileName) -> Reading:
    """Choose the columns of a table; daily tables have no extremes of a day."""
    column, quality = {}, {}
    for variable, known in {**DRIVERS, **FLUXES}.items():
        found = chosen(known, there, name.product)
        if found is None or (name.resolution == DAILY and known.over in ("min", "max")):
            continue
        column[variable] = found
        if isinstance(known, Flux):
            flags = [flag for flag in known.quality if flag in there]
            if flags:
                quality[variable] = flags[0]
    return Reading(column, quality)


def daily(table: pl.DataFrame, reading: Reading, name: FileName, least_share: float) -> pl.DataFrame:
    """Return one row a day: ``day``, each variable in the table's unit, and the shares of each flux.

    Parameters
    ----------
    table : as ``Steps`` holds it.
    least_share : of a day's steps that must be known for a value of the day.
    """
    if name.resolution == DAILY:
        shares = [pl.col(flag).alias(variable + QC_SUFFIX) for variable, flag in reading.quality.items()]
        return table.select(
            "day", *(pl.col(column).alias(variable) for variable, column in reading.column.items()), *shares
        )
    steps = 24 * 60 // MINUTES[name.resolution]
    made: list[pl.Expr] = []
    for variable, column in reading.column.items():
        known = {**DRIVERS, **FLUXES}[variable]
        enough = pl.col(column).count() >= least_share * steps
        made.append(pl.when(enough).then(_over(known, column, steps)).alias(variable))
        if isinstance(known, Flux):
            made += _shares(variable, column, reading.quality.get(variable), steps)
    return table.group_by("day", maintain_order=True).agg(made)


def _over(known: Column, column: str, steps: int) -> pl.Expr:
    if known.over == "min":
        return pl.col(column).min()
    if known.over == "max":
        return pl.col(column).max()
    # of a sum as well: a missing step had as much as the others
    return pl.col(column).mean() * (steps if known.over == "sum" else 1)


def _shares(variable: str, column: str, flag: str | None, steps: int) -> list[pl.Expr]:
    there = pl.col(column).is_not_null()
    measured = there if flag is None else there & (pl.col(flag) == MEASURED)
    good = there if flag is None else there & (pl.col(flag) <= WELL_FILLED)
    return [
        (good.sum() / steps).alias(variable + QC_SUFFIX),
        (measured.sum() / steps).alias(variable + MEASURED_SUFFIX),
    ]
