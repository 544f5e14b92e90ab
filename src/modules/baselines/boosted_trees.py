"""LightGBM: gradient-boosted trees on drivers, lags, rolling means and the place; the field's usual upscaling tool."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...config.trees import LightGbmConfig, NeighbourTreesConfig
from ...contracts import TrainingView
from ...errors import UserError
from .known_sites import require_known_days
from .tree_features import Beside, features_on
from .trees import Trees, settings, thinned, training_set

if TYPE_CHECKING:
    import lightgbm


class BoostedTrees(Trees):
    """One booster a target on squared error (Ke et al. 2017); each training day counts alike.

    The number of trees is that with the smallest root mean square error on the validation days, every validation site
    weighing alike.
    """

    @classmethod
    def fit(
        cls, config: LightGbmConfig | NeighbourTreesConfig, view: TrainingView, cluster_km: float, seed: int
    ) -> "BoostedTrees":
        """Grow trees on the known days until validation stops improving.

        Raises
        ------
        UserError
            If a target has no known day, or no validation day.
        """
        require_known_days(config.name, view)
        made = cls({})
        made.boosters = boosted(config, view, seed, made.beside(view, same_cube=True))
        return made


def boosted(
    config: LightGbmConfig | NeighbourTreesConfig, view: TrainingView, seed: int, beside: Beside | None = None
) -> dict[str, "lightgbm.Booster"]:
    """Grow one booster a target; ``beside`` is what else they are told of a day."""
    return {name: _boost(config, view, seed, place, beside) for place, name in enumerate(view.layout.targets)}


def _boost(
    config: LightGbmConfig | NeighbourTreesConfig, view: TrainingView, seed: int, target: int, beside: Beside | None
) -> "lightgbm.Booster":
    import lightgbm

    stopping = view.stopping[..., target]
    if not stopping.any():
        raise UserError(
            f"model={config.name}: no validation day of {view.layout.targets[target]} says when to stop; "
            "look at data.split and data.sites"
        )
    stopping = thinned(stopping, config.days, seed)
    training = training_set(view, target, config.days, seed, beside)
    validation = lightgbm.Dataset(
        features_on(view, stopping, beside),
        view.stopping_target[..., target][stopping],
        weight=_alike(stopping),
        reference=training,
    )
    return lightgbm.train(
        settings(seed, config.leaves, config.min_leaf)
        | {"learning_rate": config.learning_rate, "feature_fraction": config.feature_share},
        training,
        num_boost_round=config.rounds,
        valid_sets=[validation],
        callbacks=[lightgbm.early_stopping(config.patience, verbose=False)],
    )


def _alike(days: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weight (row,) of each selected day (site, day), so that every site weighs alike and a day weighs 1 on average."""
    count = days.sum(1)
    share = days.sum() / (count > 0).sum() / np.maximum(count, 1)
    return np.asarray(np.repeat(share, count))
