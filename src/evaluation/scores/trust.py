"""Does distance from the bank tell where a model errs? Its rank correlation with error, and what far sites cost.

Both are questions about sites; their intervals come from resampled clusters of sites, ranks taken anew in each draw.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..comparison.bootstrap import COVERAGE, DRAWS, FEWEST_CLUSTERS, Counts, cluster_draws, interval, weighted_mean
from ..metrics import FloatArray, Sums, nrmse_std, rmse
from ..predictions_contract import DISSIMILARITY, DISTANCES, INSIDE
from .spread import number

SEED = 0
DROPPED = 0.2  # share of the sites that are dropped, the farthest first
FEWEST_SITES = 10  # fewer sites rank nothing
FARTHEST = "farthest"  # the larger of the roles' dissimilarities
_CHUNK = 512  # draws whose ranks are held at once

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Trust:
    """What is known of each site (site,) before and after its flux was seen."""

    dissimilarity: dict[str, FloatArray]  # of each role, and the larger of them
    inside: Flags
    level: FloatArray  # mean of all predictions
    error: FloatArray  # RMSE over the standard deviation of all predictions
    nrmse: FloatArray  # RMSE over the standard deviation of the scored observations

    @classmethod
    def of(cls, predictions: xr.Dataset, sums: Sums) -> "Trust | None":
        """Gather it from the predictions and the score's ``sums`` (site,); None for a model without a bank.

        Level and spread are those of every predicted day: they are known where no flux is.
        """
        if not all(name in predictions for name in (*DISTANCES, INSIDE)):
            return None
        apart = {
            name.removeprefix(DISSIMILARITY): predictions[name].to_numpy().astype(np.float64) for name in DISTANCES
        }
        predicted = predictions["prediction"].to_numpy()
        own = Sums.of(predicted, predicted, np.isfinite(predicted))
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = np.sqrt(own.ss_o / own.n)
            error = np.where(spread > 0, rmse(sums) / spread, np.nan)
        return cls(
            dissimilarity={**apart, FARTHEST: np.max(list(apart.values()), axis=0)},
            inside=predictions[INSIDE].to_numpy() == 1,
            level=np.where(own.n > 0, own.mean_o, np.nan),
            error=error,
            nrmse=nrmse_std(sums),
        )

    def summarise(self, kept: Flags, cluster: NDArray[np.int64]) -> dict[str, Any]:
        """Summarise the ``kept`` (site,) sites of which everything is known.

        Returns
        -------
        ``sites, clusters``; ``inside`` and ``outside`` the area of applicability: ``sites`` and ``mean_nrmse``; for
        each role, and for the farther of both, ``rank_correlation`` (see :func:`partial_spearman`) of dissimilarity
        with RMSE over predicted spread, given the predicted mean flux; and ``gain`` (see :func:`gain_of_dropping`) in
        mean nRMSE (RMSE over observed standard deviation). Each has its ``value`` and bootstrap ``interval``; null
        with fewer than 10 sites, the interval with fewer than 10 clusters.
        """
        columns = (self.dissimilarity[FARTHEST], self.level, self.error, self.nrmse)
        known = kept & np.logical_and.reduce([np.isfinite(column) for column in columns])
        enough = int(known.sum()) >= FEWEST_SITES
        clusters = np.unique(cluster[known]).size
        draws = cluster_draws(cluster[known], DRAWS, SEED) if enough and clusters >= FEWEST_CLUSTERS else None
        once = np.ones((1, int(known.sum())), np.int64)

        def number_of(apart: FloatArray, statistic: str) -> dict[str, Any]:
            def over(counts: Counts) -> FloatArray:
                if statistic == "gain":
                    return gain_of_dropping(self.nrmse[known], apart, counts)
                return partial_spearman(apart, self.error[known], self.level[known], counts)

            if not enough:
                return {"value": None, "interval": None}
            return {"value": number(over(once)[0]), "interval": _interval(over(draws)) if draws is not None else None}

        return {
            "sites": int(known.sum()),
            "clusters": clusters,
            **{name: self._mean(known & side) for name, side in (("inside", self.inside), ("outside", ~self.inside))},
            **{
                statistic: {role: number_of(apart[known], statistic) for role, apart in self.dissimilarity.items()}
                for statistic in ("rank_correlation", "gain")
            },
        }

    def _mean(self, sites: Flags) -> dict[str, Any]:
        return {"sites": int(sites.sum()), "mean_nrmse": float(self.nrmse[sites].mean()) if sites.any() else None}


def partial_spearman(x: FloatArray, y: FloatArray, given: FloatArray, counts: Counts) -> FloatArray:
    """Rank correlation of ``x`` and ``y`` with what ``given`` explains of either taken out, for each draw.

    Correlation of what is left of the ranks of x and y after their regressions on the ranks of z, which is
    ``(r_xy - r_xz r_yz) / sqrt((1 - r_xz^2) (1 - r_yz^2))`` with Spearman's r of each two (Kim 2015,
    doi:10.5351/CSAM.2015.22.6.665).

    Parameters
    ----------
    x, y, given : (site,).
    counts : (draw, site), how often each site counts; ties share the mean of their ranks.

    Returns
    -------
    (draw,) ; NaN where a rank correlation is undefined.
    """
    correlations = np.full(len(counts), np.nan)
    for first in range(0, len(counts), _CHUNK):
        part = counts[first : first + _CHUNK]
        ranks = [_centred_ranks(values, part) for values in (x, y, given)]
        xx, yy, zz = ((rank**2 * part).sum(1) for rank in ranks)
        xy, xz, yz = ((ranks[a] * ranks[b] * part).sum(1) for a, b in ((0, 1), (0, 2), (1, 2)))
        with np.errstate(invalid="ignore", divide="ignore"):
            left = xy - xz * yz / zz
            spread = np.sqrt(np.maximum(xx - xz**2 / zz, 0)) * np.sqrt(np.maximum(yy - yz**2 / zz, 0))
            correlations[first : first + _CHUNK] = np.where(spread > 1e-9 * np.sqrt(xx * yy), left / spread, np.nan)
    return correlations


def gain_of_dropping(nrmse: FloatArray, apart: FloatArray, counts: Counts) -> FloatArray:
    """Mean nRMSE left by dropping 20 % of the sites at random, minus that left by dropping the 20 % farthest.

    At random, the mean stays that of all sites on average over all choices, which is taken for it: a lot that is
    really drawn would only add noise. The share is rounded down to whole sites.

    Parameters
    ----------
    nrmse, apart : (site,) error, and dissimilarity; of equally far sites those that come first are kept.
    counts : (draw, site), how often each site counts.

    Returns
    -------
    (draw,), positive where distance tells which sites to drop.
    """
    order = np.argsort(apart, kind="stable")
    of_draw = counts[:, order]
    total = of_draw.sum(1, keepdims=True)
    keep = total - np.floor(DROPPED * total + 1e-9).astype(np.int64)
    near = np.minimum(of_draw, np.maximum(keep - (of_draw.cumsum(1) - of_draw), 0))
    return np.asarray(weighted_mean(nrmse, counts) - weighted_mean(nrmse[order], near))


def _centred_ranks(values: FloatArray, counts: Counts) -> FloatArray:
    """Ranks (draw, site) in the sample in which each site stands ``counts`` times, minus their mean."""
    _, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))  # where a new value begins
    tied = np.add.reduceat(counts[:, order], starts, axis=1)
    rank = tied.cumsum(1) - tied + (tied + 1) / 2
    centre = (counts.sum(1, keepdims=True) + 1) / 2
    return np.asarray((rank - centre)[:, place])


def _interval(draws: FloatArray) -> dict[str, Any] | None:
    bounds = interval(draws)
    return None if bounds is None else {"low": bounds[0], "high": bounds[1], "level": COVERAGE, "draws": DRAWS}
