"""Site-mean: the mean flux of the training sites of the same class, what a map without drivers would say."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...config.models import SiteMeanConfig
from ...contracts import TrainingView
from .known_sites import KnownSites, first_class
from .stored import Stored

Doubles = NDArray[np.float64]

# A class's mean is shrunk towards the mean of all sites as if this many average sites belonged to it.
PRIOR_SITES = 2.0
# So many own days make a mean of its own; fewer count in proportion.
OWN_DAYS = 30


@dataclass(frozen=True)
class SiteMean(Stored):
    """Predict, for every day, the mean over training sites of the first class of the layout (IGBP, wetland type, crop).

    Each visible site counts once, whatever the length of its record; a query's own cluster is never seen. Where new
    years of a known site are asked, its own mean takes the place of its class's.
    """

    known: KnownSites
    mean: Doubles  # (entry, target) scaled
    days: NDArray[np.int64]  # (entry, target) number of known days

    @classmethod
    def fit(cls, config: SiteMeanConfig, view: TrainingView, cluster_km: float, seed: int) -> "SiteMean":
        """Take the mean of each site of which a flux is known.

        Raises
        ------
        UserError
            If a target has no known day.
        """
        known, rows = KnownSites.of(config.name, view, cluster_km)
        shown = view.visible.known[rows]
        days = shown.sum(1)
        mean = np.where(shown, view.target[rows], 0.0).sum(1, dtype=np.float64) / np.maximum(days, 1)
        return cls(known, mean, days)

    def predict(
        self, view: TrainingView, same_cube: bool, wanted: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float32]:
        """Return the scaled flux (site, day, target) of every site and day of a view.

        Parameters
        ----------
        same_cube : whether the view is that of the fit; see ``KnownSites``.
        wanted : ignored; every day is answered.
        """
        label, own = first_class(view), self.known.own(view)
        level = np.zeros((len(view.site_id), self.mean.shape[1]))
        for queries, hidden in self.known.hidden_from(view, same_cube).groups():
            shown = self.days > 0
            shown[hidden] = False
            for query in queries:
                level[query] = self._mean_of(shown, int(label[query]))
        seen = own >= 0
        weight = np.minimum(self.days[own[seen]] / OWN_DAYS, 1.0)
        level[seen] += weight * (self.mean[own[seen]] - level[seen])
        return np.repeat(level.astype(np.float32)[:, None], len(view.dates), axis=1)

    def _mean_of(self, shown: NDArray[np.bool_], label: int) -> Doubles:
        """Mean (target,) of a class over the entries ``shown`` (entry, target); 0 without any."""
        overall = (self.mean * shown).sum(0) / np.maximum(shown.sum(0), 1)
        alike = shown & ((self.known.label == label) & (label > 0))[:, None]
        total = (self.mean * alike).sum(0) + PRIOR_SITES * overall
        return np.asarray(total / (alike.sum(0) + PRIOR_SITES))
