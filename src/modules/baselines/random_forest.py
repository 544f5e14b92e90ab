"""Random forest on the features of the boosted trees: the upscaling tool before boosting, and still a common one."""

from typing import TYPE_CHECKING

from ...config.trees import RandomForestConfig
from ...contracts import TrainingView
from .known_sites import require_known_days
from .trees import Trees, settings, training_set

if TYPE_CHECKING:
    import lightgbm

# The share of distinct days in a bootstrap sample, 1 - 1/e: each tree draws so many without putting any back.
BAG = 0.632


class RandomForest(Trees):
    """A random forest (Breiman 2001), one a target: deep trees on random days and features, averaged.

    Grown by LightGBM on histograms, which is one library for both kinds of trees, splits categories natively, takes
    missing drivers and writes a readable text instead of a pickle. It departs from Breiman in that features are drawn
    for each tree instead of each split and days without replacement. Validation plays no part.
    """

    @classmethod
    def fit(cls, config: RandomForestConfig, view: TrainingView, cluster_km: float, seed: int) -> "RandomForest":
        """Grow the forest on the known days.

        Raises
        ------
        UserError
            If a target has no known day.
        """
        require_known_days(config.name, view)
        return cls({name: _grow(config, view, seed, place) for place, name in enumerate(view.layout.targets)})


def _grow(config: RandomForestConfig, view: TrainingView, seed: int, target: int) -> "lightgbm.Booster":
    import lightgbm

    bagging = {"boosting": "rf", "bagging_fraction": BAG, "bagging_freq": 1, "feature_fraction": config.feature_share}
    return lightgbm.train(
        settings(seed, config.leaves, config.min_leaf) | bagging,
        training_set(view, target, config.days, seed),
        num_boost_round=config.trees,
    )
