"""Sums that a linear correction is made from and scored by, so that a thousand candidates cost a thousand small solves.

For features ``x`` and residuals ``r`` of some days: ``gram = sum x x'``, ``cross = sum x r``, ``square = sum r^2`` and
the number of days. The squared error of the coefficients ``b`` on them is ``square - 2 b' cross + b' gram b``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .records import Doubles


@dataclass(frozen=True)
class Moments:
    """The sums of one set of days, or of several along a first axis."""

    gram: Doubles  # (..., feature, feature)
    cross: Doubles  # (..., feature)
    square: Doubles  # (...)
    days: Doubles  # (...)

    @classmethod
    def of(cls, design: Doubles, residual: Doubles) -> "Moments":
        """Sum over days: ``design`` (day, feature), ``residual`` (day,)."""
        return cls(
            design.T @ design, design.T @ residual, np.asarray(residual @ residual), np.asarray(float(len(residual)))
        )

    @classmethod
    def stacked(cls, several: "list[Moments]") -> "Moments":
        """Put sums along a new first axis."""
        names = ("gram", "cross", "square", "days")
        return cls(*(np.stack([getattr(one, name) for one in several]) for name in names))

    def __getitem__(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> "Moments":
        """Keep some along the first axis."""
        return Moments(self.gram[which], self.cross[which], self.square[which], self.days[which])

    def of_columns(self, columns: NDArray[np.int64]) -> "Moments":
        """Keep some features."""
        return Moments(self.gram[..., columns[:, None], columns], self.cross[..., columns], self.square, self.days)

    def squared_error(self, coefficients: Doubles) -> Doubles:
        """Return the sum of squared errors (...) of ``coefficients`` (..., feature)."""
        twice = 2 * (coefficients * self.cross).sum(-1)
        return np.asarray(
            self.square - twice + np.einsum("...i,...ij,...j->...", coefficients, self.gram, coefficients)
        )


def whitened(values: Doubles, day: NDArray[np.int64], persistence: float) -> Doubles:
    """Take out the autocorrelation of a first-order process seen on some days.

    Of noise with ``cov(e_s, e_t) = v persistence^|s - t|`` the values that return are independent with variance ``v``:
    each day has what the last seen day before it says taken away, and is scaled to the variance that is left.

    Parameters
    ----------
    values : (day, ...) of the seen days.
    day : (day,) their numbers, increasing.
    """
    step = persistence ** np.diff(day).astype(np.float64)
    step = step.reshape(-1, *(1,) * (values.ndim - 1))
    later = (values[1:] - step * values[:-1]) / np.sqrt(1 - step**2)
    return np.concatenate([values[:1], later])


def bridged(noise: Doubles, day: NDArray[np.int64], wanted: NDArray[np.int64], persistence: float) -> Doubles:
    """Return the mean (wanted,) of such noise on other days, given the noise (day,) on seen ones.

    Given the nearest seen day on each side, no other day says more.
    """
    right = np.searchsorted(day, wanted)
    a, b = np.maximum(right - 1, 0), np.minimum(right, len(day) - 1)  # the nearest seen day before, and at or after
    before = np.where(right > 0, wanted - day[a], np.inf)
    after = np.where(right < len(day), day[b] - wanted, np.inf)
    p, q = persistence**before, persistence**after
    both = p * (1 - q**2) * noise[a] + q * (1 - p**2) * noise[b]
    return np.asarray(both / (1 - (p * q) ** 2))
