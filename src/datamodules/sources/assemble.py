"""From values in the order of a file to a cube: days on one axis, units of the house, what is implausible masked."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ...variables import lookup
from ..cube import CELL_SIZE, attributes
from .account import PLAUSIBLE, SITE_DAYS, Account, kept, opened

AREA = "flux_is_per_area_of"  # attribute of a flux of a grid: wetland, or the whole cell

Doubles = NDArray[np.floating]


def plausible(name: str, values: Doubles, notes: list[str]) -> Doubles:
    """Mask what lies outside the plausible range of a variable of the house; say how many in ``notes``."""
    low, high = lookup(name).plausible
    outside = (values < low) | (values > high)
    if outside.any():
        notes.append(f"{name}: {int(outside.sum())} values outside [{low:g}, {high:g}] {lookup(name).unit} were masked")
    return np.where(outside, np.nan, values)


def plausible_days(
    name: str, values: Doubles, notes: list[str], before: Account | None = None, unit: str = ""
) -> xr.DataArray:
    """Make a driver or target (site, day) of the cube, masked where implausible, and close its account.

    Parameters
    ----------
    before : what became of its values up to here; none, and the account begins with ``values`` on days.
    unit : in the files, where it is known.
    """
    masked = plausible(name, values, notes)
    account = {**(opened(values, SITE_DAYS) if before is None else before), PLAUSIBLE: int(np.isfinite(masked).sum())}
    return on_days(masked, {**attributes(name), **kept(account, unit)})


def on_days(values: NDArray[np.floating], about: dict[str, str]) -> xr.DataArray:
    """Make a variable of the cube of (site, day)."""
    return xr.DataArray(values.astype(np.float32, copy=False), dims=("site", "time"), attrs=about)


def share_of(name: str, words: str) -> dict[str, str]:
    """CF attributes of a share of the day."""
    return {"units": "1", "long_name": f"{words}: {lookup(name).long_name}"}


def coordinates(
    site_ids: Sequence[str], lat: Doubles, lon: Doubles, first_day: np.datetime64, days: int, calendar: str
) -> dict[str, xr.DataArray]:
    """Coordinates of a cube whose days follow one another from the first."""
    time = (first_day + np.arange(days)).astype("datetime64[ns]")
    return {
        "site_id": xr.DataArray(np.array(site_ids), dims="site", attrs={"cf_role": "timeseries_id"}),
        "lat": xr.DataArray(lat, dims="site", attrs={"units": "degrees_north", "standard_name": "latitude"}),
        "lon": xr.DataArray(lon, dims="site", attrs={"units": "degrees_east", "standard_name": "longitude"}),
        "time": xr.DataArray(time, dims="time", attrs={"standard_name": "time", "source_calendar": calendar}),
    }


def of_cells(cube: xr.Dataset, height: Doubles | float, width: Doubles | float) -> xr.Dataset:
    """Say that the sites of a cube are cells of a grid, and how large, degrees from edge to edge."""
    sizes = {
        name: ("site", np.broadcast_to(np.asarray(size, np.float64), cube.sizes["site"]).copy(), {"units": "degrees"})
        for name, size in zip(CELL_SIZE, (height, width), strict=True)
    }
    return cube.assign_coords(sizes).assign_attrs(places="cells")


def described(product: str, version: str, licence: str, citation: str, notes: Sequence[str]) -> dict[str, str]:
    """Attributes of a cube: what it is, whose, and what was done while it was read."""
    return {
        "title": product,
        "source": f"{product}, {version}" if version else product,
        "licence": licence,
        "citation": citation,
        "Conventions": "CF-1.11",
        "featureType": "timeSeries",
        "reading_notes": "\n".join(notes),
    }
