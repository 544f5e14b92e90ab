"""The few-shot question asked of a fold's training sites: what correctors are learned from and chosen by.

Every training site stands for a new one: the days shown and scored are those of its own start dates, by the same rule
as at tested sites (``questions.py``). It is no new one to a model that learned from it; who says what of training sites
stands at ``records.FoldPredictions``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .features import Features
from .moments import Moments, whitened
from .questions import SHOWN_DAYS, days_a_year_later, draw_starts, first_days
from .records import Doubles, FoldPredictions, Mask, Record

FEWEST_SITES = 10  # training sites with questions
_PENALTY = 30.0  # days that a site's coefficients are shrunk by where the persistence of what they leave is measured


class TooFewSitesError(UserError):
    """Too few training sites, or clusters of them, to say how sites differ."""


@dataclass(frozen=True)
class Evidence:
    """Moments of one target's residuals at training sites.

    Attributes
    ----------
    persistence : correlation of the noise from one day to the next.
    sites : (training site, ...) whitened, of whole records.
    cluster : (training site,).
    site : (question,) place of its site among the training sites.
    length : (question,) days from the start that are shown, one of ``SHOWN_DAYS``.
    shown, shown_whitened, scored : (question, ...).
    """

    persistence: float
    sites: Moments
    cluster: NDArray[np.int64]
    site: NDArray[np.int64]
    length: NDArray[np.int64]
    shown: Moments
    shown_whitened: Moments
    scored: Moments

    def errors(self, coefficients: Doubles) -> Doubles:
        """Return the mean RMSE over sites (length,) of coefficients (question, feature), of each of ``SHOWN_DAYS``."""
        squared = np.maximum(self.scored.squared_error(coefficients), 0.0)
        means = []
        for length in SHOWN_DAYS:
            asked = self.length == length
            of_site = np.bincount(self.site[asked], squared[asked], len(self.cluster))
            days = np.bincount(self.site[asked], self.scored.days[asked], len(self.cluster))
            means.append(np.sqrt(of_site[days > 0] / days[days > 0]).mean())
        return np.array(means)

    def days_shown(self) -> Doubles:
        """Mean number of fluxes shown (length,) for each of ``SHOWN_DAYS``."""
        return np.array([self.shown.days[self.length == length].mean() for length in SHOWN_DAYS])


def gather(record: Record, fold: FoldPredictions, features: Features) -> Evidence:
    """Ask the training sites of a fold about one target; sites of short records are learned from, not asked.

    Raises
    ------
    TooFewSitesError
        If fewer than ``FEWEST_SITES`` training sites are asked.
    """
    places = [site for site in np.flatnonzero(fold.training) if _learnable(record, fold, site, features.target).any()]
    starts = {site: draw_starts(str(record.site_id[site]), record.dates, record.measured[site]) for site in places}
    asked = sum(bool(drawn) for drawn in starts.values())
    if asked < FEWEST_SITES:
        raise TooFewSitesError(
            f"own days of {record.targets[features.target]}: only {asked} training sites have a record of more "
            f"than a year to learn a correction from, {FEWEST_SITES} are needed; take a run with more sites"
        )
    days = [_Days.of(record, fold, features, site) for site in places]
    persistence = _persistence(days)
    questions = [
        (number, length, *_moments(record, days[number], site, features.target, start, length, persistence))
        for number, site in enumerate(places)
        for start in starts[site]
        for length in SHOWN_DAYS
    ]
    number, length, shown, shown_whitened, scored = zip(*questions, strict=True)
    return Evidence(
        persistence,
        Moments.stacked([one.whitened(one.seen, persistence) for one in days]),
        record.cluster[places],
        np.array(number),
        np.array(length),
        Moments.stacked(list(shown)),
        Moments.stacked(list(shown_whitened)),
        Moments.stacked(list(scored)),
    )


@dataclass(frozen=True)
class _Days:
    """Features and residuals of one site; ``seen`` are the places of days that can be learned from."""

    design: Doubles  # (day, feature)
    residual: Doubles  # (day,)
    seen: NDArray[np.int64]

    @classmethod
    def of(cls, record: Record, fold: FoldPredictions, features: Features, site: int | np.int64) -> "_Days":
        predicted = fold.predicted[site]
        residual = record.flux[site, :, features.target].astype(np.float64) - predicted[:, features.target]
        seen = np.flatnonzero(_learnable(record, fold, site, features.target))
        return cls(features.design(record, predicted, int(site)), residual, seen)

    def plain(self, seen: NDArray[np.int64]) -> Moments:
        return Moments.of(self.design[seen], self.residual[seen])

    def whitened(self, seen: NDArray[np.int64], persistence: float) -> Moments:
        return Moments.of(
            whitened(self.design[seen], seen, persistence), whitened(self.residual[seen], seen, persistence)
        )


def _learnable(record: Record, fold: FoldPredictions, site: int | np.int64, target: int) -> Mask:
    """Days (day,) with a flux that may be learned from and a prediction."""
    return np.asarray(record.trainable[site, :, target] & np.isfinite(fold.predicted[site, :, target]))


def _moments(
    record: Record, days: _Days, site: np.int64, target: int, start: str, length: int, persistence: float
) -> tuple[Moments, Moments, Moments]:
    """Moments of what a question shows, plain and whitened, and of what it scores."""
    shown = first_days(start, length, record.dates, record.trainable[site])[:, target]
    scored = days_a_year_later(start, record.dates, record.measured[site])[:, target]
    known = np.isfinite(days.residual)
    seen = np.flatnonzero(shown & known)
    return days.plain(seen), days.whitened(seen, persistence), days.plain(np.flatnonzero(scored & known))


def _persistence(days: Sequence[_Days]) -> float:
    """Correlation of neighbouring days' residuals, after coefficients of each site's own, over all sites."""
    above = below = 0.0
    for one in days:
        moments = one.plain(one.seen)
        own = np.linalg.solve(moments.gram + _PENALTY * np.eye(len(moments.cross)), moments.cross)
        left = one.residual[one.seen] - one.design[one.seen] @ own
        next_to = np.diff(one.seen) == 1
        above += float((left[1:] * left[:-1])[next_to].sum())
        below += float((left[1:] ** 2 + left[:-1] ** 2)[next_to].sum() / 2)
    return float(np.clip(above / below, 0.0, 0.99)) if below > 0 else 0.0
