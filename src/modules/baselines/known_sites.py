"""Who sees whom among models without gradients: the training sites they know, and what of them a query may use."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...contracts import TrainingView
from ...errors import UserError
from ...retrieval.index import Exclusion
from ...retrieval.visibility import near_or_namesake, of_own_cluster, same_site

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class KnownSites:
    """The training sites of which a flux is known, one entry each, and the rule by which a query sees them.

    Whatever is asked, a query's cluster is hidden. Only where new years are asked may a site of the same name and place
    use its own past beside what the others say; its cluster mates stay hidden then too.
    """

    site_id: NDArray[np.str_]  # (entry,)
    lat: NDArray[np.float64]  # (entry,) degrees north
    lon: NDArray[np.float64]  # (entry,) degrees east
    label: Codes  # (entry,) code of the first class, 0 = unknown
    cluster: Codes  # (entry,)
    cluster_km: float  # the distance that clusters were drawn with

    @classmethod
    def of(cls, model: str, view: TrainingView, cluster_km: float) -> tuple["KnownSites", Codes]:
        """Return the known sites of a view, and their rows in it (entry,).

        Raises
        ------
        UserError
            If a target has no known day.
        """
        require_known_days(model, view)
        rows = np.flatnonzero(view.visible.known.any((1, 2)))
        places = (view.site_id[rows].astype(np.str_), view.lat[rows], view.lon[rows])
        return cls(*places, first_class(view)[rows], view.visible.cluster[rows], float(cluster_km)), rows

    def hidden_from(self, view: TrainingView, same_cube: bool) -> Exclusion:
        """Say which entries each site of ``view`` may not see.

        Parameters
        ----------
        same_cube : whether the view's clusters are those of the fit. If so, the query's cluster is hidden. If not,
            those clusters are that hold its namesake or a site closer than ``cluster_km``.
        """
        if same_cube:
            here, there = (view.lat, view.lon), (self.lat, self.lon)
            return of_own_cluster(here, view.visible.cluster, there, self.cluster, view.visible.blocks)
        asked, known = (view.site_id, view.lat, view.lon), (self.site_id, self.lat, self.lon)
        return near_or_namesake(asked, known, self.cluster, self.cluster_km)

    def own(self, view: TrainingView) -> Codes:
        """Entry (site,) of each site's own past where it may be used, else -1."""
        if view.visible.question != "new_years":
            return np.full(len(view.site_id), -1, np.int64)
        return same_site((view.site_id, view.lat, view.lon), (self.site_id, self.lat, self.lon))


def first_class(view: TrainingView) -> Codes:
    """Code (site,) of each site's first class (IGBP, wetland type, crop), 0 where unknown or without classes."""
    return view.classes[:, 0] if view.classes.shape[1] else np.zeros(len(view.site_id), np.int64)


def require_known_days(model: str, view: TrainingView) -> None:
    """Refuse a view without a training day.

    Raises
    ------
    UserError
        If a target has no known day.
    """
    days = view.visible.known.sum((0, 1))
    for target, known in zip(view.layout.targets, days.tolist(), strict=True):
        if not known:
            raise UserError(
                f"model={model}: no training site has a usable day of {target}; "
                "look at data.quality, data.split and data.sites"
            )
