"""Site-mean: the mean flux of the training sites of the same class, what a map without drivers would say."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...contracts import TrainingView

# A class's mean is shrunk towards the mean of all sites as if this many average sites belonged to it.
PRIOR_SITES = 2.0


class SiteMean:
    """Predict, for every day, the mean over training sites of the first class of the layout (IGBP, wetland type, crop).

    Each visible site counts once, whatever the length of its record; a query's own cluster is never seen.
    """

    def __init__(self, mean: NDArray[np.float64], label: NDArray[np.int64], cluster: NDArray[np.int64]) -> None:
        self.mean = mean  # (training site,) scaled
        self.label = label  # (training site,) class code
        self.cluster = cluster  # (training site,)

    @classmethod
    def fit(cls, view: TrainingView) -> "SiteMean":
        """Take the mean of each site of which a flux is known."""
        days = view.visible.known.sum(1)
        sites = days > 0
        mean = view.target.sum(1, dtype=np.float64)[sites] / days[sites]
        return cls(mean, _labels(view)[sites], view.visible.cluster[sites])

    def predict(self, view: TrainingView, same_world: bool) -> NDArray[np.float32]:
        """Return the scaled flux (site, day) of every site of a view.

        Parameters
        ----------
        same_world : whether the view's clusters are those of the fit; then a query's own cluster is hidden.
        """
        label = _labels(view)
        flux = np.zeros((len(view.site_id), len(view.dates)), np.float32)
        for i in range(len(view.site_id)):
            shown = self.cluster != view.visible.cluster[i] if same_world else np.ones(len(self.cluster), bool)
            flux[i] = self._mean_of(shown, int(label[i]))
        return flux

    def _mean_of(self, shown: NDArray[np.bool_], label: int) -> float:
        if not shown.any():
            return 0.0
        overall = float(self.mean[shown].mean())
        alike = shown & (self.label == label) & (label > 0)
        return (float(self.mean[alike].sum()) + PRIOR_SITES * overall) / (float(alike.sum()) + PRIOR_SITES)

    def save(self, path: Path) -> None:
        """Write the means as .npz."""
        np.savez(path, mean=self.mean, label=self.label, cluster=self.cluster)

    @classmethod
    def load(cls, path: Path) -> "SiteMean":
        """Read what ``save`` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(stored["mean"], stored["label"], stored["cluster"])


def _labels(view: TrainingView) -> NDArray[np.int64]:
    return view.classes[:, 0] if view.classes.shape[1] else np.zeros(len(view.site_id), np.int64)
