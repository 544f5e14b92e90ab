"""What boosted trees and the random forest share: training rows, settings, prediction and the text they leave."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from ...atomic import replacing
from ...contracts import TrainingView
from ...errors import UserError
from .stored import reading
from .tree_features import Beside, SimulatedFlux, feature_names, features_on, of_level, site_features

if TYPE_CHECKING:
    import lightgbm

END = "end of parameters"  # the last section of LightGBM's text; a file without it was cut


class Trees:
    """One booster a target over the features of ``tree_features``: causal, and the same for every site.

    Trees are fitted on known days of training sites only. No flux is looked up when they predict, so there is nothing
    to hide from a query.
    """

    def __init__(self, boosters: Mapping[str, "lightgbm.Booster"]) -> None:
        self.boosters = boosters  # by target

    def predict(
        self, view: TrainingView, same_cube: bool, wanted: NDArray[np.bool_] | None = None, without: str = ""
    ) -> NDArray[np.float32]:
        """Return the scaled flux (site, day, target) of the ``wanted`` (site, day), NaN on other days; of all if None.

        ``without`` names a level of context that the trees are told nothing of (see ``tree_features.of_level``).

        Raises
        ------
        UserError
            If the view's targets or inputs are not those of the fit.
        """
        beside = self.beside(view, same_cube)
        self._refuse_other_inputs(view, beside)
        unknown = of_level(without, view.layout, feature_names(view.layout, beside))
        shape = (len(view.site_id), len(view.dates))
        asked = np.ones(shape, bool) if wanted is None else wanted
        flux = np.full((*shape, len(view.layout.targets)), np.nan, np.float32)
        for site in np.flatnonzero(asked.any(1)):
            features = np.where(unknown, np.float32(np.nan), site_features(view, site, beside)[asked[site]])
            for place, name in enumerate(view.layout.targets):
                found = self.boosters[name].predict(features, num_threads=torch.get_num_threads())
                flux[site, asked[site], place] = found
        return flux

    def beside(self, view: TrainingView, same_cube: bool) -> Beside | None:
        """Return what else these trees are told of the sites of a view."""
        del same_cube
        return None if view.simulated is None else SimulatedFlux(view.simulated, view.layout.targets)

    def _refuse_other_inputs(self, view: TrainingView, beside: Beside | None) -> None:
        fitted = {name: booster.feature_name() for name, booster in self.boosters.items()}
        if fitted != dict.fromkeys(view.layout.targets, feature_names(view.layout, beside)):
            raise UserError(
                f"trees: they were fitted for {', '.join(fitted)} on other inputs than the data give for "
                f"{', '.join(view.layout.targets)}; use the run's own data, or train it again"
            )

    def save(self, folder: Path) -> None:
        """Write one text a target into ``folder``, whole or not at all."""
        with replacing(folder) as partial:
            partial.mkdir()
            self._write(partial)

    def _write(self, folder: Path) -> None:
        for name, booster in self.boosters.items():
            (folder / f"{name}.txt").write_text(booster.model_to_string(), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote.

        Raises
        ------
        UserError
            If there is no text, or one is damaged.
        """
        return cls(read_boosters(folder))


def read_boosters(folder: Path) -> dict[str, "lightgbm.Booster"]:
    """Read the texts of a folder, by target.

    Raises
    ------
    UserError
        If there is no text, or one is damaged.
    """
    import lightgbm

    with reading(folder):
        texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.txt"))}
        if not texts or any(END not in text for text in texts.values()):
            raise ValueError("no trees" if not texts else "a text breaks off")
        try:
            return {name: lightgbm.Booster(model_str=text) for name, text in texts.items()}
        except lightgbm.basic.LightGBMError as error:
            raise ValueError(error) from error


def thinned(days: NDArray[np.bool_], most: int, seed: int) -> NDArray[np.bool_]:
    """Keep about ``most`` of the selected days (site, day), each with the same chance; all where there are no more.

    A grid of 60,000 cells and ten years has two hundred million, whose features would take some 160 GB.
    """
    share = most / max(int(days.sum()), 1)
    if share >= 1.0:
        return days
    draw = np.random.default_rng(seed)
    return np.stack([of_site & (draw.random(len(of_site)) < share) for of_site in days])


def training_set(
    view: TrainingView, target: int, most: int, seed: int, beside: Beside | None = None
) -> "lightgbm.Dataset":
    """Gather the known days of one target, about ``most`` of them."""
    import lightgbm

    known = thinned(view.visible.known[..., target], most, seed)
    return lightgbm.Dataset(
        features_on(view, known, beside),
        view.target[..., target][known],
        feature_name=feature_names(view.layout, beside),
        categorical_feature=list(view.layout.classes),
    )


def settings(seed: int, leaves: int, min_leaf: int) -> dict[str, Any]:
    """Return what both kinds of trees ask of LightGBM: the same trees from the same seed, on any number of threads."""
    return {
        "objective": "regression",
        "metric": "rmse",
        "num_leaves": leaves,
        "min_data_in_leaf": min_leaf,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": torch.get_num_threads(),
        "verbosity": -1,
    }
