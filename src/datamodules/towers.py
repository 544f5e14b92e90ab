"""What a split may know of the towers: cluster, classes, temperature, which days have a flux; never the flux itself."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .cube import UNKNOWN


@dataclass(frozen=True)
class Towers:
    """The towers that are divided.

    Attributes
    ----------
    site_id : (site,) names.
    cluster : (site,) code of the cluster of each tower, see `geography.tower_clusters`.
    igbp, koppen : (site,) classes, "unknown" where nobody says.
    temperature : (site,) degC, mean air temperature of the record; NaN where there is none.
    labelled : (site, day) days that have a flux to learn from.
    time : (day,) dates.
    """

    site_id: NDArray[np.str_]
    cluster: NDArray[np.int64]
    igbp: NDArray[np.str_]
    koppen: NDArray[np.str_]
    temperature: NDArray[np.float64]
    labelled: NDArray[np.bool_]
    time: NDArray[np.datetime64]


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
    temperature = np.full(cube.sizes["site"], np.nan)
    if "TA" in cube:
        temperature = cube["TA"].astype(np.float64).mean("time").to_numpy()
    time = cube["time"].to_numpy()
    return Towers(cube["site_id"].to_numpy(), cluster, **classes, temperature=temperature, labelled=labelled, time=time)
