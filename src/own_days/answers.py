"""What every way to use own days looks like from outside."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .records import Floats, FoldPredictions, Mask


class SiteAnswer(Protocol):
    """Answer for one site given the fluxes that a question shows of it.

    An answer may look at fluxes on shown days of the site and at nothing else of it but drivers and place.

    Parameters
    ----------
    site : place of the site in the cube.
    shown : (day, target) fluxes that may be used; never a scored one.

    Returns
    -------
    (day, target) float32 in units, NaN where it has no answer.
    """

    def __call__(self, site: int, shown: Mask) -> Floats: ...  # noqa: D102


@dataclass(frozen=True)
class ZeroShot:
    """What a model says of unseen sites, whatever is shown."""

    folds: Sequence[FoldPredictions]

    def __call__(self, site: int, shown: Mask) -> Floats:
        """Return the prediction of the fold that tests the site."""
        return np.asarray(self.folds[fold_of(site, self.folds)].predicted[site])


def fold_of(site: int, folds: Sequence[FoldPredictions]) -> int:
    """Place of the fold that tests a site.

    Raises
    ------
    ValueError
        If none does.
    """
    testing = [place for place, fold in enumerate(folds) if fold.tested[site]]
    if len(testing) != 1:
        raise ValueError(f"site {site} is tested in {len(testing)} folds")
    return testing[0]


def mean_of(models: Sequence[FoldPredictions]) -> FoldPredictions:
    """Return the mean of several models of one fold; NaN where one says nothing."""
    first = models[0]
    return FoldPredictions(np.mean([one.predicted for one in models], axis=0), first.training, first.tested)
