"""Where there is land: the coarse outlines that the embedded world places sites on and that maps are drawn with."""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

_FILE = Path(__file__).with_name("land_110m.json")


@lru_cache(maxsize=1)
def land_polygons() -> list[list[NDArray[np.float64]]]:
    """Outlines of the land at 1:110 million (Natural Earth, public domain).

    Returns
    -------
    polygons, each a list of closed rings of shape (vertex, 2) holding longitude and latitude in degrees: the first
    ring is the shore, further rings are holes (the Caspian Sea).
    """
    polygons = json.loads(_FILE.read_text(encoding="utf-8"))["polygons"]
    return [[np.asarray(ring, dtype=np.float64).reshape(-1, 2) for ring in rings] for rings in polygons]


@lru_cache(maxsize=1)
def _edges() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Start and end (edge, 2) of every edge of every ring."""
    rings = [ring for polygon in land_polygons() for ring in polygon]
    return np.concatenate(rings), np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])


@lru_cache(maxsize=32_768)  # a grid asks for the same parallels again and again
def shore_crossings(lat: float) -> NDArray[np.float64]:
    """Longitudes, rising, at which the parallel ``lat`` crosses a shore: land lies between 1st and 2nd, 3rd and 4th."""
    start, end = _edges()
    crosses = (start[:, 1] > lat) != (end[:, 1] > lat)
    a, b = start[crosses], end[crosses]
    crossings = np.sort(a[:, 0] + (lat - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0]))
    crossings.flags.writeable = False
    return crossings


def on_land(lat: ArrayLike, lon: ArrayLike) -> NDArray[np.bool_]:
    """Whether points (point,), in degrees, with longitudes in [-180, 180], lie on land (even-odd rule)."""
    lat, lon = np.atleast_1d(np.asarray(lat, dtype=np.float64)), np.atleast_1d(np.asarray(lon, dtype=np.float64))
    parallels, row = np.unique(lat, return_inverse=True)
    inside = np.zeros(lat.shape, dtype=np.bool_)
    order = np.argsort(row, kind="stable")
    for parallel, members in zip(parallels, np.split(order, np.flatnonzero(np.diff(row[order])) + 1), strict=True):
        inside[members] = np.searchsorted(shore_crossings(float(parallel)), lon[members]) % 2 == 1
    return inside
