"""A correction laid on top of a model's predictions, whatever the model: ridge or empirical Bayes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .answers import fold_of
from .empirical_bayes import EmpiricalBayes
from .evidence import Evidence, gather
from .features import Features
from .records import Doubles, Floats, FoldPredictions, Mask, Record
from .ridge import Ridge


class Correction(Protocol):
    """A correction of one target, learned on the training sites of one fold."""

    @property
    def features(self) -> Features: ...  # noqa: D102

    def correction(self, design: Doubles, seen: NDArray[np.int64], residual: Doubles) -> Doubles: ...  # noqa: D102


# A new one joins here.
CORRECTIONS: dict[str, Callable[[Features, Evidence], Correction]] = {
    "ridge": Ridge.fit,
    "empirical_bayes": EmpiricalBayes.fit,
}


@dataclass(frozen=True)
class Corrected:
    """A model's predictions, corrected by what a site shows; those of a site that shows nothing are left as they are.

    Attributes
    ----------
    corrections : of each fold, of each target.
    """

    record: Record
    folds: Sequence[FoldPredictions]
    corrections: Sequence[Sequence[Correction]]

    @classmethod
    def fit(cls, names: Sequence[str], record: Record, folds: Sequence[FoldPredictions]) -> "dict[str, Corrected]":
        """Learn the corrections of these names on the training sites of every fold.

        Raises
        ------
        TooFewSitesError
            If a fold has too few training sites of more than a year, or a correction needs more clusters of them.
        """
        learned: dict[str, list[list[Correction]]] = {name: [] for name in names}
        for fold in folds:
            of_targets = []
            for target in range(len(record.targets)):
                features = Features.of(record, fold, target)
                of_targets.append((features, gather(record, fold, features)))
            for name in names:
                learned[name].append([CORRECTIONS[name](*one) for one in of_targets])
        return {name: cls(record, folds, corrections) for name, corrections in learned.items()}

    def __call__(self, site: int, shown: Mask) -> Floats:
        """Return the corrected prediction (day, target) of a tested site."""
        fold = fold_of(site, self.folds)
        return corrected(self.corrections[fold], self.record, site, self.folds[fold].predicted[site], shown)


def corrected(corrections: Sequence[Correction], record: Record, site: int, predicted: Floats, shown: Mask) -> Floats:
    """Return what is predicted of a site (day, target), corrected by the fluxes (day, target) that it shows."""
    flux = predicted.copy()
    for target, one in enumerate(corrections):
        observed = record.flux[site, :, target]
        seen = np.flatnonzero(shown[:, target] & np.isfinite(predicted[:, target]) & np.isfinite(observed))
        if len(seen):
            residual = observed[seen].astype(np.float64) - predicted[seen, target]
            design = one.features.design(record, predicted, site)
            flux[:, target] += one.correction(design, seen, residual).astype(np.float32)
    return np.asarray(flux)
