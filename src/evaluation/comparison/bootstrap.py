"""Intervals and p-values by resampling whole clusters of sites and, inside a draw, the seeds of training.

Sites of one cluster share weather, region and often the principal investigator: their errors are not independent, and
an interval from resampled sites would be too narrow. Davison and Hinkley (1997), doi:10.1017/CBO9780511802843,
section 3.8: of nested data, the outer level is resampled with replacement and its members are kept whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..metrics import FloatArray

DRAWS = 10_000
COVERAGE = 0.95
FEWEST_CLUSTERS = 10  # with fewer, a percentile interval is a guess: differences are listed site by site instead
_CHUNK = 512  # draws whose sorted weights stay in the processor's cache

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Resampled:
    """A statistic of the data and of each draw; ``draws`` is empty where there are too few clusters to resample."""

    value: float
    draws: FloatArray  # (draw,)

    def __sub__(self, other: "Resampled") -> "Resampled":
        """Difference of two statistics, draw by draw: both must come from the same draws."""
        return Resampled(self.value - other.value, self.draws - other.draws)

    def relative_to(self, other: "Resampled") -> "Resampled":
        """Difference in percent of the other, draw by draw; NaN where the other is 0."""
        own, at = (np.append(one.value, one.draws) for one in (self, other))
        percent = 100.0 * (own - at) / np.where(at == 0, np.nan, at)
        return Resampled(float(percent[0]), percent[1:])


def cluster_draws(cluster: NDArray[np.int64], draws: int = DRAWS, seed: int = 0) -> Counts:
    """Draw as many clusters as there are, with replacement; a site counts as often as its cluster was drawn.

    Parameters
    ----------
    cluster : (site,) code of each site's cluster. Only which sites share a code matters, and the order of codes.

    Returns
    -------
    counts : (draw, site).
    """
    codes, member = np.unique(cluster, return_inverse=True)
    drawn = np.random.default_rng(seed).multinomial(len(codes), np.full(len(codes), 1 / len(codes)), size=draws)
    return np.asarray(drawn[:, member])


def seed_draws(seeds: Sequence[int], draws: int = DRAWS, seed: int = 0) -> Counts:
    """Draw as many seeds as there are, with replacement: (draw, seed), how often each was drawn.

    Models trained with the same seeds get the same draws (their seeds are paired), others get draws of their own.
    """
    stream = np.random.default_rng([seed, len(seeds), *seeds])
    return np.asarray(stream.multinomial(len(seeds), np.full(len(seeds), 1 / len(seeds)), size=draws))


def weighted_mean(values: FloatArray, counts: Counts) -> FloatArray:
    """Mean of ``values`` (site,) where each counts ``counts`` (draw, site) times: (draw,); NaN where none counts."""
    with np.errstate(invalid="ignore"):
        return np.asarray(total(values, counts) / counts.sum(1))


def total(values: FloatArray, counts: Counts) -> FloatArray:
    """Sum of ``values`` (site, ...) where each counts ``counts`` (draw, site) times: (draw, ...)."""
    return np.asarray(counts.astype(np.float64) @ values)  # of whole numbers, NumPy multiplies matrices without BLAS


def weighted_median(values: FloatArray, counts: Counts) -> FloatArray:
    """Median of ``values`` (site,), each repeated ``counts`` (draw, site) times: (draw,); NaN where none counts.

    The median of an even number of values is the mean of the middle two, as in ``numpy.median``.
    """
    order = np.argsort(values, kind="stable")
    ranked, medians = values[order], np.full(len(counts), np.nan)
    if not len(values):
        return medians
    for first in range(0, len(counts), _CHUNK):
        reached = counts[first : first + _CHUNK, order].cumsum(1, dtype=np.int32)
        total = reached[:, -1:]
        low, high = ((reached <= middle).sum(1) for middle in ((total - 1) // 2, total // 2))
        filled = total[:, 0] > 0
        medians[first : first + _CHUNK][filled] = (ranked[low[filled]] + ranked[high[filled]]) / 2
    return medians


def interval(draws: FloatArray) -> tuple[float, float] | None:
    """Percentile interval that holds 95 % of the defined draws; None without any."""
    known = _defined(draws)
    if not known.size:
        return None
    low, high = np.quantile(known, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return float(low), float(high)


def p_value(draws: FloatArray) -> float | None:
    """Two-sided p of "the statistic is 0": twice the smaller share of draws on one side of 0; None without any.

    Draws in which the statistic is undefined are left out. The data themselves count as one draw, so p is never 0.
    Davison and Hinkley (1997), chapter 4.
    """
    known = _defined(draws)
    if not known.size:
        return None
    smaller = min(int((known <= 0).sum()), int((known >= 0).sum()))
    return min(1.0, 2 * (1 + smaller) / (1 + known.size))


def _defined(draws: FloatArray) -> FloatArray:
    """Draws in which the statistic is defined: the others say nothing of it, for or against."""
    return np.asarray(draws[np.isfinite(draws)])


def holm(p: Sequence[float]) -> list[float]:
    """Adjust p-values for their number, so that the chance of any false claim stays below the level.

    Holm (1979), Scandinavian Journal of Statistics 6, 65-70: the smallest times m, the next times m - 1, and so on;
    never smaller than the one before it, and at most 1.
    """
    order = np.argsort(p, kind="stable")
    steps = np.asarray(p, np.float64)[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(value) for value in adjusted]
