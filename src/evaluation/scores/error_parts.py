"""Where the error lies: the mean square error of a site as site level, season and anomaly, which sum to it exactly.

With the error ``e`` of a site's ``n`` scored days, its mean ``m`` and its mean ``m_k`` over the ``n_k`` days of
calendar month ``k``::

    mean e^2  =  m^2  +  sum_k n_k/n (m_k - m)^2  +  mean (e - m_k)^2
                 site level       season               anomaly

This is the decomposition of variance by groups (the law of total variance), by month. A calendar month with fewer than
15 scored days, all years together, does not define a season (the floor of :mod:`.time_scales`): ``m`` stands there in
the place of ``m_k``, so that all its days differ from the site's mean counts as anomaly and the sum stays exact.

The same parts of the observed flux say how large each is in nature; its site level is the squared difference of a
site's mean from the mean over sites, so that averaged over sites it is the variance of site means.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics import FloatArray
from .time_scales import DAYS_A_MONTH

Flags = NDArray[np.bool_]
PARTS = ("site_level", "season", "anomaly")


@dataclass(frozen=True)
class Parts:
    """A record's mean and its two variances, for each site (site,); NaN without days."""

    mean: FloatArray
    season: FloatArray  # variance between calendar months with days enough
    anomaly: FloatArray  # variance within them, and that of the days of other months

    @classmethod
    def of(cls, values: NDArray[np.floating], counted: Flags, dates: NDArray[np.datetime64]) -> "Parts":
        """Split records (site, day) over their ``counted`` days."""
        month = dates.astype("datetime64[M]").astype(np.int64) % 12
        x = np.where(counted, values, 0.0).astype(np.float64)
        in_month = (month[:, None] == np.arange(12)).astype(np.float64)  # (day, month)
        n_month = counted.astype(np.float64) @ in_month
        n = n_month.sum(1)
        with np.errstate(invalid="ignore"):
            mean = x.sum(1) / n
            of_month = np.where(n_month >= DAYS_A_MONTH, (x @ in_month) / n_month, mean[:, None])
            season = (n_month * (of_month - mean[:, None]) ** 2).sum(1) / n
            anomaly = np.where(counted, (x - of_month[:, month]) ** 2, 0.0).sum(1) / n
        return cls(mean, season, anomaly)


@dataclass(frozen=True)
class ErrorParts:
    """Parts of the error and of the observed flux."""

    error: Parts
    observed: Parts
    days: NDArray[np.int64]  # (site,)

    @classmethod
    def of(
        cls,
        observed: NDArray[np.floating],
        predicted: NDArray[np.floating],
        counted: Flags,
        dates: NDArray[np.datetime64],
    ) -> "ErrorParts":
        """Split observed and predicted (site, day), finite where ``counted``; ``dates`` (day,)."""
        o = np.where(counted, observed, 0.0).astype(np.float64)
        error = np.where(counted, predicted, 0.0) - o
        return cls(Parts.of(error, counted, dates), Parts.of(o, counted, dates), counted.sum(1))

    def summarise(self, kept: Flags, cluster: NDArray[np.int64]) -> dict[str, Any]:
        """Average over the ``kept`` (site,) sites that have days, each with the same weight.

        Returns
        -------
        ``mse`` and ``observed_variance`` in squared units, each with ``total`` and the ``PARTS`` that sum to it (null
        without sites), and the number of ``sites``, ``clusters`` and ``days``.
        """
        kept = kept & (self.days > 0)
        o = self.observed
        level = o.mean[kept] - o.mean[kept].mean() if kept.any() else o.mean[kept]
        return {
            "sites": int(kept.sum()),
            "clusters": np.unique(cluster[kept]).size,
            "days": int(self.days[kept].sum()),
            "mse": _averaged(self.error.mean[kept] ** 2, self.error.season[kept], self.error.anomaly[kept]),
            "observed_variance": _averaged(level**2, o.season[kept], o.anomaly[kept]),
        }


def _averaged(*parts: FloatArray) -> dict[str, float | None]:
    if not parts[0].size:
        return {"total": None, **dict.fromkeys(PARTS)}
    means = [float(part.mean()) for part in parts]
    return {"total": float(np.sum(means)), **dict(zip(PARTS, means, strict=True))}
