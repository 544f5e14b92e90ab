"""What a comparison of models says: numbers with intervals, pairs with differences, counts of sites."""

from dataclasses import dataclass, field

import numpy as np

from ..wording import model_name
from .bootstrap import Resampled, interval
from .validation_score import ValidationScore

PERCENT = "mean_rmse_percent"  # the difference in mean RMSE, in percent of the reference's


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; all None where undefined, the interval None with fewer than 10 clusters."""

    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, resampled: Resampled) -> "Estimate":
        """Read value and interval off the draws."""
        low, high = interval(resampled.draws) or (None, None)
        return cls(float(resampled.value) if np.isfinite(resampled.value) else None, low, high)


@dataclass(frozen=True)
class Difference(Estimate):
    """Model minus reference; ``p`` and ``p_holm`` (adjusted) are None where no interval is given or no claim made."""

    p: float | None
    p_holm: float | None


@dataclass(frozen=True)
class ModelLine:
    """One model under one score; ``estimates`` by the name of the statistic."""

    model: str
    seeds: tuple[int, ...]
    causal: bool
    estimates: dict[str, Estimate]

    @property
    def shown(self) -> str:
        """Name as tables show it, marked where the model is not causal."""
        return model_name({"model": self.model, "causal": self.causal})


@dataclass(frozen=True)
class Pair:
    """A model against a reference; ``differences`` (model minus reference) by the name of the statistic.

    Attributes
    ----------
    wins, ties, losses : sites at which the model's RMSE is lower, less than 1 % apart, higher.
    sites : difference of RMSE at each site where clusters are too few for an interval, else None.
    """

    model: str
    reference: str
    differences: dict[str, Difference]
    wins: int
    ties: int
    losses: int
    sites: dict[str, float] | None


@dataclass(frozen=True)
class ScoreComparison:
    """All models and pairs under one score.

    Attributes
    ----------
    sites, clusters, folds : of the sites that enter, and ``days``, their scored days.
    interval_level : level of the intervals, where all models give them alike, else None.
    """

    score: str
    sites: int
    clusters: int
    days: int
    folds: int
    interval_level: float | None
    models: list[ModelLine]
    pairs: list[Pair]


@dataclass(frozen=True)
class Comparison:
    """Models compared on one test set.

    Attributes
    ----------
    reference : the model that the others are compared with.
    best_baseline : of all models but the first the one with the best validation score; None where that is not known.
    validation : validation score of each model, None where a run has none.
    remarks : lines of the caller's that belong beside the numbers, such as on runs that are not among them.
    """

    target: str
    units: str
    quality: str
    question: str
    reference: str
    best_baseline: str | None
    validation: dict[str, ValidationScore | None]
    draws: int
    scores: list[ScoreComparison]
    remarks: list[str] = field(default_factory=list)
