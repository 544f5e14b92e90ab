"""The statistics of comparisons, each over all draws of a bootstrap at once: sums (site,), counts -> (draw,)."""

from collections.abc import Callable

import numpy as np

from .. import metrics
from ..metrics import FloatArray, Sums
from .bootstrap import Counts, total, weighted_mean, weighted_median


def mean_rmse(sums: Sums, counts: Counts) -> FloatArray:
    """Mean over the drawn sites of RMSE, in the target's unit."""
    return weighted_mean(metrics.rmse(sums), counts)


def median_rmse(sums: Sums, counts: Counts) -> FloatArray:
    """Median over the drawn sites of RMSE, in the target's unit."""
    return weighted_median(metrics.rmse(sums), counts)


def median_r2(sums: Sums, counts: Counts) -> FloatArray:
    """Median R2 over the drawn sites that have one."""
    r2 = metrics.r2(sums)
    known = np.isfinite(r2)
    return weighted_median(r2[known], counts[:, known])


def pooled_rmse(sums: Sums, counts: Counts) -> FloatArray:
    """RMSE of all days of the drawn sites, in the target's unit."""
    squares, days = total(np.stack([sums.sum_sq_e, sums.n], 1), counts).T
    return np.asarray(np.sqrt(squares / days))


def pooled_r2(sums: Sums, counts: Counts) -> FloatArray:
    """R2 of all days of the drawn sites, against their common mean; see :func:`.metrics.r2`."""
    dev = sums.mean_o - np.average(sums.mean_o, weights=sums.n)  # near 0, so that squares do not cancel
    columns = np.stack([sums.sum_sq_e, sums.ss_o + sums.n * dev**2, sums.n * dev, sums.n], 1)
    errors, squares, level, days = total(columns, counts).T
    spread = squares - level**2 / days
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(spread > 0, 1 - errors / spread, np.nan))


STATISTICS: dict[str, Callable[[Sums, Counts], FloatArray]] = {
    "mean_rmse": mean_rmse,
    "median_rmse": median_rmse,
    "median_r2": median_r2,
    "pooled_rmse": pooled_rmse,
    "pooled_r2": pooled_r2,
}
