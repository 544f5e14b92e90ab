"""What a user would pick instead: one file a model."""

from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ...contracts import TrainingView
from .boosted_trees import BoostedTrees
from .climatology import Climatology
from .nearest_climatology import NearestClimatology
from .neighbour_trees import NeighbourTrees
from .random_forest import RandomForest
from .site_mean import SiteMean


class Estimator(Protocol):
    """A model without gradients: fitted at once on a view, kept in a folder of its own.

    ``fit`` takes the model's section of the configuration, what may be learnt from, the distance (km) that clusters
    were drawn with, and the run's seed; ``view.stopping*`` may decide when to stop and nothing else. ``predict``
    returns the scaled flux (site, day, target) float32 of every site of a view; ``same_cube`` says whether its
    clusters are those of the fit, ``wanted`` (site, day) which days are needed: on others a slow model leaves NaN.
    ``load`` reads the folder that ``save`` wrote. A mistake of the user raises a ``UserError``.
    """

    @classmethod
    def fit(cls, config: Any, view: TrainingView, cluster_km: float, seed: int) -> Self: ...  # noqa: ANN401, D102

    def predict(  # noqa: D102
        self, view: TrainingView, same_cube: bool, wanted: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float32]: ...

    def save(self, folder: Path) -> None: ...  # noqa: D102

    @classmethod
    def load(cls, folder: Path) -> Self: ...  # noqa: D102


# A new one joins here and in the table of ``config.models``.
ESTIMATORS: dict[str, type[Estimator]] = {
    "site_mean": SiteMean,
    "climatology": Climatology,
    "nearest_climatology": NearestClimatology,
    "lightgbm": BoostedTrees,
    "random_forest": RandomForest,
    "neighbour_trees": NeighbourTrees,
}
