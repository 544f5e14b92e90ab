"""Random fields on the sphere that can be asked anywhere, and random numbers that belong to a place.

A field is a sum of plane waves through three-dimensional space (random Fourier features: Rahimi and Recht 2007),
restricted to the sphere. Frequencies drawn from a multivariate Student t with three degrees of freedom give the Matern
3/2 covariance in the chord between two points (Rasmussen and Williams 2006, eq. 4.17). Because a field is a function
and no grid, towers and grid cells asked at the same coordinates get the same answer.
"""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..geography import EARTH_RADIUS_KM, unit_vectors

WAVES = 96  # wave pairs a field; the sampled covariance errs by about 1 / sqrt(WAVES)
_DEGREES_OF_FREEDOM = 3  # of the Student t: twice the Matern smoothness of 3/2
_PLACE_GRAIN = 1e4  # places a ten-thousandth of a degree (10 m) apart are different places


def generator(seed: int, stream: str, *keys: int) -> np.random.Generator:
    """Random numbers that depend on the world's seed, the name of their use and integer keys only."""
    return np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(stream.encode()), *keys]))


def matern(distance_km: ArrayLike, range_km: float) -> NDArray[np.float64]:
    """Matern 3/2 correlation at a distance: 0.48 at one range, 0.14 at two."""
    scaled = np.sqrt(3.0) * np.asarray(distance_km, np.float64) / range_km
    return np.asarray((1.0 + scaled) * np.exp(-scaled))


@dataclass(frozen=True)
class Waves:
    """The spatial modes of one kind of field.

    Attributes
    ----------
    frequency : (wave, 3), per radius of the Earth.
    """

    frequency: NDArray[np.float64]

    @classmethod
    def draw(cls, seed: int, stream: str, range_km: float) -> "Waves":
        """Draw the modes of a field with the given correlation range."""
        rng = generator(seed, stream + "/waves")
        normal = rng.standard_normal((WAVES, 3))
        chi = rng.chisquare(_DEGREES_OF_FREEDOM, (WAVES, 1))
        return cls(normal * np.sqrt(_DEGREES_OF_FREEDOM / chi) * EARTH_RADIUS_KM / range_km)

    def at(self, lat: NDArray[np.float64], lon: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values (site, 2 * wave) of the modes, scaled so that unit-variance weights give a unit-variance field."""
        # einsum, not matmul: a row's value must not depend on how many rows are asked for
        phase = np.einsum("sx,wx->sw", unit_vectors(lat, lon), self.frequency)
        return np.asarray(np.concatenate([np.cos(phase), np.sin(phase)], axis=1) / np.sqrt(len(self.frequency)))


def static_field(
    seed: int, stream: str, range_km: float, lat: NDArray[np.float64], lon: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Evaluate a standard normal field (site,) that never changes."""
    weights = generator(seed, stream + "/weights").standard_normal(2 * WAVES)
    return np.asarray(np.einsum("sw,w->s", Waves.draw(seed, stream, range_km).at(lat, lon), weights))


def local_generators(
    seed: int, stream: str, lat: NDArray[np.float64], lon: NDArray[np.float64], *keys: int
) -> list[np.random.Generator]:
    """One generator a place, tied to its coordinates: what no neighbour shares."""
    rows = np.rint((np.asarray(lat) + 90.0) * _PLACE_GRAIN).astype(np.int64)
    columns = np.rint((np.asarray(lon) + 180.0) * _PLACE_GRAIN).astype(np.int64)
    return [generator(seed, stream, int(row), int(column), *keys) for row, column in zip(rows, columns, strict=True)]


def local_normal(seed: int, stream: str, lat: NDArray[np.float64], lon: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draw standard normal numbers (site,), independent from place to place."""
    return np.array([rng.standard_normal() for rng in local_generators(seed, stream, lat, lon)])
