"""Each site's own response functions, from its known days alone, with what is not known of them."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..contracts import TrainingView
from .responses import ResponseBasis

Doubles = NDArray[np.float64]

DAYS_OF_ONE = 3.0  # days of a flux that tell as much as one independent day would
PRIOR_DAYS = 30.0  # days that the noise's prior is worth
NUMBERS_AT_ONCE = 6_000_000  # of a block of sites' terms


class Responses(NamedTuple):
    """Response functions of sites, scaled; a flux without a day has zeros and ``log_shrink`` 0."""

    coefficient: Doubles  # (site, target, term) posterior mean
    mean: Doubles  # (site, target, condition) fitted flux at the reference conditions
    log_shrink: Doubles  # (site, target, condition) log of the posterior over the prior standard deviation; <= 0


def fit_responses(view: TrainingView, sites: NDArray[np.int64], basis: ResponseBasis) -> Responses:
    """Fit the known fluxes of ``sites``, each site and target alone: Bayesian regression on the terms of ``basis``.

    The noise of a day is the site's own misfit, drawn towards the spread of all fluxes where days are few, and counts
    ``DAYS_OF_ONE``-fold because days in a row repeat each other. No other site's flux enters, not even through a mean.
    """
    at_once = max(1, NUMBERS_AT_ONCE // (max(len(view.dates), 1) * basis.terms))
    blocks = [_fit(view, sites[a : a + at_once], basis) for a in range(0, max(len(sites), 1), at_once)]
    return Responses(*(np.concatenate(parts) for parts in zip(*blocks, strict=True)))


def _fit(view: TrainingView, sites: NDArray[np.int64], basis: ResponseBasis) -> Responses:
    known = view.visible.known[sites].transpose(0, 2, 1)  # (site, target, day)
    flux = np.where(known, view.target[sites].transpose(0, 2, 1), 0.0).astype(np.float64)
    fast, mask = (torch.from_numpy(each[sites].astype(np.float64)) for each in (view.fast, view.fast_mask))
    terms = basis(fast, mask).numpy()  # (site, day, term)
    moment, days, squares = flux @ terms, known.sum(-1), (flux**2).sum(-1)
    normal = np.empty((*days.shape, basis.terms, basis.terms))
    for target in range(days.shape[1]):
        normal[:, target] = np.matmul((terms * known[:, target, :, None]).transpose(0, 2, 1), terms)
    prior = basis.precision.numpy()

    noise = np.ones(days.shape)
    for _ in range(2):
        worth = (1.0 / (DAYS_OF_ONE * noise))[..., None]
        precision = normal * worth[..., None] + prior
        coefficient = np.linalg.solve(precision, (moment * worth)[..., None])[..., 0]
        fitted = (coefficient[..., None, :] @ normal)[..., 0, :]
        misfit = squares - 2 * (coefficient * moment).sum(-1) + (coefficient * fitted).sum(-1)
        noise = (np.maximum(misfit, 0.0) + PRIOR_DAYS) / (days + PRIOR_DAYS)

    at = basis.references.numpy()
    variance = (at.T * np.linalg.solve(precision, np.broadcast_to(at.T, (*days.shape, *at.T.shape)))).sum(-2)
    before = (at.T * np.linalg.solve(prior, at.T)).sum(0)
    log_shrink = np.where(days[..., None] > 0, np.minimum(0.5 * np.log(variance / before), 0.0), 0.0)
    return Responses(coefficient, coefficient @ at.T, log_shrink)
