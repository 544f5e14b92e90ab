"""How wrong a simulation is: from fluxes that tell all to fluxes that tell nothing, or the opposite.

What a simulation is worth to the towers is known by construction: ``true`` has no error, ``simpler`` misses mechanisms,
``shuffled`` keeps the distribution of fluxes and nothing else, and ``half_a_year_late`` has summer in winter.
"""

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

from ..config.sources import EmbeddedSource
from .fields import generator
from .series import Series

HALF_A_YEAR = 183  # days
TRUE = "true"

Rearranged = Callable[[Series, int], Series]  # a flux (site, day) and the seed of the world


def _shuffled(flux: Series, seed: int) -> Series:
    order = generator(seed, "simulation/shuffled").permutation(flux.size)  # one order for all fluxes of a day
    return flux.ravel()[order].reshape(flux.shape)


def _half_a_year_late(flux: Series, seed: int) -> Series:
    return np.roll(flux, HALF_A_YEAR, axis=1)


REARRANGED: dict[str, Rearranged] = {"shuffled": _shuffled, "half_a_year_late": _half_a_year_late}


def told_by(source: EmbeddedSource, cube: xr.Dataset, targets: Sequence[str]) -> xr.Dataset:
    """Return the cells' cube with its fluxes as the simulator of the source tells them; drivers stay as they are."""
    if source.face == "towers" or source.simulator not in REARRANGED:
        return cube
    rearrange = REARRANGED[source.simulator]
    return cube.assign(
        {
            name: (cube[name].dims, rearrange(cube[name].to_numpy(), source.seed), cube[name].attrs)
            for name in targets
            if name in cube
        }
    )
