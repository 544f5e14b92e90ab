"""What is known of a training site's flux, in the few numbers a neighbour can carry.

Only days in ``visible.known`` count. Each site is summarised from its own days alone and shrunk towards what a site
without a single day would show (the training mean, no season, no response). A mean over the other sites would shrink
better, but would hand a query traces of its own cluster's flux through every neighbour.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..contracts import Layout, TrainingView
from .response_fit import fit_responses
from .responses import ResponseBasis

Doubles = NDArray[np.float64]

PRIOR_DAYS = 30.0  # days of evidence that the shrinkage is worth; single days are not independent
SITES_AT_ONCE = 256


class FluxStatistics(NamedTuple):
    """What the entries of a bank know of their fluxes, scaled."""

    values: dict[str, Doubles]  # role: (site, value_width)
    coefficients: Doubles  # (site, target, term) of the response functions, for ``ResponseBasis``
    evidence: Doubles  # (site, target) log of the number of days, 1 for a year


def value_width(role: str, layout: Layout) -> int:
    """Count the statistics a neighbour carries in ``role``, of all targets."""
    of_target = 14 if role == "slow" else 2 * ResponseBasis(layout).conditions
    return of_target * len(layout.targets)


def flux_statistics(view: TrainingView, sites: NDArray[np.int64]) -> FluxStatistics:
    """Summarise the known fluxes of ``sites``, target after target.

    * slow: level, log spread, departure of the 12 months from the level, counted from midwinter;
    * fast: the fitted flux at the reference conditions, then how far the days have narrowed down each of them.
    """
    responses = fit_responses(view, sites, ResponseBasis(view.layout))
    blocks = [_level_and_season(view, sites[a : a + SITES_AT_ONCE]) for a in range(0, len(sites) or 1, SITES_AT_ONCE)]
    level_and_season, days = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    response = np.concatenate([responses.mean, responses.log_shrink], axis=-1)
    values = {"slow": level_and_season, "fast": response}
    return FluxStatistics(
        {role: each.reshape(len(sites), value_width(role, view.layout)) for role, each in values.items()},
        responses.coefficient,
        np.log1p(days) / np.log1p(365),
    )


def _level_and_season(view: TrainingView, sites: NDArray[np.int64]) -> tuple[Doubles, Doubles]:
    """Level, log spread and season (site, target, 14), and known days (site, target)."""
    known = view.visible.known[sites].transpose(0, 2, 1).astype(np.float64)  # (site, target, day)
    flux = np.where(known > 0, view.target[sites].transpose(0, 2, 1), 0.0).astype(np.float64)
    north = np.eye(12)[view.dates.astype("datetime64[M]").astype(np.int64) % 12]  # (day, month)
    is_south = view.lat[sites, None, None] < 0
    count, total = (np.where(is_south, np.roll(m, -6, axis=-1), m) for m in (known @ north, flux @ north))
    days, squares = known.sum(-1), (flux**2).sum(-1)
    # months weigh alike, so that a tower that measures in summer only is not taken for a stronger source
    monthly = total / np.maximum(count, 1)
    seen = count / (count + PRIOR_DAYS / 12)
    level = (monthly * seen).sum(-1) / (seen.sum(-1) + PRIOR_DAYS / 365)
    season = (monthly - level[..., None]) * seen
    departure = np.maximum(squares - 2 * level * total.sum(-1) + days * level**2, 0.0)
    spread = np.sqrt((departure + PRIOR_DAYS) / (days + PRIOR_DAYS))
    return np.concatenate([np.stack([level, np.log(spread)], axis=-1), season], axis=-1), days
