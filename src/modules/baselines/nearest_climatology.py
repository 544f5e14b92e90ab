"""Nearest climatology: the mean season of the training sites whose place and climate are most alike."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...config.models import NearestClimatologyConfig
from ...contracts import TrainingView
from ...errors import UserError
from ...retrieval.descriptors import Standard, describe, descriptors
from ...retrieval.index import functional
from .known_sites import KnownSites
from .seasons import Seasons, daily
from .stored import Stored


@dataclass(frozen=True)
class NearestClimatology(Stored):
    """Predict the plain mean of the mean years of the nearest visible training sites.

    Nearness is that of the slow role of retrieval: statics, classes and climate, standardised over training sites. A
    neighbour's year is shrunk towards that of all visible sites where its days are few. Where new years of a known
    site are asked, its own mean year takes over, month by month as its days allow.
    """

    known: KnownSites
    seasons: Seasons
    standard: Standard  # of the descriptors, over training sites
    keys: NDArray[np.float32]  # (entry, descriptor)
    neighbours: int

    @classmethod
    def fit(
        cls, config: NearestClimatologyConfig, view: TrainingView, cluster_km: float, seed: int
    ) -> "NearestClimatology":
        """Take the mean year of each site of which a flux is known, and what its place is like.

        Raises
        ------
        UserError
            If a target has no known day.
        """
        known, rows = KnownSites.of(config.name, view, cluster_km)
        raw = describe(view)["slow"]
        standard = Standard.fit(raw[view.train_sites])
        keys = descriptors(view, {"slow": raw}, {"slow": standard})["slow"][rows]
        return cls(known, Seasons.of(view, rows), standard, keys, config.neighbours)

    def predict(
        self, view: TrainingView, same_cube: bool, wanted: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float32]:
        """Return the scaled flux (site, day, target) of every site and day of a view.

        Parameters
        ----------
        same_cube : whether the view is that of the fit; see ``KnownSites``.
        wanted : ignored; every day is answered.

        Raises
        ------
        UserError
            If the view's inputs are not those of the fit.
        """
        queries = self._described(view)
        exclusion = self.known.hidden_from(view, same_cube)
        nearest = functional(queries, self.keys, self.neighbours, exclusion).index
        curve = np.empty((len(view.site_id), *self.seasons.mean.shape[1:]))
        for rows, hidden in exclusion.groups():
            shown = np.ones(len(self.keys), bool)
            shown[hidden] = False
            overall = self.seasons.typical(shown)
            found = nearest[rows] >= 0
            years = self.seasons.own(nearest[rows], overall) * found[..., None, None]
            some = found.sum(1)[:, None, None]
            curve[rows] = np.where(some > 0, years.sum(1) / np.maximum(some, 1), overall)
        own = self.known.own(view)
        seen = own >= 0
        curve[seen] = self.seasons.own(own[seen], curve[seen])
        return daily(curve, view)

    def _described(self, view: TrainingView) -> NDArray[np.float32]:
        raw = describe(view)["slow"]
        if raw.shape[1] == len(self.standard.mean):
            described = descriptors(view, {"slow": raw}, {"slow": self.standard})["slow"]
            if described.shape[1] == self.keys.shape[1]:
                return described
        raise UserError(
            f"model=nearest_climatology: it was fitted on other inputs than {', '.join(view.layout.fast)} with "
            f"{', '.join((*view.layout.static, *view.layout.classes))}; use the run's own data, or train it again"
        )
