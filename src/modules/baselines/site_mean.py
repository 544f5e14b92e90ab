"""Site-mean: the mean flux of the training sites of the same class, what a map without drivers would say."""

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...atomic import replacing
from ...contracts import TrainingView
from ...errors import UserError
from ...retrieval.index import Exclusion
from ...retrieval.visibility import Places, near_or_namesake

# A class's mean is shrunk towards the mean of all sites as if this many average sites belonged to it.
PRIOR_SITES = 2.0


class SiteMean:
    """Predict, for every day, the mean over training sites of the first class of the layout (IGBP, wetland type, crop).

    Each visible site counts once, whatever the length of its record; a query's own cluster is never seen.
    """

    def __init__(
        self,
        mean: NDArray[np.float64],
        label: NDArray[np.int64],
        cluster: NDArray[np.int64],
        places: Places,
        cluster_km: float,
    ) -> None:
        self.mean = mean  # (training site,) scaled
        self.label = label  # (training site,) class code
        self.cluster = cluster  # (training site,)
        self.places = places  # site_id, lat, lon of the training sites
        self.cluster_km = cluster_km

    @classmethod
    def fit(cls, view: TrainingView, cluster_km: float) -> "SiteMean":
        """Take the mean of each site of which a flux is known; ``cluster_km`` is what its clusters were drawn with."""
        days = view.visible.known.sum(1)
        sites = days > 0
        mean = view.target.sum(1, dtype=np.float64)[sites] / days[sites]
        places = (view.site_id[sites].astype(np.str_), view.lat[sites], view.lon[sites])
        return cls(mean, _labels(view)[sites], view.visible.cluster[sites], places, cluster_km)

    def predict(self, view: TrainingView, same_cube: bool) -> NDArray[np.float32]:
        """Return the scaled flux (site, day) of every site of a view, asked as an unseen site.

        Parameters
        ----------
        same_cube : whether the view's clusters are those of the fit. If so, the query's cluster is hidden. If not,
        those
            clusters are that hold its namesake or a site closer than ``cluster_km``.
        """
        if same_cube:
            exclusion = Exclusion.same_code(view.visible.cluster, self.cluster)
        else:
            asked = (view.site_id, view.lat, view.lon)
            exclusion = near_or_namesake(asked, self.places, self.cluster, self.cluster_km)
        label = _labels(view)
        flux = np.zeros((len(view.site_id), len(view.dates)), np.float32)
        for queries, hidden in exclusion.groups():
            shown = np.ones(len(self.mean), bool)
            shown[hidden] = False
            for query in queries:
                flux[query] = self._mean_of(shown, int(label[query]))
        return flux

    def _mean_of(self, shown: NDArray[np.bool_], label: int) -> float:
        if not shown.any():
            return 0.0
        overall = float(self.mean[shown].mean())
        alike = shown & (self.label == label) & (label > 0)
        return (float(self.mean[alike].sum()) + PRIOR_SITES * overall) / (float(alike.sum()) + PRIOR_SITES)

    def save(self, path: Path) -> None:
        """Write the means as .npz, whole or not at all."""
        site_id, lat, lon = self.places
        with replacing(path) as partial, partial.open("wb") as file:
            np.savez(
                file,
                mean=self.mean,
                label=self.label,
                cluster=self.cluster,
                site_id=site_id,
                lat=lat,
                lon=lon,
                cluster_km=self.cluster_km,
            )

    @classmethod
    def load(cls, path: Path) -> "SiteMean":
        """Read what ``save`` wrote.

        Raises
        ------
        UserError
            If the file is missing or damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                places = (stored["site_id"], stored["lat"], stored["lon"])
                return cls(stored["mean"], stored["label"], stored["cluster"], places, float(stored["cluster_km"]))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(f"{path}: not readable site means ({error}); train the run again") from error


def _labels(view: TrainingView) -> NDArray[np.int64]:
    return view.classes[:, 0] if view.classes.shape[1] else np.zeros(len(view.site_id), np.int64)
