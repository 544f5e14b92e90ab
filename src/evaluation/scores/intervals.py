"""How honest a model's intervals are: their coverage and width at each site.

Sites weigh alike: a number is taken for each site over its scored days, then averaged over sites. Coverage without
width says little: an interval is good if it covers its nominal share and is narrow (Gneiting, Balabdaoui and Raftery
2007, doi:10.1111/j.1467-9868.2007.00587.x).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..comparison.bootstrap import COVERAGE, DRAWS, FEWEST_CLUSTERS, cluster_draws, interval, weighted_mean
from ..metrics import FloatArray, Sums
from ..predictions_contract import BOUNDS
from .spread import spread

SEED = 0
Flags = NDArray[np.bool_]
Members = Mapping[str, Mapping[str, Flags]]


@dataclass(frozen=True)
class Intervals:
    """Coverage and width of each site's intervals (site,); NaN for a site without one on a scored day."""

    level: float
    method: str
    scored: NDArray[np.int64]  # scored days
    days: NDArray[np.int64]  # those that have an interval
    coverage: FloatArray  # share of ``days`` whose observation lies inside, bounds included
    width: FloatArray  # mean width in the target's unit
    needed: FloatArray  # (site, day) factor on the half width that would just reach the observation; NaN uncounted
    width_over_std: FloatArray  # the same over the standard deviation observed on ``days``; NaN if that is 0

    @classmethod
    def of(cls, predictions: xr.Dataset, scored: Flags) -> "Intervals | None":
        """Measure the intervals on the ``scored`` (site, day) days; None where the predictions hold none."""
        if not all(name in predictions for name in BOUNDS):
            return None
        o, lower, upper = (predictions[name].to_numpy().astype(np.float64) for name in ("observed", *BOUNDS))
        counted = scored & np.isfinite(lower) & np.isfinite(upper)
        width = site_means(upper - lower, counted)
        with np.errstate(invalid="ignore", divide="ignore"):
            std = np.sqrt(Sums.of(o, o, counted).ss_o / counted.sum(1))
            relative = np.where(std > 0, width / std, np.nan)
            off, half = np.abs(o - (lower + upper) / 2), (upper - lower) / 2
            needed = np.where(counted, np.where(off > 0, off / half, 0.0), np.nan)
        return cls(
            level=float(predictions.attrs["interval_level"]),
            method=str(predictions.attrs["interval_method"]),
            scored=scored.sum(1),
            days=counted.sum(1),
            coverage=site_means(((lower <= o) & (o <= upper)).astype(np.float64), counted),
            width=width,
            needed=needed,
            width_over_std=relative,
        )

    def summarise(self, kept: Flags, cluster: NDArray[np.int64], members: Members) -> dict[str, Any]:
        """Summarise the ``kept`` (site,) sites that have intervals.

        Parameters
        ----------
        cluster : (site,)
        members : for each classification, for each label, its kept sites (site,).

        Returns
        -------
        ``level, method``; ``sites, clusters, days, days_without_interval``; ``coverage`` (distribution over sites with
        ``min, max``, and ``interval``, the bootstrap interval of the mean), ``width``, ``width_over_std``
        (distributions over sites), ``matched`` (see :meth:`matched`), and ``by`` class the mean ``coverage`` and
        ``width`` over sites.
        """
        known = kept & (self.days > 0)
        ends = (
            {"min": float(self.coverage[known].min()), "max": float(self.coverage[known].max())} if known.any() else {}
        )
        return {
            "level": self.level,
            "method": self.method,
            **self._counts(known, cluster),
            "days_without_interval": int((self.scored - self.days)[kept].sum()),
            "coverage": {
                **spread(self.coverage[known]),
                **{"min": None, "max": None},
                **ends,
                "interval": mean_interval(self.coverage[known], cluster[known]),
            },
            "width": spread(self.width[known]),
            "width_over_std": spread(self.width_over_std[known]),
            "matched": self.matched(known),
            "by": {
                name: {label: self._of_class(known & sites, cluster) for label, sites in labels.items()}
                for name, labels in members.items()
            },
        }

    def matched(self, sites: Flags) -> dict[str, float] | None:
        """Stretch all intervals about their middles by one factor, so that sites are covered at the level on average.

        Widths of two models can be compared only at one coverage; this factor is found on the test days themselves and
        serves for nothing else.

        Returns
        -------
        ``factor``, and ``width``, the mean over sites of the stretched width; None without a site, or if no factor
        does it (intervals without width).
        """
        needed = self.needed[sites]
        counted = ~np.isnan(needed)
        weight = (counted / np.maximum(counted.sum(1, keepdims=True), 1))[counted]  # each site weighs 1
        order = np.argsort(needed[counted], kind="stable")
        place = np.searchsorted(np.cumsum(weight[order]), self.level * weight.sum() * (1 - 1e-12))
        factor = float(needed[counted][order][min(int(place), len(order) - 1)]) if len(order) else np.inf
        if not np.isfinite(factor):
            return None
        return {"factor": factor, "width": factor * float(self.width[sites].mean())}

    def _of_class(self, sites: Flags, cluster: NDArray[np.int64]) -> dict[str, Any]:
        means = {
            name: float(values[sites].mean()) if sites.any() else None
            for name, values in (("coverage", self.coverage), ("width", self.width))
        }
        return {**self._counts(sites, cluster), **means}

    def _counts(self, sites: Flags, cluster: NDArray[np.int64]) -> dict[str, int]:
        return {
            "sites": int(sites.sum()),
            "clusters": np.unique(cluster[sites]).size,
            "days": int(self.days[sites].sum()),
        }


def mean_interval(values: FloatArray, cluster: NDArray[np.int64]) -> dict[str, Any] | None:
    """Interval of the mean over sites of ``values`` (site,) by resampling their clusters (site,), the seed fixed.

    Returns
    -------
    ``low, high``, the ``level`` they hold, ``clusters`` resampled and ``draws``; None with too few clusters to resample
    (see :mod:`raciflux.evaluation.comparison.bootstrap`).
    """
    clusters = np.unique(cluster).size
    if clusters < FEWEST_CLUSTERS:
        return None
    bounds = interval(weighted_mean(values, cluster_draws(cluster, DRAWS, SEED)))
    if bounds is None:
        return None
    return {"low": bounds[0], "high": bounds[1], "level": COVERAGE, "clusters": clusters, "draws": DRAWS}


def site_means(values: NDArray[np.floating], counted: Flags) -> FloatArray:
    """Mean (site,) of ``values`` (site, day) over the counted days; NaN without any."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(counted, values, 0.0).sum(1, dtype=np.float64) / counted.sum(1))
