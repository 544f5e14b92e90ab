"""What makes two towers under the same weather differ, and is on no map."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..config.sources import EmbeddedSource
from .fields import local_normal, static_field


@dataclass(frozen=True)
class WorldParameters:
    """How strongly hidden properties act and how far they reach.

    Attributes
    ----------
    hidden_range_km : correlation range of their shared part (Matern 3/2).
    hidden_share : share of their variance that neighbours share; the rest is the place's own.
    level : spread (standard deviation of the logarithm) of a site's methane production, plants and oxidation.
    water : spread of a wetland's mean water table, mm of storage.
    response : spread of the logarithm of responses to the day's weather: Q10, activation, stomata, timing.
    leaf_out : spread of the temperatures between which a wetland's leaves come out, K.
    vigour : spread of the logarithm of efficiency, leaf area and respiration.
    """

    hidden_range_km: float = 700.0
    hidden_share: float = 0.5
    level: float = 0.25
    water: float = 12.0
    response: float = 0.2
    leaf_out: float = 1.0
    vigour: float = 0.25

    @classmethod
    def of(cls, source: EmbeddedSource) -> "WorldParameters":
        """Return the parameters of a source; role separation multiplies ``response`` and ``leaf_out``, nothing else."""
        return cls(
            hidden_range_km=source.hidden_range_km,
            hidden_share=source.hidden_share,
            response=source.role_separation * cls.response,
            leaf_out=source.role_separation * cls.leaf_out,
        )


@dataclass(frozen=True)
class Hidden:
    """Hidden properties of places, asked by name."""

    seed: int
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    world: WorldParameters

    def normal(self, name: str) -> NDArray[np.float64]:
        """Draw a standard normal property (site,): partly a field that neighbours share, partly the place's own."""
        share = self.world.hidden_share
        field = static_field(self.seed, f"hidden/{name}", self.world.hidden_range_km, self.lat, self.lon)
        own = local_normal(self.seed, f"hidden/{name}", self.lat, self.lon)
        return np.asarray(np.sqrt(share) * field + np.sqrt(1.0 - share) * own)

    def factor(self, name: str, spread: float) -> NDArray[np.float64]:
        """Log-normal factor (site,) with median 1, held within 2 spreads."""
        return np.asarray(np.exp(spread * np.clip(self.normal(name), -2.0, 2.0)))
