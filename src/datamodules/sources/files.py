"""Open a table, check its columns and turn its cells into numbers, or say which cell is wrong."""

import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from ...errors import UserError, did_you_mean

SECOND_OF_A_NAME = re.compile(r"_duplicated_\d+$")  # how polars renames it
FAULTS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)  # what polars says of damaged files
OTHER_SEPARATORS = ";\t|"  # of a spreadsheet whose decimals are commas, for one
ROW = "__row__"  # number of a data row in its file, from 1, kept through filters for messages


def scan(path: Path) -> pl.LazyFrame:
    """Open a Parquet or CSV table; every CSV cell is text until a column's meaning is known.

    Raises
    ------
    UserError
        The file is missing, of another kind, damaged, or its columns are not separated by commas.
    """
    if not path.is_file():
        if not path.parent.is_dir():
            raise UserError(f"{path}: its folder is missing; check data.root (or RACIFLUX_DATA) and the path")
        files = [file.name for file in path.parent.iterdir() if file.is_file()]
        raise UserError(f"{path}: no such file; {did_you_mean(path.name, files)}")
    kind = path.suffix.lower()
    if kind not in (".parquet", ".csv"):
        raise UserError(f"{path}: tables are .parquet or .csv, not {kind or 'without ending'!r}; convert it first")
    try:
        table = pl.scan_parquet(path) if kind == ".parquet" else pl.scan_csv(path, infer_schema=False)
        columns = table.collect_schema().names()
    except FAULTS as error:
        raise damaged(path, error) from None
    other = next(
        (mark for mark in OTHER_SEPARATORS if kind == ".csv" and len(columns) == 1 and mark in columns[0]), None
    )
    if other:
        raise UserError(
            f"{path}: its columns are separated by {other!r}; write it with commas between columns and decimal points"
        )
    twice = [name for name in columns if kind == ".csv" and SECOND_OF_A_NAME.search(name)]
    if twice:
        raise UserError(
            f"{path}: the column {SECOND_OF_A_NAME.sub('', twice[0])!r} is there twice; rename or remove one"
        )
    return table.with_row_index(ROW, offset=1)


def collect(table: pl.LazyFrame, path: Path) -> pl.DataFrame:
    """Read a scanned table into memory; a file damaged farther on is named."""
    try:
        return table.collect()
    except FAULTS as error:
        raise damaged(path, error) from None


def damaged(path: Path, error: BaseException) -> UserError:
    """Say that a file cannot be read."""
    reason = " ".join(str(error).split())[:200]
    return UserError(f"{path}: cannot be read as {path.suffix} ({reason}); it may be damaged: fetch or write it again")


def check_columns(table: pl.LazyFrame, wanted: Sequence[str], path: Path) -> None:
    """Refuse a table that lacks a column."""
    there = [name for name in table.collect_schema().names() if name != ROW]
    for name in wanted:
        if name not in there:
            raise UserError(f"{path}: no column {name!r}; {did_you_mean(name, there)}")


def text_column(table: pl.DataFrame, column: str) -> pl.Series:
    """Return a column as text without blanks around it; an empty cell is null."""
    text = table[column].cast(pl.String).str.strip_chars()
    return text.set(text == "", None)


def number_column(table: pl.DataFrame, column: str, missing_texts: Sequence[str], path: Path) -> pl.Series:
    """Return a column as float64, null where it is missing.

    Raises
    ------
    UserError
        A cell is neither a number nor a missing code; its row is named.
    """
    values = table[column]
    if not (values.dtype == pl.String or values.dtype.is_numeric() or values.dtype == pl.Null):
        raise UserError(f"{path}: column {column!r} holds {values.dtype}, expected numbers")
    if values.dtype != pl.String:
        return values.cast(pl.Float64)
    text = values.str.strip_chars()
    text = text.set(text.is_in(list(missing_texts)), None)
    numbers = text.cast(pl.Float64, strict=False)
    wrong = (numbers.is_null() & text.is_not_null()).arg_true()
    if len(wrong):
        first = wrong[0]
        raise UserError(
            f"{path}, row {table[ROW][first]}, column {column!r}: {values[first]!r} is not a number; "
            "correct it, or add it to 'missing' in the column map"
        )
    return numbers
