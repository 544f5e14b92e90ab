"""Anyone's table: a Parquet or CSV file of days, steps or chambers, a site table and a column map become a cube."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...config.sources import TableSource
from ...errors import UserError
from ...variables import CLASSES, MEASURED_SUFFIX, PORTS_SUFFIX, QC_SUFFIX, SPREAD_SUFFIX, TARGETS, lookup
from ..cube import attributes
from .account import DAYS_OF_PORTS, DAYS_OF_STEPS, PLAUSIBLE, account_of, kept, opened
from .assemble import coordinates, described, share_of
from .chambers import over_ports
from .column_map import ColumnMap, DailyVariable, load_column_map
from .daily_table import DailyRows, read_daily
from .site_table import Places, read_places
from .steps_of_day import Days, days_of_steps
from .units import to_canonical

TOLERANCE = 1e-5  # single-precision shares may pass 1 by rounding


def read(_pair: str, source: TableSource, root: Path, sites: Sequence[str]) -> xr.Dataset:
    """Read a table into a cube.

    Values outside the plausible range of `raciflux.variables` are masked and counted in ``attrs['reading_notes']``. A
    365-day calendar keeps its missing 29 February as a day without values.

    Raises
    ------
    UserError
        The map, the table or the site table has a fault; file, row and column are named.
    """
    declared = load_column_map(source.columns)
    rows = read_daily(root / source.path, declared, sites)
    places = read_places(root / source.sites, declared, rows.places, rows.path)
    notes = [*rows.notes, *places.notes]
    if declared.calendar == "noleap":
        notes.append("365-day calendar: 29 February of leap years has no values")
    days = None
    if declared.steps is not None and rows.stamps is not None:
        days = days_of_steps(rows, rows.stamps, declared.steps)
    site, day = (rows.site, rows.day) if days is None else (days.site, days.day)
    implausible = _implausible_columns(rows, declared, days)
    variables: dict[str, xr.DataArray] = {}
    for name, variable in declared.variables.items():
        values, account = _flux_or_driver(rows, name, variable, days, implausible, notes)
        units = " or ".join(dict.fromkeys((variable.unit, *variable.unit_at.values())))
        about = {**attributes(name), **kept(account, units)}
        if declared.ports is not None and rows.port is not None:
            variables |= _of_ports(name, values, about, rows, rows.port, int(declared.ports.least))
            continue
        variables[name] = _scatter(values, site, day, rows, about)
        for suffix, column, words in (
            (QC_SUFFIX, variable.qc, "share of the day measured or well filled"),
            (MEASURED_SUFFIX, variable.measured, "share of the day measured"),
        ):
            if column is not None:
                share = _share(rows, column)
                if days is not None:
                    share = days.share(share, _canonical(rows, name, variable))
                variables[name + suffix] = _scatter(share, site, day, rows, share_of(name, words))
    axes = coordinates(rows.site_ids, places.lat, places.lon, rows.first_day, rows.days, declared.calendar)
    about = described(declared.product, declared.version, declared.licence, declared.citation, notes)
    return xr.Dataset({**variables, **_fixed(places, rows)}, axes, about)


def _flux_or_driver(
    rows: DailyRows,
    name: str,
    variable: DailyVariable,
    days: Days | None,
    columns: dict[str, NDArray[np.bool_]],
    notes: list[str],
) -> tuple[NDArray[np.float64], dict[str, int]]:
    """Return one variable (row,) in its canonical unit, implausible values masked, and the account of it.

    Steps are put together to ``days`` first: (day,), and what is implausible is so as a day. A sum is missing where one
    of its ``columns`` is implausible as a flux of its own: two errors may cancel.
    """
    values = _canonical(rows, name, variable)
    account = opened(values)
    if days is not None:
        values = days.over(name, values, variable.unit)
        account[DAYS_OF_STEPS] = int(np.isfinite(values).sum())
    outside = _outside(name, values)
    if outside.any():
        low, high = lookup(name).plausible
        count = int(outside.sum())
        notes.append(f"{name}: {count} values outside [{low:g}, {high:g}] {lookup(name).unit} were masked")
    terms = [columns[column] for _, column in variable.terms if variable.sum and column in columns]
    of_terms = np.logical_or.reduce(terms) & np.isfinite(values) & ~outside if terms else np.zeros_like(outside)
    if of_terms.any():
        notes.append(f"{name}: {int(of_terms.sum())} values made of an implausible one were masked")
    masked = np.where(outside | of_terms, np.nan, values)
    return masked, {**account, PLAUSIBLE: int(np.isfinite(masked).sum())}


def _implausible_columns(rows: DailyRows, declared: ColumnMap, days: Days | None) -> dict[str, NDArray[np.bool_]]:
    """Rows (row,), or days of steps (day,), in which a column that is a flux by itself is implausible as that flux."""
    made = {}
    for name, variable in declared.variables.items():
        if name in TARGETS and variable.column is not None:
            values = _canonical(rows, name, variable)
            made[variable.column] = _outside(name, values if days is None else days.over(name, values, variable.unit))
    return made


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
    name: str,
    values: NDArray[np.float64],
    about: dict[str, str],
    rows: DailyRows,
    port: NDArray[np.int64],
    least: int,
) -> dict[str, xr.DataArray]:
    """Return a variable over the ports of each site; of a flux also how ports differ, and how many they were."""
    made = over_ports(values, rows.site, rows.day, port, least)
    columns = {name: (made.mean, about)}
    if name in TARGETS:
        known = lookup(name)
        words = {"units": known.unit, "long_name": f"standard deviation over ports: {known.long_name}"}
        columns[name + SPREAD_SUFFIX] = (made.spread, words)
        columns[name + PORTS_SUFFIX] = (made.ports, {"units": "1", "long_name": "ports that measured"})
        whole = np.ones(len(made.day))  # a chamber's flux is measured or missing, never filled
        columns[name + QC_SUFFIX] = (whole, share_of(name, "share of the day measured or well filled"))
        columns[name + MEASURED_SUFFIX] = (whole, share_of(name, "share of the day measured"))
    dense = {key: _scatter(numbers, made.site, made.day, rows, each) for key, (numbers, each) in columns.items()}
    dense[name].attrs.update(kept({**account_of(dense[name]), DAYS_OF_PORTS: len(made.day)}))
    return dense


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
