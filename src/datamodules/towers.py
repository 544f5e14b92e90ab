"""What a split may know of the towers: cluster, classes, temperature, which days have a flux; never the flux itself."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..geography import tower_clusters
from .cube import UNKNOWN
from .splits import grid_blocks

MONTHS_OF_A_YEAR = 10  # a record without more than two months of the year is as warm as the months it has


@dataclass(frozen=True)
class Towers:
    """The towers that are divided.

    Attributes
    ----------
    site_id : (site,) names.
    cluster : (site,) code of the cluster of each tower, see `geography.tower_clusters`.
    igbp, koppen : (site,) classes, "unknown" where nobody says.
    temperature : (site,) degC, mean air temperature of a year, see `annual_temperature`; NaN where nobody says.
    labelled : (site, day) days that have a flux to learn from.
    time : (day,) dates.
    lat, lon : (site,) degrees, of the cells of a grid; None of towers, which are divided by cluster alone.
    """

    site_id: NDArray[np.str_]
    cluster: NDArray[np.int64]
    igbp: NDArray[np.str_]
    koppen: NDArray[np.str_]
    temperature: NDArray[np.float64]
    labelled: NDArray[np.bool_]
    time: NDArray[np.datetime64]
    lat: NDArray[np.float64] | None = None
    lon: NDArray[np.float64] | None = None

    @property
    def cells(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """lat, lon (site,) of the cells of a grid; None of towers."""
        return None if self.lat is None or self.lon is None else (self.lat, self.lon)


def clusters_of(cube: xr.Dataset, km: float) -> NDArray[np.int64]:
    """Return the cluster (site,) of each place: of towers by distance, of the cells of a grid by block of 5 degrees.

    Parameters
    ----------
    km : towers closer than this share a cluster; with 0 every place, a cell too, is a cluster of its own.
    """
    lat, lon = cube["lat"].to_numpy().astype(np.float64), cube["lon"].to_numpy().astype(np.float64)
    return grid_blocks(lat, lon) if is_grid(cube) and km > 0 else tower_clusters(lat, lon, km)


def is_grid(cube: xr.Dataset) -> bool:
    """Whether the places of a cube are cells of a grid."""
    return cube.attrs.get("places") == "cells"


def describe_towers(cube: xr.Dataset, cluster: NDArray[np.int64], labelled: NDArray[np.bool_]) -> Towers:
    """Take from a cube what splits are drawn by.

    Parameters
    ----------
    cube : towers with a labelled day; leave the others out before, since they would be dealt like any other.
    cluster : (site,) cluster codes, computed on all sites before any was left out.
    labelled : (site, day) days that have a flux to learn from: of any target, if there are several.
    """
    nowhere = np.full(cube.sizes["site"], UNKNOWN)
    classes = {name: cube[name].to_numpy() if name in cube else nowhere for name in ("igbp", "koppen")}
    site_id, time = cube["site_id"].to_numpy(), cube["time"].to_numpy()
    lat, lon = (cube[name].to_numpy().astype(np.float64) if is_grid(cube) else None for name in ("lat", "lon"))
    temperature = annual_temperature(cube)
    return Towers(site_id, cluster, **classes, temperature=temperature, labelled=labelled, time=time, lat=lat, lon=lon)


def annual_temperature(cube: xr.Dataset) -> NDArray[np.float64]:
    """Return the mean air temperature of a year (site,), in degC, whatever months the records cover.

    It is the mean over calendar months of the months' means, where at least ten months have a day; else the static
    ``mat``; else, where nobody says it, the mean of the days there are.
    """
    nothing = np.full(cube.sizes["site"], np.nan)
    known = cube["mat"].to_numpy().astype(np.float64) if "mat" in cube else nothing
    if "TA" not in cube:
        return known
    daily = cube["TA"].transpose("site", "time").to_numpy().astype(np.float64)
    there = np.isfinite(daily)
    calendar = cube["time"].to_numpy().astype("datetime64[M]").astype(np.int64) % 12
    of_month = (calendar[:, None] == np.arange(12)).astype(np.float64)
    total, days = np.where(there, daily, 0.0) @ of_month, there @ of_month
    months = (days > 0).sum(1)
    monthly = np.divide(total, days, out=np.zeros_like(total), where=days > 0)
    annual = np.divide(monthly.sum(1), months, out=nothing.copy(), where=months > 0)
    plain = np.divide(total.sum(1), days.sum(1), out=nothing.copy(), where=months > 0)
    return np.where(months >= MONTHS_OF_A_YEAR, annual, np.where(np.isfinite(known), known, plain))
