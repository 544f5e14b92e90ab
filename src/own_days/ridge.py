"""Shrunk ridge: the residuals on the shown days regressed on features of the day (Hoerl and Kennard 1970).

``b = argmin sum over shown days (r - x' b)^2 + penalty |b|^2``, with scaled features ``x`` and the level shrunk like
any other coefficient, so that few days change little. Features and penalty are those that answer the few-shot question
best at training sites, for each number of shown days apart. Nothing else is learned from other sites.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .choice import ByDaysShown, in_all
from .evidence import Evidence
from .features import SETS, Features
from .moments import Moments
from .records import Doubles

PENALTIES = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 1e9)  # in days; the last leaves the prediction as it is


@dataclass(frozen=True)
class RidgeSetting:
    """Which features, and how many days of evidence their coefficients are shrunk by."""

    groups: tuple[str, ...]
    penalty: float


@dataclass(frozen=True)
class Ridge:
    """A ridge for one target of one fold."""

    features: Features
    chosen: ByDaysShown[RidgeSetting]

    @classmethod
    def fit(cls, features: Features, evidence: Evidence) -> "Ridge":
        """Choose features and penalty for each number of shown days."""
        settings = [RidgeSetting(groups, penalty) for groups in SETS for penalty in PENALTIES]
        errors = [evidence.errors(_coefficients(features, one, evidence.shown)) for one in settings]
        return cls(features, ByDaysShown.best(evidence, settings, errors))

    def correction(self, design: Doubles, seen: NDArray[np.int64], residual: Doubles) -> Doubles:
        """Return what to add to the prediction (day,).

        Parameters
        ----------
        design : (day, feature).
        seen : places of the shown days, one or more.
        residual : (seen,) observed minus predicted there.
        """
        shown = Moments.of(design[seen], residual)
        return np.asarray(design @ _coefficients(self.features, self.chosen.at(len(seen)), shown))


def _coefficients(features: Features, setting: RidgeSetting, shown: Moments) -> Doubles:
    """Solve for the coefficients (..., feature) of shown days."""
    columns = features.columns(setting.groups)
    few = shown.of_columns(columns)
    solved = np.linalg.solve(few.gram + setting.penalty * np.eye(len(columns)), few.cross[..., None])[..., 0]
    return in_all(np.asarray(solved, np.float64), columns, len(features.groups))
