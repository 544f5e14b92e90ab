"""What is known of a training site's flux, in the few numbers a neighbour can carry.

Only days in ``visible.known`` count. Each site is summarised from its own days alone and shrunk towards what a site
without a single day would show (the training mean, no season, no response). A mean over the other sites would shrink
better, but would hand a query traces of its own cluster's flux through every neighbour.
"""

from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from ..contracts import Layout, TrainingView

Doubles = NDArray[np.float64]

PRIOR_DAYS = 30.0  # days of evidence that the shrinkage is worth; single days are not independent
CURVED = ("SW", "TA", "VPD")  # drivers whose response bends and interacts: light, temperature, dryness of the air


def value_width(role: str, layout: Layout) -> int:
    """Count the statistics a neighbour carries in ``role``, of all targets."""
    of_target = 15 if role == "slow" else 1 + len(layout.fast) + len(_bends(layout)) + 1
    return of_target * len(layout.targets)


def flux_statistics(view: TrainingView, sites: NDArray[np.int64]) -> dict[str, Doubles]:
    """Summarise the known fluxes of ``sites``, scaled: ``{role: (len(sites), value_width)}``, target after target.

    * slow: level, log spread, departure of the 12 calendar months from the level, log days;
    * fast: intercept and response coefficients of scaled drivers, log days.
    """
    month = view.dates.astype("datetime64[M]").astype(np.int64) % 12
    level_and_season, response = [], []
    for site in sites:
        for target in range(len(view.layout.targets)):
            days = np.flatnonzero(view.visible.known[site, :, target])
            flux = view.target[site, days, target].astype(np.float64)
            level_and_season.append(_level_and_season(flux, month[days]))
            response.append(_response(flux, view.fast[site, days].astype(np.float64), view.layout))
    widths = {role: value_width(role, view.layout) for role in ("slow", "fast")}
    return {
        "slow": np.reshape(level_and_season, (len(sites), widths["slow"])),
        "fast": np.reshape(response, (len(sites), widths["fast"])),
    }


def _evidence(days: int) -> float:
    """Weigh the number of days: its log, 1 for a year."""
    return float(np.log1p(days) / np.log1p(365))


def _level_and_season(flux: Doubles, month: NDArray[np.int64]) -> Doubles:
    count = np.bincount(month, minlength=12)
    # months weigh alike, so that a tower that measures in summer only is not taken for a stronger source
    monthly = np.bincount(month, flux, minlength=12) / np.maximum(count, 1)
    seen = count / (count + PRIOR_DAYS / 12)
    level = (monthly * seen).sum() / (seen.sum() + PRIOR_DAYS / 365) if len(flux) else 0.0
    season = (monthly - level) * seen
    spread = np.sqrt((((flux - level) ** 2).sum() + PRIOR_DAYS) / (len(flux) + PRIOR_DAYS))
    return np.concatenate([[level, np.log(spread)], season, [_evidence(len(flux))]])


def _response(flux: Doubles, drivers: Doubles, layout: Layout) -> Doubles:
    """Regress the flux on its day's drivers by ridge (Hoerl and Kennard 1970); a missing driver stands at its mean."""
    drivers = np.clip(drivers, -4.0, 4.0)  # squares of spikes would rule the fit
    columns = [np.ones(len(flux)), *drivers.T, *(drivers[:, a] * drivers[:, b] for a, b in _bends(layout))]
    design = np.stack(columns, axis=1)
    normal = design.T @ design + PRIOR_DAYS * np.eye(design.shape[1])
    return np.concatenate([np.linalg.solve(normal, design.T @ flux), [_evidence(len(flux))]])


def _bends(layout: Layout) -> list[tuple[int, int]]:
    """List the pairs of drivers whose product is a term: squares and interactions of those in ``CURVED``."""
    curved = [layout.fast.index(name) for name in CURVED if name in layout.fast]
    return list(combinations_with_replacement(curved, 2))
