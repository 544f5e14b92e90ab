"""Writes gridded products the way their makers do: NetCDF or Zarr, either way up, of any longitude and calendar."""

from pathlib import Path

import cftime
import numpy as np
import xarray as xr
from numpy.typing import NDArray

ROWS, COLUMNS = 18, 36  # ten degrees


def truth(steps: int, seed: int = 0, rows: int = ROWS) -> NDArray[np.float64]:
    """A field (step, row, column) from the south-west, NaN over an ocean."""
    rng = np.random.default_rng([seed, rows])
    values = rng.uniform(1.0, 5.0, (steps, rows, 2 * rows))
    values[:, :, : rows // 3] = np.nan
    return np.asarray(values)


def months(first: int, years: int, calendar: str) -> list[cftime.datetime]:
    """The middle of each month."""
    return [cftime.datetime(first + m // 12, m % 12 + 1, 15, calendar=calendar) for m in range(12 * years)]


def days(first: int, years: int, calendar: str) -> list[cftime.datetime]:
    """Every day of some years, at noon."""
    begin = cftime.datetime(first, 1, 1, 12, calendar=calendar)
    end = cftime.datetime(first + years, 1, 1, 12, calendar=calendar)
    return list(cftime.num2date(np.arange((end - begin).days), f"days since {first}-01-01 12:00", calendar))


def write_product(
    path: Path,
    values: NDArray[np.float64],
    dates: list[cftime.datetime] | None,
    *,
    name: str = "ch4",
    unit: str = "mgCH4 m-2 d-1",
    calendar: str = "standard",
    north_first: bool = False,
    from_greenwich: bool = False,
    names: tuple[str, str, str] = ("time", "lat", "lon"),
    bounds: list[cftime.datetime] | None = None,
) -> Path:
    """Write one field; ``dates=None`` writes a map. ``bounds``: where each step begins, and the last one ends."""
    rows = values.shape[-2]
    lat = -90 + (np.arange(rows) + 0.5) * 180 / rows
    lon = -180 + (np.arange(2 * rows) + 0.5) * 180 / rows
    if north_first:
        values, lat = values[..., ::-1, :], lat[::-1]
    if from_greenwich:
        values, lon = np.roll(values, rows, -1), np.roll(lon, rows) % 360
    time, north, east = names
    dims = (time, north, east) if dates is not None else (north, east)
    coordinates = {
        north: (north, lat, {"units": "degrees_north"}),
        east: (east, lon, {"units": "degrees_east"}),
    }
    if dates is not None:
        units = "days since 1970-01-01"
        numbers = cftime.date2num(dates, units, calendar)
        coordinates[time] = (time, numbers, {"units": units, "calendar": calendar})
    attributes = {"units": unit} if unit else {}
    dataset = xr.Dataset({name: (dims, values.astype(np.float32), attributes)}, coordinates)
    if bounds is not None:
        edges = cftime.date2num(bounds, units, calendar)
        dataset["time_bounds"] = ((time, "hist_interval"), np.stack([edges[:-1], edges[1:]], axis=-1))
        dataset[time].attrs["bounds"] = "time_bounds"
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zarr":
        dataset.to_zarr(path, mode="w", consolidated=False)
    else:
        dataset.to_netcdf(path)
    return path


def write_page(path: Path, variables: str, more: str = "") -> Path:
    """Write a product's page."""
    path.write_text(f"product: made up\nlicence: CC0-1.0\ncitation: nobody\nvariables:\n{variables}\n{more}\n")
    return path
