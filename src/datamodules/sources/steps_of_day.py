"""Tables with several rows a day, such as half-hours: means of the day, where enough of its steps are known."""

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...errors import UserError
from .daily_table import DailyRows

KEYS = ["site", "day"]


def days_of_steps(rows: DailyRows, stamps: pl.Series, least: int) -> DailyRows:
    """Put the steps of each site and day together; ``file_row`` becomes that of the day's first step.

    A column has a value on days with at least ``least`` known steps of it. Means are of rates: amounts per step have to
    be declared as rates.

    Parameters
    ----------
    stamps : (row,) what the file says of the time of each row.

    Raises
    ------
    UserError
        If a step of a site stands there twice.
    """
    _refuse_twice(rows, stamps)
    columns = {f"c{place}": name for place, name in enumerate(rows.numbers)}
    table = pl.DataFrame(
        {"site": rows.site, "day": rows.day, "row": rows.file_row}
        | {short: pl.Series(rows.numbers[name], nan_to_null=True) for short, name in columns.items()}
    )
    enough = [
        pl.when(pl.col(short).count() >= least).then(pl.col(short).mean()).otherwise(None).alias(short)
        for short in columns
    ]
    # in the order of the file, so that sums do not differ in the last bit from run to run
    days = table.sort(*KEYS, "row").group_by(KEYS, maintain_order=True).agg(pl.col("row").first(), *enough)
    return replace(
        rows,
        site=_whole(days["site"]),
        day=_whole(days["day"]),
        file_row=_whole(days["row"]),
        numbers={name: days[short].to_numpy().astype(np.float64) for short, name in columns.items()},
    )


def _refuse_twice(rows: DailyRows, stamps: pl.Series) -> None:
    table = pl.DataFrame({"site": rows.site, "stamp": stamps})
    twice = table.select(~pl.struct("site", "stamp").is_first_distinct()).to_series().arg_true()
    if len(twice):
        where = rows.name_row(int(twice[0]))
        raise UserError(f"{where}: this step stands there already ({len(twice)} such rows); keep one row a step")


def _whole(column: pl.Series) -> NDArray[np.int64]:
    return column.to_numpy().astype(np.int64)
