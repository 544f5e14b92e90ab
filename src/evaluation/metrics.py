"""Metrics from summed sufficient statistics: never means of batch means.

Every score of the project comes from :class:`Sums`, so a score over shards, folds or batches equals the score over the
whole. ``o`` is observed, ``p`` predicted, ``e = p - o``. A metric that the data do not define (a constant or one-day
record has no variance to explain) is NaN, never infinite; files show it as null.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Sums:
    """Centred sufficient statistics of pairs (o, p), for one record or an array of them (all fields of one shape).

    Centred sums are kept instead of raw ones because raw second moments cancel when a record's mean is large against
    its spread. Merging follows Chan, Golub and LeVeque (1983), doi:10.1080/00031305.1983.10483115.
    """

    n: NDArray[np.int64]
    mean_o: FloatArray
    mean_p: FloatArray
    ss_o: FloatArray  # sum (o - mean_o)^2
    ss_p: FloatArray  # sum (p - mean_p)^2
    cross: FloatArray  # sum (o - mean_o)(p - mean_p)
    sum_e: FloatArray
    sum_abs_e: FloatArray
    sum_sq_e: FloatArray

    @classmethod
    def of(
        cls, observed: NDArray[np.floating], predicted: NDArray[np.floating], counted: NDArray[np.bool_] | None = None
    ) -> "Sums":
        """Sum over the last axis.

        Parameters
        ----------
        observed, predicted : (..., day), same units.
        counted : (..., day), the days that count; default all.

        Raises
        ------
        ValueError
            If a counted day is not finite: what to do with a gap is for the caller to say.
        """
        o, p = np.asarray(observed, np.float64), np.asarray(predicted, np.float64)
        use = np.ones(o.shape, bool) if counted is None else np.asarray(counted, bool)
        o, p = np.where(use, o, 0.0), np.where(use, p, 0.0)
        if not (np.isfinite(o).all() and np.isfinite(p).all()):
            raise ValueError("a counted day is not finite")
        n = use.sum(-1)
        mean_o, dev_o = _centre(o, use, n)
        mean_p, dev_p = _centre(p, use, n)
        error = p - o
        return cls(
            n=n,
            mean_o=mean_o,
            mean_p=mean_p,
            ss_o=(dev_o**2).sum(-1),
            ss_p=(dev_p**2).sum(-1),
            cross=(dev_o * dev_p).sum(-1),
            sum_e=error.sum(-1),
            sum_abs_e=np.abs(error).sum(-1),
            sum_sq_e=(error**2).sum(-1),
        )

    def __add__(self, other: "Sums") -> "Sums":
        """Merge two records (element by element): the statistics of the days of both."""
        return Sums(
            **{f.name: np.stack([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)}
        ).pooled()

    def pooled(self) -> "Sums":
        """Merge all records along the first axis."""
        n = self.n.sum(0)
        mean_o, mean_p = _merged_mean(self.mean_o, self.n), _merged_mean(self.mean_p, self.n)
        # an empty record's mean is a placeholder: its weight n = 0 takes it out
        dev_o, dev_p = self.mean_o - mean_o, self.mean_p - mean_p
        return Sums(
            n=n,
            mean_o=mean_o,
            mean_p=mean_p,
            ss_o=(self.ss_o + self.n * dev_o**2).sum(0),
            ss_p=(self.ss_p + self.n * dev_p**2).sum(0),
            cross=(self.cross + self.n * dev_o * dev_p).sum(0),
            sum_e=self.sum_e.sum(0),
            sum_abs_e=self.sum_abs_e.sum(0),
            sum_sq_e=self.sum_sq_e.sum(0),
        )

    def __getitem__(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> "Sums":
        """Keep some records."""
        return Sums(**{f.name: getattr(self, f.name)[which] for f in fields(self)})


def r2(sums: Sums) -> FloatArray:
    """Coefficient of determination, equal to the Nash-Sutcliffe efficiency: ``1 - sum e^2 / sum (o - mean o)^2``.

    Unit 1, at most 1; 0 is as good as the observed mean. Never the squared correlation.
    Nash and Sutcliffe (1970), doi:10.1016/0022-1694(70)90255-6. NaN where the observed record is constant.
    """
    return 1.0 - _ratio(sums.sum_sq_e, sums.ss_o)


def rmse(sums: Sums) -> FloatArray:
    """Root mean square error ``sqrt(mean e^2)``, in the target's unit. NaN without days."""
    return np.sqrt(_ratio(sums.sum_sq_e, sums.n))


def mae(sums: Sums) -> FloatArray:
    """Mean absolute error ``mean |e|``, in the target's unit. NaN without days."""
    return _ratio(sums.sum_abs_e, sums.n)


def bias(sums: Sums) -> FloatArray:
    """Mean error ``mean (p - o)``, in the target's unit; positive predicts too much. NaN without days."""
    return _ratio(sums.sum_e, sums.n)


def nrmse_std(sums: Sums) -> FloatArray:
    """RMSE divided by the standard deviation of the observed record (divisor n), unit 1; equals ``sqrt(1 - r2)``.

    NaN where the observed record is constant.
    """
    return np.sqrt(_ratio(sums.sum_sq_e, sums.ss_o))


def nrmse_mean(sums: Sums) -> FloatArray:
    """RMSE divided by the size of the observed mean, unit 1; NaN where that is 0, hard to read where it is near 0."""
    return _ratio(rmse(sums), np.abs(sums.mean_o))


def pearson_r(sums: Sums) -> FloatArray:
    """Pearson correlation of observed and predicted, unit 1. NaN where either is constant."""
    r = _ratio(sums.cross, np.sqrt(sums.ss_o) * np.sqrt(sums.ss_p))
    return np.clip(r, -1.0, 1.0)


def kge(sums: Sums) -> FloatArray:
    """Kling-Gupta efficiency of 2009: ``1 - sqrt((r-1)^2 + (std_p/std_o - 1)^2 + (mean_p/mean_o - 1)^2)``.

    Unit 1, at most 1. Gupta et al. (2009), doi:10.1016/j.jhydrol.2009.08.003. NaN where a record is constant or the
    observed mean is 0; hard to read where a flux such as NEE has a mean near 0.
    """
    spread = np.sqrt(_ratio(sums.ss_p, sums.ss_o))
    level = _ratio(sums.mean_p, sums.mean_o)
    return 1.0 - np.hypot(np.hypot(pearson_r(sums) - 1.0, spread - 1.0), level - 1.0)


def _centre(x: FloatArray, use: NDArray[np.bool_], n: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """Mean and deviations of the used days; shifted by the first, so that a constant record has exactly no spread."""
    first = np.take_along_axis(x, use.argmax(-1)[..., None], -1) if x.shape[-1] else np.zeros((*x.shape[:-1], 1))
    shifted = np.where(use, x - first, 0.0)
    mean = shifted.sum(-1) / np.maximum(n, 1)
    return first[..., 0] + mean, np.where(use, shifted - mean[..., None], 0.0)


def _merged_mean(means: FloatArray, n: NDArray[np.int64]) -> FloatArray:
    reference = np.take_along_axis(means, (n > 0).argmax(0)[None], 0)[0] if len(n) else np.zeros(n.shape[1:])
    return np.asarray(reference + ((means - reference) * n).sum(0) / np.maximum(n.sum(0), 1))


def _ratio(above: FloatArray, below: NDArray[np.floating] | NDArray[np.int64]) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        quotient = np.asarray(above, np.float64) / np.asarray(below, np.float64)
    return np.where(np.isfinite(quotient), quotient, np.nan)
