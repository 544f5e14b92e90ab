"""The mean year of a site in twelve months, and its way back to days.

Months are twelfths of the calendar year, counted from 1 January in the north and from 1 July in the south, so that
month 0 is midwinter's on both sides of the equator.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...contracts import TrainingView
from ...retrieval.season import year_phase

Doubles = NDArray[np.float64]

MONTHS = 12
PRIOR_DAYS = 10.0  # days of evidence: a month with fewer says less of itself than the place it is shrunk towards
PRIOR_MONTHS = 1.0  # months of evidence: the same for the level of a year


@dataclass(frozen=True)
class Seasons:
    """Mean flux of each month of each known site, 0 where no day is known, and the number of days behind it."""

    mean: Doubles  # (entry, month, target) scaled
    days: NDArray[np.int64]  # (entry, month, target)

    @classmethod
    def of(cls, view: TrainingView, rows: NDArray[np.int64]) -> "Seasons":
        """Average the known days of the sites ``rows`` (entry,) of a view."""
        shape = (len(rows), MONTHS, len(view.layout.targets))
        total, days = np.zeros(shape), np.zeros(shape, np.int64)
        month = np.floor(months_since_midwinter(view)).astype(np.int64)
        for entry, row in enumerate(rows):
            known, hemisphere = view.visible.known[row], int(view.lat[row] < 0)
            np.add.at(total[entry], month[hemisphere], np.where(known, view.target[row], 0.0))
            np.add.at(days[entry], month[hemisphere], known)
        return cls(total / np.maximum(days, 1), days)

    @property
    def weight(self) -> Doubles:
        """Trust in each month's mean, 0 to below 1: (entry, month, target)."""
        return np.asarray(self.days / (self.days + PRIOR_DAYS))

    def typical(self, shown: NDArray[np.bool_]) -> Doubles:
        """Mean year (month, target) over the entries ``shown`` (entry,), every site alike.

        A month that nobody measured stands at the mean of the others; without any it is 0, the mean of training days.
        """
        weight = self.weight[shown]
        total, trust = (self.mean[shown] * weight).sum(0), weight.sum(0)
        measured = trust > 0
        curve = total / np.where(measured, trust, 1.0)
        level = curve.sum(0) / np.maximum(measured.sum(0), 1)
        return np.asarray(np.where(measured, curve, level))

    def own(self, entry: NDArray[np.int64], base: Doubles) -> Doubles:
        """Years of single entries, shrunk towards ``base`` where days are few: first the level, then the months.

        Parameters
        ----------
        entry : (...,) positions.
        base : (month, target), or (..., month, target).

        Returns
        -------
        (..., month, target)
        """
        weight, departure = self.weight[entry], self.mean[entry] - base
        level = (weight * departure).sum(-2, keepdims=True) / (weight.sum(-2, keepdims=True) + PRIOR_MONTHS)
        return np.asarray(base + level + weight * (departure - level))


def daily(curve: Doubles, view: TrainingView) -> NDArray[np.float32]:
    """Draw mean years (site, month, target) out to days (site, day, target), straight from mid-month to mid-month."""
    position = (months_since_midwinter(view) - 0.5) % MONTHS  # (2, day)
    before = np.floor(position).astype(np.int64) % MONTHS
    share = (position - np.floor(position)).astype(np.float32)[..., None]
    values = curve.astype(np.float32)
    flux = np.empty((len(values), len(view.dates), values.shape[-1]), np.float32)
    for hemisphere, sites in enumerate((view.lat >= 0, view.lat < 0)):
        left, right = values[sites][:, before[hemisphere]], values[sites][:, (before[hemisphere] + 1) % MONTHS]
        flux[sites] = left + share[hemisphere] * (right - left)
    return flux


def months_since_midwinter(view: TrainingView) -> Doubles:
    """Months (2, day), 0 to below 12, from the start of the year of the north and of the south."""
    months = year_phase(view.dates) / (2 * np.pi) * MONTHS
    return np.stack([months, (months + MONTHS / 2) % MONTHS])
