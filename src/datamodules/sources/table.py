"""Anyone's daily table: a Parquet or CSV file, a site table and a column map become a cube."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...config.schema import TableSource
from ...errors import UserError
from ...variables import CLASSES, MEASURED_SUFFIX, PORTS_SUFFIX, QC_SUFFIX, SPREAD_SUFFIX, TARGETS, lookup
from ..cube import attributes
from .assemble import coordinates, described
from .chambers import over_ports
from .column_map import ColumnMap, DailyVariable, load_column_map
from .daily_table import DailyRows, read_daily
from .site_table import Places, read_places
from .units import to_canonical

TOLERANCE = 1e-5  # single-precision shares may pass 1 by rounding


def read(_pair: str, source: TableSource, root: Path, sites: Sequence[str]) -> xr.Dataset:
    """Read a daily table into a cube.

    Values outside the plausible range of `raciflux.variables` are masked and counted in ``attrs['reading_notes']``. A
    365-day calendar keeps its missing 29 February as a day without values.

    Raises
    ------
    UserError
        The map, the daily table or the site table has a fault; file, row and column are named.
    """
    declared = load_column_map(source.columns)
    rows = read_daily(root / source.path, declared, sites)
    places = read_places(root / source.sites, declared, rows.places, rows.path)
    notes = list(rows.notes)
    if declared.calendar == "noleap":
        notes.append("365-day calendar: 29 February of leap years has no values")
    implausible = _implausible_columns(rows, declared)
    variables: dict[str, xr.DataArray] = {}
    for name, variable in declared.variables.items():
        values = _flux_or_driver(rows, name, variable, implausible, notes)
        if declared.ports is not None and rows.port is not None:
            variables |= _of_ports(name, values, rows, rows.port, int(declared.ports.least))
            continue
        variables[name] = _scatter(values, rows.site, rows.day, rows, attributes(name))
        for suffix, column, words in (
            (QC_SUFFIX, variable.qc, "share of the day measured or well filled"),
            (MEASURED_SUFFIX, variable.measured, "share of the day measured"),
        ):
            if column is not None:
                about = {"units": "1", "long_name": f"{words}: {lookup(name).long_name}"}
                variables[name + suffix] = _scatter(_share(rows, column), rows.site, rows.day, rows, about)
    axes = coordinates(rows.site_ids, places.lat, places.lon, rows.first_day, rows.days, declared.calendar)
    about = described(declared.product, declared.version, declared.licence, declared.citation, notes)
    return xr.Dataset({**variables, **_fixed(places, rows)}, axes, about)


def _flux_or_driver(
    rows: DailyRows, name: str, variable: DailyVariable, columns: dict[str, NDArray[np.bool_]], notes: list[str]
) -> NDArray[np.float64]:
    """Return one variable (row,) in its canonical unit, implausible values masked.

    A sum is missing where one of its ``columns`` is implausible as a flux of its own: two errors may cancel.
    """
    values = _canonical(rows, name, variable)
    outside = _outside(name, values)
    if outside.any():
        low, high = lookup(name).plausible
        count = int(outside.sum())
        notes.append(f"{name}: {count} values outside [{low:g}, {high:g}] {lookup(name).unit} were masked")
    terms = [columns[column] for _, column in variable.terms if variable.sum and column in columns]
    of_terms = np.logical_or.reduce(terms) & np.isfinite(values) & ~outside if terms else np.zeros_like(outside)
    if of_terms.any():
        notes.append(f"{name}: {int(of_terms.sum())} values made of an implausible one were masked")
    return np.where(outside | of_terms, np.nan, values)


def _implausible_columns(rows: DailyRows, declared: ColumnMap) -> dict[str, NDArray[np.bool_]]:
    """Rows (row,) in which a column that is a flux by itself is implausible as that flux."""
    return {
        variable.column: _outside(name, _canonical(rows, name, variable))
        for name, variable in declared.variables.items()
        if name in TARGETS and variable.column is not None
    }


def _canonical(rows: DailyRows, name: str, variable: DailyVariable) -> NDArray[np.float64]:
    """Return one variable (row,) in its canonical unit."""
    summed = np.zeros(len(rows.site))
    for sign, column in variable.terms:
        summed = summed + sign * rows.numbers[column]
    values = to_canonical(name, variable.unit, f"variables.{name}")(summed)
    for place, unit in variable.unit_at.items():
        there = np.array([of_site == place for of_site in rows.places])[rows.site]
        values[there] = to_canonical(name, unit, f"variables.{name}.unit_at.{place}")(summed[there])
    return values


def _outside(name: str, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    low, high = lookup(name).plausible
    return np.asarray((values < low) | (values > high))


def _share(rows: DailyRows, column: str) -> NDArray[np.float64]:
    """Return a quality column (row,), which must hold shares of the day."""
    values = rows.numbers[column]
    wrong = (values < -TOLERANCE) | (values > 1 + TOLERANCE)
    if wrong.any():
        first = int(np.argmax(wrong))
        raise UserError(
            f"{rows.name_row(first)}, column {column!r}: {values[first]:g} is no share of the day (0-1); "
            "turn quality flags into shares first, or leave the column out of the map"
        )
    return np.clip(values, 0.0, 1.0)


def _scatter(
    values: NDArray[np.float64],
    site: NDArray[np.int64],
    day: NDArray[np.int64],
    rows: DailyRows,
    about: dict[str, str],
) -> xr.DataArray:
    """Place values (value,) of sites and days on (site, time)."""
    dense = np.full((len(rows.site_ids), rows.days), np.nan, np.float32)
    dense[site, day] = values
    return xr.DataArray(dense, dims=("site", "time"), attrs=about)


def _of_ports(
    name: str, values: NDArray[np.float64], rows: DailyRows, port: NDArray[np.int64], least: int
) -> dict[str, xr.DataArray]:
    """Return a variable over the ports of each site; of a flux also how ports differ, and how many they were."""
    made = over_ports(values, rows.site, rows.day, port, least)
    columns = {name: (made.mean, attributes(name))}
    if name in TARGETS:
        about = lookup(name)
        words = {"units": about.unit, "long_name": f"standard deviation over ports: {about.long_name}"}
        columns[name + SPREAD_SUFFIX] = (made.spread, words)
        columns[name + PORTS_SUFFIX] = (made.ports, {"units": "1", "long_name": "ports that measured"})
    return {
        column: _scatter(numbers, made.site, made.day, rows, about_it)
        for column, (numbers, about_it) in columns.items()
    }


def _fixed(places: Places, rows: DailyRows) -> dict[str, xr.DataArray]:
    """Statics and classes, on (site)."""
    statics = {
        name: xr.DataArray(values.astype(np.float32), dims="site", attrs=attributes(name))
        for name, values in places.statics.items()
    }
    classes = {
        name: xr.DataArray(values, dims="site", attrs={"long_name": CLASSES[name]})
        for name, values in {**places.classes, **rows.classes}.items()
    }
    return {**statics, **classes}
