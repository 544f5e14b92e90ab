"""Places on the sphere: great-circle distances, unit vectors and clusters of towers."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

EARTH_RADIUS_KM = 6371.0088
"""Mean radius R1 of the Earth, km (Moritz 2000, Geodetic Reference System 1980)."""

BORDER_DEGREES = 0.5  # cells this close to a held-out one, or one cell of a coarser grid, are used by nobody


def haversine_km(lat1: ArrayLike, lon1: ArrayLike, lat2: ArrayLike, lon2: ArrayLike) -> NDArray[np.float64]:
    """Great-circle distance in km between points in degrees; arguments broadcast.

    The haversine form keeps its precision for near points, where the cosine of the angle has lost it (Sinnott 1984,
    Sky and Telescope 68).
    """
    phi1, lam1, phi2, lam2 = (np.radians(np.asarray(a, dtype=np.float64)) for a in (lat1, lon1, lat2, lon2))
    h = np.sin((phi2 - phi1) / 2) ** 2 + np.cos(phi1) * np.cos(phi2) * np.sin((lam2 - lam1) / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(h, 1.0))))


def cells_that_hold(
    lat: NDArray[np.float64],
    lon: NDArray[np.float64],
    height: NDArray[np.float64],
    width: NDArray[np.float64],
    places_lat: NDArray[np.float64],
    places_lon: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Mask (cell, place) of grid cells, by their centres and their degrees from edge to edge, that hold places."""
    north = np.abs(places_lat[None] - lat[:, None])
    east = np.abs((places_lon[None] - lon[:, None] + 180.0) % 360.0 - 180.0)
    return np.asarray((north <= height[:, None] / 2) & (east <= width[:, None] / 2))


def touching_cells(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> NDArray[np.int64]:
    """Pairs (pair, 2) of cells of one grid, by their centres, that lie within one cell of each other, round the globe.

    A cell is as wide as the grid's spacing, at least ``BORDER_DEGREES``.
    """
    width = np.array([_spacing(lat), _spacing(lon)])
    east = lon % 360.0
    places = np.stack([lat, np.where(east < 360.0, east, 0.0)], axis=-1) / width
    tree = cKDTree(places, boxsize=[0.0, 360.0 / width[1]])  # latitudes do not close to a ring
    return np.asarray(tree.query_pairs(1.0, p=np.inf, output_type="ndarray"), np.int64)


def _spacing(degrees: NDArray[np.float64]) -> float:
    """Distance between the rows or columns of a grid; of a fine one, and of places on no grid, ``BORDER_DEGREES``."""
    steps = np.diff(np.unique(np.round(degrees, 3)))
    spacing = float(steps.min()) + 1e-3 if len(steps) else 0.0  # positions were rounded
    return max(BORDER_DEGREES, spacing)


def unit_vectors(lat: ArrayLike, lon: ArrayLike) -> NDArray[np.float64]:
    """Points on the unit sphere, (..., 3), of latitudes and longitudes in degrees."""
    phi, lam = np.radians(np.asarray(lat, dtype=np.float64)), np.radians(np.asarray(lon, dtype=np.float64))
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)


def tower_clusters(lat: ArrayLike, lon: ArrayLike, km: float) -> NDArray[np.int64]:
    """Cluster code (site,) of each site: sites closer than ``km``, directly or through others, share one.

    Codes count from 0 in the order in which clusters first appear.
    """
    lat, lon = np.asarray(lat, dtype=np.float64), np.asarray(lon, dtype=np.float64)
    # the chord of the arc, a metre longer: rounding may add candidates to be tested, never lose one
    chord = 2 * np.sin(min((km + 1e-3) / (2 * EARTH_RADIUS_KM), np.pi / 2))
    pairs = cKDTree(unit_vectors(lat, lon)).query_pairs(chord, output_type="ndarray")
    a, b = pairs[:, 0], pairs[:, 1]
    near = haversine_km(lat[a], lon[a], lat[b], lon[b]) < km
    graph = coo_array((np.ones(near.sum()), (a[near], b[near])), shape=(len(lat), len(lat)))
    _, label = connected_components(graph, directed=False)
    _, first, code = np.unique(label, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[code].astype(np.int64)
