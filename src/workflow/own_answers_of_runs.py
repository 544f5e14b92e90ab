"""What finished runs of RACI say of the sites that they test, given any of a site's own days."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import UserError
from .own_answers import OwnAnswers
from .own_residuals import readings_of_fold
from .stages import accelerator, looks_at_own_days
from .trained_folds import trained_folds


class OwnAnswersOfRuns:
    """Ask the networks that did not train on a site; several runs answer with their mean.

    Raises
    ------
    UserError
        If a run is of no RACI that looks at own days, or is not finished.
    """

    def __init__(self, runs: Sequence[Path]) -> None:
        self.runs = [_folds(run) for run in runs]

    def __call__(self, site: int, shown: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return the mean answer (day, target) in units, given the shown fluxes (day, target) of the site."""
        said = [answers(site, shown)[0] for folds in self.runs for tested, answers in folds if tested[site]]
        return np.asarray(np.mean(said, axis=0))


def _folds(run: Path) -> list[tuple[NDArray[np.bool_], OwnAnswers]]:
    folds = []
    for fold in trained_folds(run):
        if not looks_at_own_days(fold.config):
            raise UserError(f"{run}: model={fold.config.model.name} does not look at own days; name a run of raci")
        tested = fold.split.members("test", fold.data.cube["site_id"].to_numpy())
        beside = readings_of_fold(fold.config, fold.data, fold.folder)
        folds.append((tested, OwnAnswers(fold.module, fold.data, torch.device(accelerator(fold.config)), beside)))
    return folds
