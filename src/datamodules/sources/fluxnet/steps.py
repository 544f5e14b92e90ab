"""Read a FLUXNET-standard table: time stamps and numbers of its steps, as the file gives them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ....errors import UserError, did_you_mean
from ..files import FAULTS, ROW, damaged
from .archives import Member
from .file_names import BASE, HALF_HOURLY, FileName

MISSING = -9999.0
STARTS = ("TIMESTAMP_START", "TIMESTAMP")  # days have one stamp, shorter steps begin and end
FORMAT = "%Y%m%d%H%M"
DIGITS_OF_A_DAY = 8  # of a stamp without a time
MINUTES = {HALF_HOURLY: 30, "HR": 60}
STAMP = "stamp"
FIRST_YEAR = 1000_00_00_00_00  # a stamp below it has too few digits
LAST_HOUR, LAST_MINUTE = 23, 59
COMMENT = "#"  # AmeriFlux BASE begins with lines that name site and version


@dataclass(frozen=True)
class Steps:
    """The steps of a table in the order of time.

    Attributes
    ----------
    table : columns ``day`` (date of a step's beginning, local standard time) and the wanted numbers as float64, null
        where missing.
    there : every column of the file.
    notes : what a reader of the audit should know.
    """

    table: pl.DataFrame
    there: frozenset[str]
    notes: tuple[str, ...]


def columns_of(path: Path, name: FileName, where: str) -> list[str]:
    """Return the columns of a table.

    Raises
    ------
    UserError
        If the file is empty or no table, or a column stands twice.
    """
    header = _header(path, name, where)
    twice = sorted({column for column in header if header.count(column) > 1})
    if twice:
        raise UserError(f"{where}: the column {twice[0]!r} is there twice; download the file again")
    if not any(start in header for start in STARTS):
        near = did_you_mean(STARTS[0], header[:40])
        raise UserError(f"{where}: no column TIMESTAMP_START or TIMESTAMP; {near}")
    return header


def read_steps(path: Path, name: FileName, member: Member, wanted: list[str]) -> Steps:
    """Read the wanted columns of a table.

    Raises
    ------
    UserError
        A cell is no number, a time stamp is unreadable, off the steps' grid or there twice, or the file is damaged.
    """
    where = member.where
    there = columns_of(path, name, where)
    start = next(column for column in STARTS if column in there)
    table = _at_once(path, name, start, wanted)
    if table is not None:
        return Steps(table, frozenset(there), ())
    table = _cell_by_cell(path, name, member, start, wanted)
    ordered = bool(table["begins"].is_sorted())
    notes = () if ordered else (f"{where}: rows were not in the order of time and were sorted",)
    days = table.sort("begins").select(pl.col("begins").dt.date().alias("day"), *wanted)
    return Steps(days, frozenset(there), notes)


def _at_once(path: Path, name: FileName, start: str, wanted: list[str]) -> pl.DataFrame | None:
    """Read numbers as numbers; None where anything is amiss, for ``_cell_by_cell`` to say what."""
    types: dict[str, pl.DataType] = {start: pl.Int64(), **dict.fromkeys(wanted, pl.Float64())}
    stamp = pl.when(pl.col(start) < 10**DIGITS_OF_A_DAY).then(pl.col(start) * 10_000).otherwise(pl.col(start))
    day = pl.date(stamp // 10**DIGITS_OF_A_DAY, stamp // 10**6 % 100, stamp // 10**4 % 100).alias("day")
    numbers = [pl.when(pl.col(column) != MISSING).then(pl.col(column)).alias(column) for column in wanted]
    try:
        read = _scan(path, name, types).select(stamp.alias(STAMP), day, *numbers).collect()
    except FAULTS:  # such as the 30th of February
        return None
    hour, minute = read[STAMP] // 100 % 100, read[STAMP] % 100
    faults = (
        read.is_empty(),
        read[STAMP].has_nulls(),
        (read[STAMP] < FIRST_YEAR).any(),
        (read[STAMP].diff() <= 0).any(),  # not in order, or twice
        (hour > LAST_HOUR).any(),
        ((hour * 60 + minute) % _step(name) != 0).any(),
        (minute > LAST_MINUTE).any(),
        any(not bool(read[column].is_finite().all()) for column in wanted),
    )
    return None if any(faults) else read.drop(STAMP)


def _cell_by_cell(path: Path, name: FileName, member: Member, start: str, wanted: list[str]) -> pl.DataFrame:
    """Read every cell as text, so that the first that is wrong can be named."""
    where = member.where
    try:
        text = _scan(path, name, {}).with_row_index(ROW, offset=1).select(ROW, start, *wanted).collect()
    except FAULTS as error:
        raise damaged(member.path, error) from None
    if text.is_empty():
        raise UserError(f"{where}: has no rows; download it again")
    stamps = _stamps(text, start, where)
    table = pl.DataFrame([stamps, *(_numbers(text, column, where) for column in wanted)])
    _refuse_off_grid(table, text, start, name, where)
    _refuse_twice(table, text, start, where)
    return table


def _scan(path: Path, name: FileName, types: Mapping[str, pl.DataType]) -> pl.LazyFrame:
    return pl.scan_csv(
        path, infer_schema=False, schema_overrides=types, comment_prefix=COMMENT if name.product == BASE else None
    )


def _step(name: FileName) -> int:
    """Minutes of a step."""
    return MINUTES.get(name.resolution, 24 * 60)


def _minutes(begins: pl.Series) -> pl.Series:
    """Minutes of the day."""
    return begins.dt.hour().cast(pl.Int32) * 60 + begins.dt.minute()


def _header(path: Path, name: FileName, where: str) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for line in lines:
                if not (name.product == BASE and line.startswith(COMMENT)):
                    return _names(line, where)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{where}: cannot be read as text ({error}); download it again") from None
    raise UserError(f"{where}: is empty; download it again")


def _names(line: str, where: str) -> list[str]:
    line = line.rstrip("\r\n")
    if not line.isprintable():
        raise UserError(f"{where}: does not begin with the names of columns; download it again")
    return [column.strip().strip('"') for column in line.split(",")]


def _stamps(text: pl.DataFrame, start: str, where: str) -> pl.Series:
    stamp = text[start].str.strip_chars()
    whole_day = stamp.str.len_chars() == DIGITS_OF_A_DAY
    padded = (stamp + "0000").zip_with(whole_day, stamp)
    read = padded.str.to_datetime(FORMAT, strict=False, time_unit="us").alias("begins")
    wrong = read.is_null().arg_true()
    if len(wrong):
        cell = _cell(text, int(wrong[0]), start, where)
        raise UserError(f"{cell} is no time stamp such as 20050131 or 200501312330; download the file again")
    return read


def _numbers(text: pl.DataFrame, column: str, where: str) -> pl.Series:
    cells = text[column].str.strip_chars()
    cells = cells.set(cells == "", None)
    numbers = cells.cast(pl.Float64, strict=False)
    wrong = ((numbers.is_null() & cells.is_not_null()) | numbers.is_infinite().fill_null(False)).arg_true()
    if len(wrong):
        raise UserError(f"{_cell(text, int(wrong[0]), column, where)} is no number; download the file again")
    return numbers.set((numbers == MISSING) | numbers.is_nan(), None)


def _refuse_off_grid(table: pl.DataFrame, text: pl.DataFrame, start: str, name: FileName, where: str) -> None:
    off = (_minutes(table["begins"]) % _step(name) != 0).arg_true()
    if len(off):
        raise UserError(
            f"{_cell(text, int(off[0]), start, where)} does not begin a step of {_step(name)} minutes; stamps are in "
            "local standard time, without daylight saving"
        )


def _refuse_twice(table: pl.DataFrame, text: pl.DataFrame, start: str, where: str) -> None:
    twice = table["begins"].is_duplicated().arg_true()
    if len(twice):
        raise UserError(f"{_cell(text, int(twice[0]), start, where)} is there twice; keep one row")


def _cell(text: pl.DataFrame, row: int, column: str, where: str) -> str:
    return f"{where}, row {text[ROW][row]}, column {column!r}: {text[column][row]!r}"
