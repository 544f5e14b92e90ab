"""A made-up world: towers to train on, and a 0.5-degree land grid to predict. Weather of the right shape, no more."""

from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from raciflux.datamodules.cube import attributes
from raciflux.land import on_land
from raciflux.workflow.partial_store import growing

STEP = 0.5  # degrees
SOUTHERNMOST = -56.0  # degrees north: Antarctica has no towers
TOWERS, TOWER_YEARS = 120, 4
CHUNK = 512  # cells, as a pool stores them
FIRST_DAY = np.datetime64("2001-01-01", "ns")
CLASSES = np.array(["GRA", "ENF", "DBF", "CRO"])
# mean, mean over latitude, seasonal swing, day-to-day spread of each driver, in its unit
WEATHER = {
    "TA": (25.0, -0.4, 10.0, 3.0),
    "TA_MIN": (20.0, -0.4, 10.0, 3.0),
    "TA_MAX": (30.0, -0.4, 10.0, 3.0),
    "SW": (220.0, -1.5, 80.0, 40.0),
    "VPD": (8.0, -0.05, 4.0, 2.0),
    "P": (2.0, 0.0, 0.5, 1.0),
    "FAPAR": (0.5, 0.0, 0.2, 0.05),
}
NEVER_NEGATIVE = ("SW", "VPD", "P", "FAPAR")


def land_cells() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Latitudes and longitudes (cell,) of the centres of all land cells north of Antarctica."""
    north, east = np.arange(SOUTHERNMOST + STEP / 2, 90, STEP), np.arange(-180 + STEP / 2, 180, STEP)
    lat, lon = (each.ravel() for each in np.meshgrid(north, east, indexing="ij"))
    land = on_land(lat, lon)
    return lat[land], lon[land]


def towers(seed: int) -> xr.Dataset:
    """Return towers with a GPP that follows their weather."""
    rng = np.random.default_rng([seed, 0])
    lat, lon = land_cells()
    drawn = np.sort(rng.choice(len(lat), TOWERS, replace=False))
    cube = places(lat[drawn], lon[drawn], "T", TOWER_YEARS, rng)
    gpp = np.maximum(0.03 * cube["SW"] * cube["FAPAR"] + 0.1 * cube["TA"], 0).astype(np.float32)
    return cube.assign(GPP=gpp.assign_attrs(attributes("GPP")))


def write_grid(path: Path, years: int, seed: int, cells: int | None = None) -> None:
    """Write drivers of the land grid, or of its first cells, as a pool stores them."""
    rng = np.random.default_rng([seed, years])
    lat, lon = (each[:cells] for each in land_cells())
    with growing(path, len(lat), {}) as store:
        for number, first in enumerate(range(0, len(lat), CHUNK)):
            taken = slice(first, min(first + CHUNK, len(lat)))
            block = places(lat[taken], lon[taken], f"C{number:03d}-", years, rng)
            store.write(number, taken, block.assign_attrs(places="cells"))
        store.finish(path, {})


def places(
    lat: NDArray[np.float64], lon: NDArray[np.float64], name: str, years: int, rng: np.random.Generator
) -> xr.Dataset:
    """Return a cube of places with made-up weather."""
    time = FIRST_DAY + np.arange(365 * years) * np.timedelta64(1, "D")
    turn = np.where(lat < 0, np.pi, 0.0)[:, None]
    season = -np.cos(2 * np.pi * np.arange(len(time)) / 365.25 + turn).astype(np.float32)
    variables = {}
    for driver, (mean, slope, swing, spread) in WEATHER.items():
        level = (mean + slope * np.abs(lat) + rng.normal(0, spread, len(lat))).astype(np.float32)[:, None]
        noise = rng.standard_normal(season.shape, dtype=np.float32)
        values = level + np.float32(swing) * season + np.float32(spread) * noise
        daily = np.maximum(values, 0) if driver in NEVER_NEGATIVE else values
        variables[driver] = (("site", "time"), daily, attributes(driver))
    for static, (low, high) in {"elevation": (0, 2000), "mat": (-10, 28), "map": (100, 2500)}.items():
        variables[static] = ("site", rng.uniform(low, high, len(lat)).astype(np.float32), attributes(static))
    coordinates = {
        "site_id": ("site", np.array([f"{name}{place:04d}" for place in range(len(lat))])),
        "lat": ("site", lat),
        "lon": ("site", lon),
        "time": ("time", time, {"source_calendar": "standard"}),
    }
    return xr.Dataset(variables, coordinates).assign(igbp=("site", rng.choice(CLASSES, len(lat))))
