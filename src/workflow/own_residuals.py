"""Mixed effects beside the network: how what it says of a site errs there, learned at the end of a fold.

The network's own layer reads errors by features that it learned, one variance each; the correction of
``own_days/empirical_bayes.py`` reads them by drivers, season and recent weather, which vary together from site to site,
and is chosen under the very question of a few days shown and another year asked. They err differently, and the mean of
the two errs less than either. It is learned from what is said of training sites: by trees that were grown without the
site's cluster, and by the network, which has learned from the site. So its residuals are only in part out of fold, and
the network's part is smaller there than at a new site.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..atomic import write_text
from ..config.schema import Config
from ..datamodules.base import FluxDataModule
from ..evaluation.run_folder import NOT_LEARNED
from ..modules.flux_module import FluxModule
from ..own_days.correct import Corrected, corrected
from ..own_days.empirical_bayes import EmpiricalBayes
from ..own_days.evidence import TooFewSitesError
from ..own_days.own_trees import OwnTrees
from ..own_days.records import Floats, FoldPredictions, Mask, Record
from ..own_days.stored import load_corrections, save_corrections
from .evenly import evenly
from .own_answers import Beside, OwnAnswers
from .records import record_of_data, record_of_training
from .stages import accelerator

STORED = "own_residuals.json"


@dataclass(frozen=True)
class OwnResiduals:
    """The correction of a fold, and its weight in what own days say.

    Attributes
    ----------
    record : the sites that are asked.
    """

    corrections: tuple[EmpiricalBayes, ...]
    weight: float
    record: Record

    @classmethod
    def of_fold(cls, config: Config, data: FluxDataModule, fold: Path) -> "OwnResiduals | None":
        """Read what a fold learned, to be asked about the sites of ``data``; None where it learned nothing.

        Raises
        ------
        UserError
            If what it learned is damaged.
        """
        if not (fold / STORED).exists():
            return None
        return cls(load_corrections(fold / STORED), config.model.own_days.mixed_effects, record_of_data(data))

    def share(self, shown: Mask) -> Floats:
        """Return how much the correction counts (day, target)."""
        return np.full(shown.shape, self.weight, np.float32)

    def __call__(self, site: int, alone: Floats, shown: Mask) -> Floats:
        """Correct what is said of a site without a look at own fluxes (day, target), in units, by those shown."""
        return corrected(self.corrections, self.record, site, alone, shown)


def readings_of_fold(config: Config, data: FluxDataModule, fold: Path) -> list[Beside]:
    """Return what reads own days beside the network of a fold: its mixed effects, and trees on the same features.

    Raises
    ------
    UserError
        If what the fold learned is damaged.
    """
    mixed = OwnResiduals.of_fold(config, data, fold)
    if mixed is None:
        return []
    trees = OwnTrees([one.features for one in mixed.corrections], config.model.own_days.trees, mixed.record)
    return [mixed, trees] if trees.most > 0 else [mixed]


def learn_residuals(
    config: Config, module: FluxModule, data: FluxDataModule, fold: Path, say: Callable[[str], None]
) -> None:
    """Learn the correction from a fold's training sites into its folder.

    Nothing is learned in a split in time, whose test asks about sites that everything was trained on, nor from too few
    training sites to say how sites differ: there the network's own layer answers alone, which is said and kept for
    the report.
    """
    if config.model.own_days.mixed_effects == 0 or data.split.question == "new_years":
        return
    answers = OwnAnswers(module, data, torch.device(accelerator(config)))
    record, training = record_of_training(data), _learned_from(data)
    predicted = np.full(record.flux.shape, np.nan, np.float32)
    for site in np.flatnonzero(training):
        predicted[site] = answers(int(site), np.zeros(record.flux.shape[1:], bool))[0]
    said = FoldPredictions(predicted, training, np.zeros_like(training))
    try:
        learned = Corrected.fit(["empirical_bayes"], record, [said])["empirical_bayes"]
    except TooFewSitesError as few:
        line = f"{few}; {config.model.name} reads own days by its network alone, without mixed effects and own trees"
        write_text(json.dumps({"why": line}) + "\n", fold / NOT_LEARNED)
        say(f"  fold {data.split.fold}: {line}")
        return
    save_corrections([one for one in learned.corrections[0] if isinstance(one, EmpiricalBayes)], fold / STORED)


def _learned_from(data: FluxDataModule) -> Mask:
    """Return the training sites (site,); of many some of those with a flux, since the days of all are held at once."""
    training = np.flatnonzero(data.train_sites)
    if len(evenly(training)) < len(training):
        training = evenly(np.flatnonzero(data.training_days.any(1)))
    return np.isin(np.arange(len(data.train_sites)), training)
