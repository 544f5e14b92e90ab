"""Turn the date columns of a product into days."""

from pathlib import Path

import polars as pl

from ...errors import UserError
from .column_map import DateColumns
from .files import ROW, text_column

ISO = "%Y-%m-%d"
FIRST_YEAR, LAST_YEAR = 1678, 2261  # what nanosecond time stamps, used throughout xarray, can hold
NOLEAP_YEAR = 2001  # any year of 365 days


def day_column(
    table: pl.DataFrame, date: DateColumns, calendar: str, path: Path, *, of_the_end: bool = False
) -> pl.Series:
    """Return the date of each row as `polars.Date`.

    Parameters
    ----------
    of_the_end : whether a stamp is of the end of its step, so that midnight belongs to the day before.

    Raises
    ------
    UserError
        A date is missing, unreadable, out of range, or a 29 February in a 365-day calendar; its row is named.
    """
    if date.column is not None:
        source = table[date.column]
        try:
            days = _end_from_column(source, date, calendar) if of_the_end else _from_column(source, date)
        except pl.exceptions.PolarsError as error:
            raise UserError(
                f"{path}, column {source.name!r}: date.format {date.format!r} cannot be read: {error}"
            ) from None
    else:
        days, source = _from_day_of_year(table, date, calendar), table[str(date.day_of_year)]
    years = days.dt.year()
    _refuse(days.is_null(), table, source, path, f"is not a date{_expected(date, source)}")
    _refuse((years < FIRST_YEAR) | (years > LAST_YEAR), table, source, path, f"lies outside {FIRST_YEAR}-{LAST_YEAR}")
    if calendar == "noleap":
        leap_day = (days.dt.month() == 2) & (days.dt.day() == 29)
        _refuse(leap_day, table, source, path, "is a leap day, but the map says calendar: noleap")
    return days


def _from_column(column: pl.Series, date: DateColumns) -> pl.Series:
    if column.dtype == pl.Date:
        return column
    if isinstance(column.dtype, pl.Datetime):
        return column.dt.date()
    if column.dtype.is_float():
        column = column.cast(pl.Int64, strict=False)
    if date.format is None and column.dtype != pl.String:
        return pl.Series([None], dtype=pl.Date).new_from_index(0, len(column))
    text = column.cast(pl.String).str.strip_chars()
    return text.str.to_date(date.format or ISO, strict=False)


def _end_from_column(column: pl.Series, date: DateColumns, calendar: str) -> pl.Series:
    """Return the day that a step lies in by the stamp of its end: midnight ends the day before."""
    if not isinstance(column.dtype, pl.Datetime):
        if column.dtype.is_float():
            column = column.cast(pl.Int64, strict=False)
        text = column.cast(pl.String).str.strip_chars()
        column = text.str.to_datetime(date.format or ISO, time_unit="us", strict=False)
    days = column.dt.offset_by("-1us").dt.date()
    if calendar != "noleap":
        return days
    skipped = (days.dt.month() == 2) & (days.dt.day() == 29) & (column.dt.day() == 1)
    return pl.select(pl.when(skipped).then(days.dt.offset_by("-1d")).otherwise(days)).to_series()


def _from_day_of_year(table: pl.DataFrame, date: DateColumns, calendar: str) -> pl.Series:
    year = text_column(table, str(date.year)).cast(pl.Float64, strict=False).cast(pl.Int32, strict=False)
    number = text_column(table, str(date.day_of_year)).cast(pl.Float64, strict=False).cast(pl.Int32, strict=False)
    columns = pl.DataFrame({"year": year, "number": number})
    reference = pl.lit(NOLEAP_YEAR) if calendar == "noleap" else pl.col("year")
    counted = pl.date(reference, 1, 1) + pl.duration(days=pl.col("number") - 1)
    inside = (pl.col("number") >= 1) & (counted.dt.year() == reference)
    same_day = pl.date(pl.col("year"), counted.dt.month(), counted.dt.day())
    return columns.select(pl.when(inside).then(same_day)).to_series()


def _expected(date: DateColumns, source: pl.Series) -> str:
    if date.column is None:
        return " of its year"
    if date.format is None and source.dtype != pl.String:
        return "; give date.format in the column map, such as '%Y%m%d'"
    return f" in the form {date.format or ISO!r}"


def _refuse(wrong: pl.Series, table: pl.DataFrame, source: pl.Series, path: Path, problem: str) -> None:
    rows = wrong.fill_null(False).arg_true()
    if len(rows):
        first = rows[0]
        raise UserError(f"{path}, row {table[ROW][first]}, column {source.name!r}: {source[first]!r} {problem}")
