"""Climatology: the mean season of the training sites of the same class, what a map with a calendar would say."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...config.models import ClimatologyConfig
from ...contracts import TrainingView
from .known_sites import KnownSites, first_class
from .seasons import Seasons, daily
from .stored import Stored


@dataclass(frozen=True)
class Climatology(Stored):
    """Predict the mean year of the first class of the layout, shrunk towards that of all sites where the class is rare.

    Each visible site weighs alike in each month that it measured; a query's own cluster is never seen. Where new years
    of a known site are asked, its own mean year takes over, month by month as its days allow.
    """

    known: KnownSites
    seasons: Seasons
    prior_sites: float

    @classmethod
    def fit(cls, config: ClimatologyConfig, view: TrainingView, cluster_km: float, seed: int) -> "Climatology":
        """Take the mean year of each site of which a flux is known.

        Raises
        ------
        UserError
            If a target has no known day.
        """
        known, rows = KnownSites.of(config.name, view, cluster_km)
        return cls(known, Seasons.of(view, rows), config.prior_sites)

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
        curve = np.empty((len(view.site_id), *self.seasons.mean.shape[1:]))
        for queries, hidden in self.known.hidden_from(view, same_cube).groups():
            shown = np.ones(len(self.known.site_id), bool)
            shown[hidden] = False
            overall = self.seasons.typical(shown)
            for code in np.unique(label[queries]):
                alike = shown & (self.known.label == code) & (code > 0)
                weight = self.seasons.weight[alike]
                total = (self.seasons.mean[alike] * weight).sum(0) + self.prior_sites * overall
                trust = weight.sum(0) + self.prior_sites
                of_class = np.where(trust > 0, total / np.where(trust > 0, trust, 1.0), overall)
                curve[queries[label[queries] == code]] = of_class
        seen = own >= 0
        curve[seen] = self.seasons.own(own[seen], curve[seen])
        return daily(curve, view)
