"""The axes of a field, whatever way round they are: cells by their edges from the south-west, steps by real days."""

from dataclasses import dataclass

import cftime
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ....errors import UserError
from .page import Field

LATITUDES, LONGITUDES, TIMES = ("lat", "latitude", "y", "nav_lat"), ("lon", "longitude", "x", "nav_lon"), ("time", "t")
REAL = ("standard", "gregorian", "proleptic_gregorian")
NO_LEAP = ("noleap", "365_day")
MONTHS_ONLY = ("360_day",)
UNEVEN = 1e-3  # share of a step by which longitudes may be off a regular spacing

Edges = NDArray[np.float64]


@dataclass(frozen=True)
class Axes:
    """Where the cells of a field are.

    Attributes
    ----------
    lat, lon : names of the dimensions. lat_edges, lon_edges : of rows and columns, rising, degrees.
    rows, columns : positions in the file, in that order.
    """

    lat: str
    lon: str
    lat_edges: Edges
    lon_edges: Edges
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows), len(self.columns)


@dataclass(frozen=True)
class Steps:
    """When the steps of a field are.

    Attributes
    ----------
    dimension : name of the dimension. month : of each step. day : of each step; None of a calendar without real days.
    no_leap : whether the calendar has 365 days.
    """

    dimension: str
    month: NDArray[np.datetime64]
    day: NDArray[np.datetime64] | None
    no_leap: bool


def axes_of(field: xr.DataArray, where: str) -> Axes:
    """Find latitudes and longitudes of a field.

    Raises
    ------
    UserError
        One of them is missing, not on one dimension, not monotone, or no degrees.
    """
    lat = _coordinate(field, LATITUDES, "degrees_north", "latitude", where)
    lon = _coordinate(field, LONGITUDES, "degrees_east", "longitude", where)
    north, east = (np.asarray(field[name].to_numpy(), np.float64) for name in (lat, lon))
    if not np.isfinite(north).all() or np.abs(north).max() > 90.0 + UNEVEN:
        raise UserError(f"{where}: latitudes reach {np.nanmax(np.abs(north)):g}, expected -90 to 90 degrees")
    if not np.isfinite(east).all() or east.min() < -360.0 or east.max() > 720.0:
        raise UserError(f"{where}: longitudes reach {np.nanmax(np.abs(east)):g}, expected degrees east")
    rows = np.argsort(north)
    if (np.diff(north[rows]) <= 0).any() or not (np.array_equal(rows, np.sort(rows)) or (np.diff(rows) == -1).all()):
        raise UserError(f"{where}: latitudes neither rise nor fall from row to row; sort the file")
    wrapped = (east + 180.0) % 360.0 - 180.0
    columns = np.argsort(wrapped)
    step = np.diff(wrapped[columns])
    if len(step) and (step.min() <= 0 or step.max() - step.min() > UNEVEN * step.max() + 1e-4):
        raise UserError(f"{where}: longitudes are not evenly spaced round the world; regrid the file first")
    half = step.mean() / 2 if len(step) else 180.0
    lon_edges = np.append(wrapped[columns] - half, wrapped[columns][-1] + half)
    return Axes(lat, lon, np.clip(_edges(north[rows]), -90, 90), lon_edges, rows, columns)


def steps_of(field: xr.DataArray, dataset: xr.Dataset, declared: Field, where: str) -> Steps | None:
    """Find the time axis of a field; None of a field without one.

    Raises
    ------
    UserError
        The axis cannot be read as days or months of a calendar.
    """
    dimension = next((str(name) for name in field.dims if str(name).lower() in TIMES), None)
    if dimension is None:
        return None
    if declared.first is not None:
        return _counted(dimension, field.sizes[dimension], declared)
    if dimension not in dataset.variables:
        raise UserError(f"{where}: the dimension {dimension!r} has no values; declare 'first' in the product's page")
    axis = dataset[dimension]
    calendar = str(axis.attrs.get("calendar", "standard")).lower()
    if calendar not in (*REAL, *NO_LEAP, *MONTHS_ONLY):
        raise UserError(f"{where}: calendar {calendar!r} is not read; convert the file to a real or 365-day one")
    dates = _decoded(_middles(axis, dataset), str(axis.attrs.get("units", "")), calendar, where)
    month = np.array([f"{date.year:04d}-{date.month:02d}" for date in dates], "datetime64[M]")
    if calendar in MONTHS_ONLY:
        return Steps(dimension, month, None, no_leap=False)
    day = np.array([f"{date.year:04d}-{date.month:02d}-{date.day:02d}" for date in dates], "datetime64[D]")
    return Steps(dimension, month, day, calendar in NO_LEAP)


def _middles(axis: xr.DataArray, dataset: xr.Dataset) -> NDArray[np.float64]:
    """Return the middle of each step where the file bounds its steps, else its stamps.

    Many models stamp a mean at the end of its step (CLM: that of January at 1 February 00:00); only its bounds
    (CF-1.11, section 7.1) say which day or month it is of.
    """
    stamps = np.asarray(axis.to_numpy(), np.float64)
    name = axis.attrs.get("bounds")
    if name not in dataset.variables:
        return stamps
    bounds = dataset[name]
    told = np.asarray(bounds.to_numpy(), np.float64)
    same_unit = bounds.attrs.get("units", axis.attrs.get("units")) == axis.attrs.get("units")
    return told.mean(-1) if same_unit and told.shape == (*stamps.shape, 2) and np.isfinite(told).all() else stamps


def _decoded(values: NDArray[np.float64], units: str, calendar: str, where: str) -> list[cftime.datetime]:
    try:
        if units.lower().startswith("months since"):
            start = cftime.num2date(0, "days" + units[len("months") :], calendar, only_use_cftime_datetimes=True)
            months = start.year * 12 + start.month - 1 + np.floor(values).astype(int)
            return [cftime.datetime(int(m) // 12, int(m) % 12 + 1, 1, calendar=calendar) for m in months]
        decoded = cftime.num2date(values, units, calendar, only_use_cftime_datetimes=True)
    except (ValueError, OverflowError, TypeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(
            f"{where}: the time axis, in {units!r}, cannot be read ({reason}); declare 'first' in the product's page"
        ) from None
    dates = list(np.atleast_1d(np.ma.filled(decoded, None)))
    if not dates or any(date is None or not 1678 <= date.year <= 2261 for date in dates):
        raise UserError(f"{where}: the time axis holds no dates of our time; declare 'first' in the product's page")
    return dates


def _counted(dimension: str, count: int, declared: Field) -> Steps:
    assert declared.first is not None
    begin = np.datetime64(declared.first.day)
    if declared.first.step == "month":
        return Steps(dimension, begin.astype("datetime64[M]") + np.arange(count), None, no_leap=False)
    days = begin + np.arange(count)
    return Steps(dimension, days.astype("datetime64[M]"), days, no_leap=False)


def _coordinate(field: xr.DataArray, names: tuple[str, ...], unit: str, standard: str, where: str) -> str:
    for dimension in map(str, field.dims):
        if dimension not in field.coords:
            continue
        attributes = field[dimension].attrs
        if attributes.get("units") == unit or attributes.get("standard_name") == standard or dimension.lower() in names:
            return dimension
    raise UserError(
        f"{where}: no {standard} among the dimensions {', '.join(map(str, field.dims))}; "
        "fields on rotated or irregular grids need regridding first"
    )


def _edges(middle: Edges) -> Edges:
    if len(middle) == 1:
        return np.array([-90.0, 90.0])
    between = (middle[1:] + middle[:-1]) / 2
    return np.concatenate([[2 * middle[0] - between[0]], between, [2 * middle[-1] - between[-1]]])
