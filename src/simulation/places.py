"""Where the towers stand and which grid cells are simulated."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..land import on_land
from .climate import Climate, normals
from .fields import generator

Places = tuple[NDArray[np.float64], NDArray[np.float64]]
Suitable = Callable[[Climate], NDArray[np.bool_]]

SOUTH, NORTH = -50.0, 72.0  # degrees; Antarctica carries no towers
GRID = 0.5  # degrees
_NEAR_AN_OLDER_TOWER = 0.15  # share of towers that join another within 50 km
_IN_A_NETWORK = 0.6  # share that stands in a region with many
# Regions with many towers: latitude, longitude, spread in degrees.
_NETWORKS = (
    (50.0, 9.0, 5.0),
    (63.0, 23.0, 4.0),
    (42.0, -88.0, 5.0),
    (39.0, -120.0, 3.0),
    (55.0, -106.0, 6.0),
    (64.0, -148.0, 4.0),
    (36.0, 128.0, 6.0),
    (-35.0, 146.0, 4.0),
    (-30.0, -58.0, 4.0),
)
_ICE_SHEET = (58.0, 84.0, -58.0, -18.0)  # Greenland and Iceland: south, north, west, east
_BATCH = 512


def _habitable(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Land within the latitudes of the world and off the ice (point,)."""
    south, north, west, east = _ICE_SHEET
    ice = (lat > south) & (lat < north) & (lon > west) & (lon < east)
    return (lat >= SOUTH) & (lat <= NORTH) & ~ice & on_land(lat, lon)


def draw_cells(seed: int, name: str, count: int, suitable: Suitable) -> Places:
    """Draw centres of half-degree land cells without repeats; a smaller draw is the start of a larger one.

    Raises
    ------
    UserError
        If the world has fewer suitable cells.
    """
    lat, lon = (
        axis.ravel()
        for axis in np.meshgrid(
            np.arange(SOUTH + GRID / 2, NORTH, GRID), np.arange(-180.0 + GRID / 2, 180.0, GRID), indexing="ij"
        )
    )
    order = generator(seed, f"places/cells/{name}").permutation(np.flatnonzero(_habitable(lat, lon)))
    kept: list[NDArray[np.int64]] = []
    for first in range(0, len(order), _BATCH):
        batch = order[first : first + _BATCH]
        kept.append(batch[suitable(normals(seed, lat[batch], lon[batch]))])
        if sum(map(len, kept)) >= count:
            break
    cells = np.concatenate(kept)[:count]
    if len(cells) < count:
        raise UserError(
            f"places={count}: the embedded world has only {len(cells)} grid cells for {name}; ask for fewer"
        )
    return lat[cells], lon[cells]


def draw_towers(seed: int, name: str, count: int, suitable: Suitable) -> Places:
    """Draw towers on land, crowded as real ones are: in networks, often within 50 km of another.

    A smaller draw is the start of a larger one.
    """
    rng = generator(seed, f"places/towers/{name}")
    towers = np.empty((0, 2))
    while len(towers) < count:
        lat, lon = _candidates(rng, towers)
        good = _habitable(lat, lon)
        good[good] = suitable(normals(seed, lat[good], lon[good]))
        # a batch brings few towers, so that later ones can join earlier ones
        towers = np.concatenate([towers, np.stack([lat[good], lon[good]], axis=1)[:4]])
    return towers[:count, 0], towers[:count, 1]


def _candidates(rng: np.random.Generator, towers: NDArray[np.float64], size: int = 24) -> Places:
    """Places (candidate,) near older towers, in networks or anywhere, before it is known whether they are land."""
    anywhere_lat = np.degrees(np.arcsin(rng.uniform(np.sin(np.radians(SOUTH)), np.sin(np.radians(NORTH)), size)))
    anywhere_lon = rng.uniform(-180.0, 180.0, size)
    region = np.array(_NETWORKS)[rng.integers(len(_NETWORKS), size=size)]
    spread = rng.standard_normal((2, size)) * region[:, 2]
    network_lon = region[:, 1] + spread[1] / np.cos(np.radians(region[:, 0]))
    lot = rng.random(size)
    network = lot < _IN_A_NETWORK
    lat = np.where(network, region[:, 0] + spread[0], anywhere_lat)
    lon = np.where(network, network_lon, anywhere_lon)
    joins, distance, bearing = rng.random(size), rng.uniform(4.0, 40.0, size), rng.uniform(0.0, 2.0 * np.pi, size)
    if len(towers):
        old = towers[rng.integers(len(towers), size=size)]
        near = joins < _NEAR_AN_OLDER_TOWER
        lat = np.where(near, old[:, 0] + distance / 111.2 * np.cos(bearing), lat)
        lon = np.where(near, old[:, 1] + distance / 111.2 * np.sin(bearing) / np.cos(np.radians(old[:, 0])), lon)
    # rounded as site tables are, so that a place read back from one is the same place
    return np.round(np.clip(lat, -89.0, 89.0), 4), np.round((lon + 180.0) % 360.0 - 180.0, 4)
