"""Boosted trees that are told what the neighbours of each role would have had under the site's own weather."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...config.raci import RetrievalConfig
from ...config.trees import NeighbourTreesConfig
from ...contracts import TrainingView
from ...retrieval.bank import Bank
from ...retrieval.neighbour_flux import NeighbourFlux
from .boosted_trees import boosted
from .known_sites import require_known_days
from .stored import reading
from .tree_features import Beside, Several
from .trees import Trees, read_boosters

if TYPE_CHECKING:
    import lightgbm

BANK, ASKED = "bank.npz", "asked.npz"
KEPT = ("roles", "kinds", "neighbours", "radius_km", "exclude_km")  # of the look-up


class NeighbourTrees(Trees):
    """LightGBM with retrieval: a few columns from a bank of training sites beside its usual features.

    It is RACI's retrieval without its network: what it gains over ``lightgbm`` is what neighbours are worth to trees.
    """

    def __init__(self, boosters: Mapping[str, "lightgbm.Booster"], bank: Bank, asked: RetrievalConfig) -> None:
        super().__init__(boosters)
        self.bank, self.asked = bank, asked

    @classmethod
    def fit(cls, config: NeighbourTreesConfig, view: TrainingView, cluster_km: float, seed: int) -> "NeighbourTrees":
        """Store the training sites, ask them about each other across clusters, and grow trees on what they say.

        Raises
        ------
        UserError
            If a target has no known day, or no validation day.
        """
        require_known_days(config.name, view)
        asked = RetrievalConfig(**{name: getattr(config, name) for name in KEPT})
        made = cls({}, Bank.build(view, cluster_km), asked)
        made.boosters = boosted(config, view, seed, made.beside(view, same_cube=True))
        return made

    def beside(self, view: TrainingView, same_cube: bool) -> Beside:
        """Ask the neighbours of every site of a view, beside what all trees are told."""
        told, asked = super().beside(view, same_cube), NeighbourFlux(self.bank, view, same_cube, self.asked)
        return asked if told is None else Several(told, asked)

    def _write(self, folder: Path) -> None:
        super()._write(folder)
        self.bank.save(folder / BANK)
        np.savez(folder / ASKED, **{name: getattr(self.asked, name) for name in KEPT})

    @classmethod
    def load(cls, folder: Path) -> "NeighbourTrees":
        """Read what ``save`` wrote.

        Raises
        ------
        UserError
            If a file is missing or damaged.
        """
        boosters, bank = read_boosters(folder), Bank.load(folder / BANK)
        with reading(folder), np.load(folder / ASKED, allow_pickle=False) as asked:
            # trees of a version that kept fewer of them were grown under the defaults of the rest
            return cls(
                boosters, bank, RetrievalConfig(**{name: asked[name].tolist() for name in KEPT if name in asked})
            )
