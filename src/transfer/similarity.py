"""How like the towers a simulated place is, by the moments of its flux."""

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

LEAST_DAYS = 30  # of a place whose moments are told


def moments(flux: NDArray[np.float32], known: NDArray[np.bool_]) -> Doubles:
    """Return mean and standard deviation (site, target, 2) of fluxes (site, day, target); NaN of too few days."""
    values = np.where(known, flux, np.nan).astype(np.float64)
    enough = known.sum(1) >= LEAST_DAYS
    found = np.full((*enough.shape, 2), np.nan)
    for site, target in zip(*np.nonzero(enough), strict=True):
        found[site, target] = np.nanmean(values[site, :, target]), np.nanstd(values[site, :, target])
    return found


def similarity_weights(simulated: Doubles, observed: Doubles, sharpness: float) -> Doubles:
    """Return a weight from 0 to 1 for each simulated place (site,): ``(1 + d)^-sharpness``, ``d`` to the nearest tower.

    X-MethaneWet (arXiv 2505.18355), with a sharpness of 5: the distance to a tower is the gap of the means and that
    of the standard deviations, relative to the tower's. Fluxes are scaled, so that gaps of several targets compare.

    Parameters
    ----------
    simulated, observed : (site, target, 2) mean and standard deviation of scaled fluxes, as ``moments`` gives them.
    """
    gap = np.abs(simulated[:, None] - observed[None])  # (site, tower, target, 2)
    gap[..., 1] /= np.maximum(observed[None, ..., 1], 1e-6)
    distance = gap.sum(-1)  # NaN where either has too few days of the target
    known = np.isfinite(distance)
    mean = np.where(known, distance, 0.0).sum(-1) / np.maximum(known.sum(-1), 1)
    nearest = np.where(known.any(-1), mean, np.inf).min(1)
    return np.asarray((1.0 + nearest) ** -sharpness)
