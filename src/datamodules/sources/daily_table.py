"""Read the rows of a table: which cube site, which day, and the numbers as the product gives them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...errors import UserError, did_you_mean
from ..cube import check_site_id
from .column_map import ColumnMap, Replicate
from .dates import day_column
from .files import ROW, check_columns, collect, number_column, scan, text_column
from .site_table import class_names


@dataclass(frozen=True)
class DailyRows:
    """A daily table, column by column; ``row`` runs over the rows of the file that were kept."""

    path: Path
    site_ids: list[str]  # cube sites, sorted
    places: list[str]  # for each cube site, its id in the site table: the same unless replicates are made
    site: NDArray[np.int64]  # (row,) index into site_ids
    first_day: np.datetime64
    days: int  # from the first date of any site to the last
    day: NDArray[np.int64]  # (row,) days since first_day
    file_row: NDArray[np.int64]  # (row,) number in the file, from 1
    numbers: dict[str, NDArray[np.float64]]  # (row,) by column, NaN where missing
    classes: dict[str, NDArray[np.str_]]  # (site,) classes that the daily table holds
    notes: tuple[str, ...]
    port: NDArray[np.int64] | None = None  # (row,) of chambers that are one site together
    stamps: pl.Series | None = None  # (row,) of steps that are still to be put together to days

    def name_row(self, row: int) -> str:
        """Say which row of which file, for messages."""
        date = self.first_day + self.day[row]
        return f"{self.path}, row {self.file_row[row]} (site {self.site_ids[self.site[row]]}, {date})"


def read_daily(path: Path, declared: ColumnMap, sites: Sequence[str]) -> DailyRows:
    """Read a daily table, or some sites of it.

    Raises
    ------
    UserError
        A column is missing, a cell cannot be read, a number is infinite, no row is left, or a site-day stands twice in
        a table of days.
    """
    table = _collect(path, declared)
    place = text_column(table, declared.site)
    _refuse_empty_site(table, place, declared.site, path)
    cube_site = _cube_sites(table, place, declared.replicate)
    if sites:
        table, place, cube_site = _keep(sites, table, place, cube_site, path)
    site_ids = cube_site.unique().sort().to_list()
    for name in site_ids:
        check_site_id(name, str(path))
    site = cube_site.cast(pl.Enum(site_ids)).to_physical().to_numpy().astype(np.int64)
    first_row = np.unique(site, return_index=True)[1]

    ends = declared.steps is not None and declared.steps.stamp == "end"
    read = day_column(table, declared.date, declared.calendar, path, of_the_end=ends)
    dates = read.to_numpy().astype("datetime64[D]")
    first_day = dates.min()
    day = (dates - first_day).astype(np.int64)
    rows = DailyRows(
        path=path,
        site_ids=site_ids,
        places=place.gather(first_row).to_list(),
        site=site,
        first_day=first_day,
        days=int(day.max()) + 1,
        day=day,
        file_row=table[ROW].to_numpy().astype(np.int64),
        numbers={column: _numbers(table, column, declared, path) for column in declared.daily_columns},
        classes=_fixed_classes(table, declared, site, site_ids, path),
        notes=_unsorted(site, day),
        port=_ports(table, declared, path),
        stamps=_stamps(table, declared, path),
    )
    _refuse_infinite(rows)
    if rows.port is None and rows.stamps is None:
        _refuse_duplicates(rows)
    return rows


def _collect(path: Path, declared: ColumnMap) -> pl.DataFrame:
    scanned = scan(path)
    texts = [entry.column for entry in declared.site_table.classes.values() if entry.daily]
    if declared.replicate:
        texts.append(declared.replicate.column)
    if declared.ports:
        texts.append(declared.ports.column)
    wanted = dict.fromkeys((declared.site, *declared.date.columns, *texts, *declared.daily_columns))
    check_columns(scanned, list(wanted), path)
    table = collect(scanned.select(ROW, *wanted), path)
    if table.is_empty():
        raise UserError(f"{path}: has no rows; nothing can be read from it")
    return table


def _refuse_empty_site(table: pl.DataFrame, place: pl.Series, column: str, path: Path) -> None:
    empty = place.is_null().arg_true()
    if len(empty):
        raise UserError(f"{path}, row {table[ROW][empty[0]]}, column {column!r}: names no site; fill it in")


def _ports(table: pl.DataFrame, declared: ColumnMap, path: Path) -> NDArray[np.int64] | None:
    """Return the number of the port (row,); None where the map declares none."""
    if declared.ports is None:
        return None
    names = text_column(table, declared.ports.column)
    empty = names.is_null().arg_true()
    if len(empty):
        raise UserError(
            f"{path}, row {table[ROW][empty[0]]}, column {declared.ports.column!r}: names no port; fill it in"
        )
    return names.cast(pl.Categorical).to_physical().to_numpy().astype(np.int64)


def _stamps(table: pl.DataFrame, declared: ColumnMap, path: Path) -> pl.Series | None:
    """Return the times of steps (row,); None where the map declares none."""
    if declared.steps is None:
        return None
    stamps = table[str(declared.date.column)]
    if stamps.dtype == pl.Date:
        raise UserError(f"{path}: column {stamps.name!r} holds dates without times; 'steps' needs the time of each row")
    if not isinstance(stamps.dtype, pl.Datetime) and declared.date.format is None:
        raise UserError(f"{path}: column {stamps.name!r}: give date.format in the column map, such as '%Y-%m-%d %H:%M'")
    return stamps


def _cube_sites(table: pl.DataFrame, place: pl.Series, replicate: Replicate | None) -> pl.Series:
    """Name the cube site of each row; numbers of replicates are padded so that names sort as numbers do."""
    if replicate is None:
        return place
    number = text_column(table, replicate.column).fill_null("none")
    width = max(number.str.len_chars().unique().to_list())
    return place + f"-{replicate.tag}" + number.str.zfill(width)


def _keep(
    sites: Sequence[str], table: pl.DataFrame, place: pl.Series, cube_site: pl.Series, path: Path
) -> tuple[pl.DataFrame, pl.Series, pl.Series]:
    """Keep the rows of named sites; a place's name stands for all its replicates."""
    known = {*cube_site.unique(), *place.unique()}
    for name in sites:
        if name not in known:
            raise UserError(f"data.sites: {name!r} is not in {path}; {did_you_mean(name, known)}")
    kept = cube_site.is_in(list(sites)) | place.is_in(list(sites))
    return table.filter(kept), place.filter(kept), cube_site.filter(kept)


def _numbers(table: pl.DataFrame, column: str, declared: ColumnMap, path: Path) -> NDArray[np.float64]:
    values = number_column(table, column, declared.missing_texts, path).to_numpy().astype(np.float64)
    # A code such as -999.9 reads differently from a single-precision column than from text.
    double = np.array(declared.missing_numbers, np.float64)
    codes = np.concatenate([double, double.astype(np.float32).astype(np.float64)])
    return np.where(np.isin(values, codes), np.nan, values)


def _fixed_classes(
    table: pl.DataFrame, declared: ColumnMap, site: NDArray[np.int64], site_ids: list[str], path: Path
) -> dict[str, NDArray[np.str_]]:
    """Take classes that stand on each row of the daily table and may not change at a site."""
    classes = {}
    first_row = np.unique(site, return_index=True)[1]
    for name, entry in declared.site_table.classes.items():
        if not entry.daily:
            continue
        of_row = class_names(table, entry, declared)
        of_site = of_row[first_row]
        changed = of_row != of_site[site]
        if changed.any():
            row = int(np.argmax(changed))
            raise UserError(
                f"{path}, row {table[ROW][row]}, column {entry.column!r}: the class changes from "
                f"'{of_site[site[row]]}' to '{of_row[row]}' at {site_ids[site[row]]}; a class is fixed at a site"
            )
        classes[name] = of_site
    return classes


def _unsorted(site: NDArray[np.int64], day: NDArray[np.int64]) -> tuple[str, ...]:
    """Note the sites whose rows are not in the order of their dates; placing them by date sorts them."""
    by_site = np.argsort(site, kind="stable")
    backwards = (np.diff(site[by_site]) == 0) & (np.diff(day[by_site]) < 0)
    sites = len(np.unique(site[by_site][1:][backwards]))
    return (f"rows of {sites} sites were not in the order of their dates and were sorted",) if sites else ()


def _refuse_infinite(rows: DailyRows) -> None:
    for column, values in rows.numbers.items():
        infinite = np.isinf(values)
        if infinite.any():
            where = rows.name_row(int(np.argmax(infinite)))
            raise UserError(f"{where}, column {column!r}: is infinite; correct it or leave it empty")


def _refuse_duplicates(rows: DailyRows) -> None:
    place = rows.site * rows.days + rows.day
    order = np.argsort(place, kind="stable")
    again = order[1:][np.diff(place[order]) == 0]
    if len(again):
        where = rows.name_row(int(again.min()))
        raise UserError(f"{where}: this site-day stands there already ({len(again)} such rows); keep one row a day")
