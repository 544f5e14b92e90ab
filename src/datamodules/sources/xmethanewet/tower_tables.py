"""The two tables of X-MethaneWet's towers: every site's days, stacked, and where the sites are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ....errors import UserError, did_you_mean
from ..files import ROW, check_columns, collect, number_column, scan, text_column

MISSING = ("", "NA", "NaN", "nan", "-9999", "-9999.0")
NO_DATA = -9999.0
SITE, STAMP = "Site", "TIMESTAMP"
STAMPS = ("%Y%m%d", "%Y-%m-%d", "%m/%d/%Y")
FIRST_YEAR, LAST_YEAR = 1950, 2100
POSITION = {"LOCATION_LAT": (-90.0, 90.0), "LOCATION_LONG": (-180.0, 180.0)}
TOLD = {"LOCATION_ELEV": "elevation", "MAT": "mat", "MAP": "map"}

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Sites:
    """Some sites of the site table.

    Attributes
    ----------
    names : site ids. lat, lon : (site,). told : ``elevation``, ``mat``, ``map`` (site,), NaN where not told.
    igbp : land cover of each, empty where not told.
    """

    names: list[str]
    lat: Values
    lon: Values
    told: Mapping[str, Values]
    igbp: list[str]


def read_days(path: Path, wanted: tuple[str, ...], optional: tuple[str, ...]) -> pl.DataFrame:
    """Read every site's days: ``site``, ``day`` and numbers, null where missing.

    Parameters
    ----------
    wanted, optional : columns that must and may be there.

    Raises
    ------
    UserError
        The file is missing, empty or damaged, a column is missing, a cell is no number or no day, or a day of a site
        stands twice.
    """
    lazy = scan(path)
    check_columns(lazy, (SITE, STAMP, *wanted), path)
    there = lazy.collect_schema().names()
    columns = [*wanted, *(name for name in optional if name in there)]
    text = collect(lazy.select(ROW, SITE, STAMP, *columns), path)
    if text.is_empty():
        raise UserError(f"{path}: has no rows; download it again")
    numbers = [number_column(text, name, MISSING, path) for name in columns]
    _refuse_infinite(numbers, text, path)
    made = pl.DataFrame(
        [text_column(text, SITE).str.replace_all(".", "-", literal=True).alias("site"), _days(text, path)]
    ).with_columns(values.set((values == NO_DATA) | values.is_nan(), None) for values in numbers)
    nameless = made["site"].is_null().arg_true()
    if len(nameless):
        raise UserError(f"{path}, row {text[ROW][nameless[0]]}, column {SITE!r}: is empty; name the site")
    twice = made.select("site", "day").is_duplicated().arg_true()
    if len(twice):
        site, day = made.select("site", "day").row(int(twice[0]))
        raise UserError(f"{path}, row {text[ROW][twice[0]]}: {day} of {site} is there twice; keep one row")
    return made


def read_sites(path: Path, names: list[str]) -> Sites:
    """Read where sites are and what is told of them.

    Raises
    ------
    UserError
        The file is missing or damaged, a site or a column is missing, or a position is none.
    """
    lazy = scan(path)
    check_columns(lazy, ("SITE_ID", *POSITION), path)
    table = collect(lazy, path)
    ids = [str(name).replace(".", "-") for name in text_column(table, "SITE_ID").fill_null("")]
    for name in names:
        if name not in ids:
            raise UserError(f"{path}: the site {name!r} is not there; {did_you_mean(name, ids)}")
    rows = [ids.index(name) for name in names]
    lat, lon = (_position(table, column, limits, rows, path) for column, limits in POSITION.items())
    told = {fact: _numbers(table, column, rows, path) for column, fact in TOLD.items() if column in table.columns}
    igbp = text_column(table, "IGBP").fill_null("")[rows].to_list() if "IGBP" in table.columns else [""] * len(rows)
    return Sites(names, lat, lon, told, igbp)


def _numbers(table: pl.DataFrame, column: str, rows: list[int], path: Path) -> Values:
    values = number_column(table, column, MISSING, path)[rows].to_numpy().astype(np.float64)
    return np.where((values == NO_DATA) | ~np.isfinite(values), np.nan, values)


def _position(table: pl.DataFrame, column: str, limits: tuple[float, float], rows: list[int], path: Path) -> Values:
    values = _numbers(table, column, rows, path)
    wrong = np.flatnonzero(~((values >= limits[0]) & (values <= limits[1])))
    if len(wrong):
        raise UserError(
            f"{path}, row {rows[wrong[0]] + 1}, column {column!r}: {values[wrong[0]]:g} is not within "
            f"{limits[0]:g} and {limits[1]:g} degrees; correct it"
        )
    return values


def _days(text: pl.DataFrame, path: Path) -> pl.Series:
    stamps = text_column(text, STAMP)
    days = pl.select(
        pl.coalesce(stamps.str.to_date(form, strict=False, exact=True) for form in STAMPS).alias("day")
    ).to_series()
    wrong = (days.is_null() | ~days.dt.year().is_between(FIRST_YEAR, LAST_YEAR).fill_null(False)).arg_true()
    if len(wrong):
        row = int(wrong[0])
        raise UserError(
            f"{path}, row {text[ROW][row]}, column {STAMP!r}: {text[STAMP][row]!r} is no day such as 20110131"
        )
    return days


def _refuse_infinite(numbers: list[pl.Series], text: pl.DataFrame, path: Path) -> None:
    for values in numbers:
        infinite = values.is_infinite().fill_null(False).arg_true()
        if len(infinite):
            row = int(infinite[0])
            raise UserError(f"{path}, row {text[ROW][row]}, column {values.name!r}: is infinite; correct it")
