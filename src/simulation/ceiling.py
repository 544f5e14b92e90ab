"""The ceiling of the embedded world: the truth at places whose own hidden properties nobody has seen.

A model that knew every equation and every parameter would still have to guess the hidden properties of an unseen
tower. The best guess there is comes from the hidden properties of the towers it may look at, weighted by the known
covariance (simple kriging; Cressie 1993, *Statistics for Spatial Data*, section 3.2). Nothing here can be had by a
model that learns from fluxes: it is an oracle, and stands outside the table of models.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from ..config.sources import EmbeddedSource
from ..geography import EARTH_RADIUS_KM, unit_vectors
from .climate import Sites
from .fields import local_generators, matern
from .hidden import Hidden, WorldParameters
from .series import Series
from .world import ECOSYSTEMS, recorded, setting

DRAWS = 16
_SAME_PLACE_KM = 0.01  # the grain of a place's own part, see ``fields.local_generators``
_JITTER = 1e-10  # keeps two towers of one place from making the covariance singular


@dataclass(frozen=True)
class Kriging:
    """What the hidden properties of a bank of towers say of those of other places; the same for every property.

    Attributes
    ----------
    weights : (place, tower); the conditional mean is ``weights @ known``.
    spread : (place,) standard deviation that is left.
    """

    weights: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def of(cls, lat: Sites, lon: Sites, bank_lat: Sites, bank_lon: Sites, world: WorldParameters) -> "Kriging":
        """Solve for the weights of towers (tower,) at places (place,), degrees."""
        places, bank = unit_vectors(lat, lon), unit_vectors(bank_lat, bank_lon)
        among = covariance(bank, bank, world) + _JITTER * np.eye(len(bank))
        across = covariance(places, bank, world)
        weights = np.asarray(np.linalg.solve(among, across.T).T, np.float64)
        return cls(weights, np.sqrt(np.clip(1.0 - (weights * across).sum(1), 0.0, 1.0)))


def covariance(a: NDArray[np.float64], b: NDArray[np.float64], world: WorldParameters) -> NDArray[np.float64]:
    """Covariance (a, b) of a hidden property between points on the unit sphere, as :meth:`.Hidden.normal` draws it.

    Matern 3/2 in the chord for the shared part; a place's own part is shared with nobody but a tower on the spot.
    """
    chord = EARTH_RADIUS_KM * np.linalg.norm(a[:, None] - b[None, :], axis=-1)
    share = world.hidden_share
    return np.asarray(share * matern(chord, world.hidden_range_km) + (1.0 - share) * (chord < _SAME_PLACE_KM))


@dataclass(frozen=True)
class KrigedHidden(Hidden):
    """One conditional draw of the hidden properties of places, given those of a bank.

    Attributes
    ----------
    bank : hidden properties of the towers that may be looked at.
    kriging : from that bank to these places.
    draw, draws : which draw of how many.
    """

    bank: Hidden
    kriging: Kriging
    draw: int
    draws: int

    def normal(self, name: str) -> NDArray[np.float64]:
        """Return the conditional mean of a property (place,), plus what is left of its spread times the draw.

        Draws are a Latin hypercube (McKay et al. 1979): each place meets the middle of every ``draws``-th of the
        normal distribution once, in an order of its own for each property; a single draw is the mean itself.
        """
        orders = local_generators(self.seed, f"ceiling/{name}", self.lat, self.lon)
        stratum = np.array([rng.permutation(self.draws)[self.draw] for rng in orders])
        deviation = norm.ppf((stratum + 0.5) / self.draws)
        return np.asarray(self.kriging.weights @ self.bank.normal(name) + self.kriging.spread * deviation)


def kriged_truth(
    pair: str,
    source: EmbeddedSource,
    lat: Sites,
    lon: Sites,
    bank_lat: Sites,
    bank_lon: Sites,
    draws: int = DRAWS,
) -> Series:
    """Return the true flux of places given the hidden properties of other towers alone.

    Parameters
    ----------
    pair, source : the world, as :func:`.world.embedded_cube` takes them.
    lat, lon : (place,) degrees, of the places asked about.
    bank_lat, bank_lon : (tower,) degrees, of the towers whose hidden properties are known.
    draws : conditional draws of the hidden properties whose fluxes are averaged: the more, the nearer to the
        conditional mean of the flux, which no prediction beats in mean square. 1 runs their conditional mean alone.

    Returns
    -------
    Flux (place, day) without observation error, in the target's unit, on the days of the source.
    """
    kind, world = ECOSYSTEMS[pair], WorldParameters.of(source)
    at = setting(kind, source, lat, lon)
    bank = Hidden(source.seed, bank_lat, bank_lon, world)
    kriging = Kriging.of(lat, lon, bank_lat, bank_lon, world)
    total = np.zeros((len(lat), len(at.days)))
    for draw in range(draws):
        total += kind.truth(at, KrigedHidden(source.seed, lat, lon, world, bank, kriging, draw, draws)).target
    return (total / draws)[:, recorded(source)]
