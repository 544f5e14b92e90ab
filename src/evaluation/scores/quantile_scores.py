"""How good a model's quantiles are: pinball loss, CRPS and reliability, each site weighing alike.

The pinball loss of the quantile ``x`` at level ``q`` against the observation ``y`` is ``(q - [y < x]) (y - x)``
(Koenker and Bassett 1978, doi:10.2307/1913643), and the continuous ranked probability score is twice its integral over
all levels (Gneiting and Raftery 2007, doi:10.1198/016214506000001437). From a few levels the CRPS is *approximated*:
each level stands for the levels nearer to it than to any other. With the levels 0.05, 0.15 ... 0.95 that is twice the
mean pinball loss.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..metrics import FloatArray
from ..predictions_contract import QUANTILES
from .intervals import Members, site_means
from .spread import spread

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class QuantileScores:
    """Scores of each site's quantiles; NaN for a site without them on a scored day."""

    levels: FloatArray  # (level,)
    scored: NDArray[np.int64]  # (site,) scored days
    days: NDArray[np.int64]  # (site,) those that have every quantile
    pinball: FloatArray  # (level, site) mean loss in the target's unit
    share: FloatArray  # (level, site) share of days at or below the quantile

    @classmethod
    def of(cls, predictions: xr.Dataset, scored: Flags) -> "QuantileScores | None":
        """Measure the quantiles on the ``scored`` (site, day) days; None where the predictions hold none."""
        if QUANTILES not in predictions:
            return None
        o, quantiles = predictions["observed"].to_numpy().astype(np.float64), predictions[QUANTILES].to_numpy()
        counted = scored & np.isfinite(quantiles).all(0)
        levels = predictions["quantile"].to_numpy().astype(np.float64)
        losses, shares = [], []
        for level, quantile in zip(levels, quantiles, strict=True):
            losses.append(site_means(pinball(o, quantile.astype(np.float64), level), counted))
            shares.append(site_means((o <= quantile).astype(np.float64), counted))
        return cls(levels, scored.sum(1), counted.sum(1), np.array(losses), np.array(shares))

    @property
    def crps(self) -> FloatArray:
        """CRPS of each site (site,), approximated; NaN for a site without quantiles."""
        return crps_of_pinball(self.pinball, self.levels)

    def summarise(self, kept: Flags, cluster: NDArray[np.int64], members: Members) -> dict[str, Any]:
        """Summarise the ``kept`` (site,) sites that have quantiles.

        Parameters
        ----------
        cluster : (site,)
        members : for each classification, for each label, its kept sites (site,).

        Returns
        -------
        ``sites, clusters, days, days_without_quantiles``; ``pinball`` (mean over levels) and ``crps`` (approximated):
        distributions over sites in the target's unit; ``reliability``: for each nominal ``level`` the mean over sites
        of the observed ``share`` of days at or below the quantile, its quartiles ``q25, q75`` and the ``pinball`` loss;
        and ``by`` class the mean ``crps`` over sites.
        """
        known = kept & (self.days > 0)
        rows = zip(self.levels, self.share[:, known], self.pinball[:, known], strict=True)
        return {
            **self._counts(known, cluster),
            "days_without_quantiles": int((self.scored - self.days)[kept].sum()),
            "pinball": spread(self.pinball[:, known].mean(0)),
            "crps": spread(self.crps[known]),
            "reliability": [_reliability(level, share, loss) for level, share, loss in rows],
            "by": {
                name: {label: self._of_class(known & sites, cluster) for label, sites in labels.items()}
                for name, labels in members.items()
            },
        }

    def _of_class(self, sites: Flags, cluster: NDArray[np.int64]) -> dict[str, Any]:
        return {**self._counts(sites, cluster), "crps": spread(self.crps[sites])["mean"]}

    def _counts(self, sites: Flags, cluster: NDArray[np.int64]) -> dict[str, int]:
        return {
            "sites": int(sites.sum()),
            "clusters": np.unique(cluster[sites]).size,
            "days": int(self.days[sites].sum()),
        }


def _reliability(level: float, share: FloatArray, loss: FloatArray) -> dict[str, float | None]:
    shares = spread(share)
    own = {"share": shares["mean"], "q25": shares["q25"], "q75": shares["q75"], "pinball": spread(loss)["mean"]}
    return {"level": float(level), **own}


def pinball(observed: FloatArray, quantile: FloatArray, level: float) -> FloatArray:
    """Pinball loss of a quantile at ``level`` (0-1), in the target's unit; arrays of one shape."""
    above = observed - quantile
    return np.asarray(np.maximum(level * above, (level - 1.0) * above))


def crps_of_pinball(losses: FloatArray, levels: FloatArray) -> FloatArray:
    """Approximate the CRPS from pinball losses (level, ...) at increasing ``levels`` (level,); see the module."""
    edges = np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2, [1.0]])
    return np.asarray(2.0 * np.tensordot(np.diff(edges), losses, axes=1))
