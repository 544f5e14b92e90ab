"""Read where the places are, and what is fixed about them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...errors import UserError, did_you_mean
from ..cube import UNKNOWN, check_site_id
from .assemble import plausible
from .column_map import ClassVariable, ColumnMap
from .files import ROW, check_columns, collect, number_column, scan, text_column
from .units import to_canonical


@dataclass(frozen=True)
class Places:
    """The site table for chosen sites, in their order."""

    lat: NDArray[np.float64]  # (site,) degrees north
    lon: NDArray[np.float64]  # (site,) degrees east, [-180, 180]
    statics: dict[str, NDArray[np.floating]]  # (site,) canonical units, NaN where missing
    classes: dict[str, NDArray[np.str_]]  # (site,)
    notes: tuple[str, ...]  # what was masked


def read_places(path: Path, declared: ColumnMap, site_ids: list[str], daily_path: Path) -> Places:
    """Read the rows of the sites that have days.

    Raises
    ------
    UserError
        A site stands twice or not at all, has no or impossible coordinates, or a cell is not a number.
    """
    columns = declared.site_table
    scanned = scan(path)
    from_sites = {name: entry for name, entry in columns.classes.items() if not entry.daily}
    wanted = [columns.site, columns.lat, columns.lon]
    wanted += [static.column for static in columns.statics.values()] + [entry.column for entry in from_sites.values()]
    check_columns(scanned, wanted, path)
    table = collect(scanned.select(ROW, *dict.fromkeys(wanted)), path)
    _check_exceptions(declared, text_column(table, columns.site).drop_nulls().to_list(), path)
    table = _rows_of(table, columns.site, site_ids, path, daily_path)

    lat, lon = (_coordinates(table, name, declared, site_ids, path) for name in (columns.lat, columns.lon))
    statics: dict[str, NDArray[np.floating]] = {}
    notes: list[str] = []
    for name, static in columns.statics.items():
        convert = to_canonical(name, static.unit, f"site_table.statics.{name}")
        statics[name] = plausible(name, convert(_numbers(table, static.column, declared, path)), notes)
    classes = {name: class_names(table, entry, declared) for name, entry in from_sites.items()}
    return Places(lat, np.where((lon > 180) & (lon <= 360), lon - 360, lon), statics, classes, tuple(notes))


def class_names(table: pl.DataFrame, entry: ClassVariable, declared: ColumnMap) -> NDArray[np.str_]:
    """Return the class of each row under its name of the house; a missing one is "unknown"."""
    text = text_column(table, entry.column)
    text = text.set(text.is_in(declared.missing_texts), None)
    if entry.first_letter:
        text = text.str.slice(0, 1)
    if entry.values:
        text = text.replace(dict(entry.values))
    return text.fill_null(UNKNOWN).to_numpy().astype(np.str_)


def _rows_of(table: pl.DataFrame, site: str, site_ids: list[str], path: Path, daily_path: Path) -> pl.DataFrame:
    """Put the site table's rows in the order of ``site_ids``."""
    names = text_column(table, site)
    for name in names.drop_nulls().unique(maintain_order=True):
        check_site_id(name, str(path))
    twice = names.filter(names.is_duplicated() & names.is_not_null())
    if len(twice):
        raise UserError(f"{path}: the site {twice[0]!r} has {names.eq(twice[0]).sum()} rows; keep one")
    known = {name: row for row, name in enumerate(names)}
    missing = [name for name in dict.fromkeys(site_ids) if name not in known]
    if missing:
        near = did_you_mean(missing[0], [name for name in known if name])
        raise UserError(
            f"{path}: no row for the site {missing[0]!r} of {daily_path.name} "
            f"({len(missing)} such sites); add one; {near}"
        )
    return table[[known[name] for name in site_ids]]


def _check_exceptions(declared: ColumnMap, names: list[str], path: Path) -> None:
    """Refuse a unit declared for a site that does not exist: the site meant would silently keep the wrong one."""
    for name, variable in declared.variables.items():
        for site in variable.unit_at:
            if site not in names:
                raise UserError(f"variables.{name}.unit_at: no site {site!r} in {path}; {did_you_mean(site, names)}")


def _coordinates(
    table: pl.DataFrame, column: str, declared: ColumnMap, site_ids: list[str], path: Path
) -> NDArray[np.float64]:
    values = _numbers(table, column, declared, path)
    if not np.isfinite(values).all():
        site = site_ids[int(np.argmin(np.isfinite(values)))]
        raise UserError(f"{path}: the site {site!r} has no coordinates (column {column!r}); fill them in")
    return values


def _numbers(table: pl.DataFrame, column: str, declared: ColumnMap, path: Path) -> NDArray[np.float64]:
    values = number_column(table, column, declared.missing_texts, path).to_numpy().astype(np.float64)
    return np.where(np.isin(values, declared.missing_numbers), np.nan, values)
