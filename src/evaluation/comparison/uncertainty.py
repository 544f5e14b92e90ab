"""What a run's intervals and quantiles are worth at each site, in a form that can be resampled.

Widths of two models compare only at one coverage. In every draw all intervals of a model are stretched about their
middles by the one factor that covers the drawn sites at the level on average, as in
:meth:`raciflux.evaluation.scores.intervals.Intervals.matched`, and their mean width is taken. The factor is sought
anew in each draw, so that the interval of a difference holds its uncertainty too: on a grid of factors, straight
between two of them, and on a finer one between the smallest and the largest that any draw came near.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..metrics import FloatArray
from ..scores.intervals import Intervals
from ..scores.quantile_scores import QuantileScores
from .bootstrap import Counts, total, weighted_mean

FACTORS = np.geomspace(0.01, 100.0, 401)  # two neighbours differ by 2.3 %
_ROUNDING = 1e-9  # of a coverage that was summed in another order

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SiteScores:
    """Numbers of each site, and what must be alike to set them beside another model's.

    Attributes
    ----------
    asked : level of the intervals, or levels of the quantiles.
    days : (site,) scored days that have an interval, or quantiles; the numbers of a site without any are NaN.
    """

    asked: tuple[float, ...]
    days: NDArray[np.int64]

    def __getitem__(self, sites: Flags | NDArray[np.int64]) -> Self:
        """Choose sites."""
        return replace(self, **{name: getattr(self, name)[sites] for name in self._columns()})

    def alike(self, other: "SiteScores") -> bool:
        """Whether both were measured with the same levels and on as many days of each site."""
        return self.asked == other.asked and np.array_equal(self.days, other.days)

    @classmethod
    def joined(cls, folds: Sequence[Self | None]) -> Self | None:
        """Put sites of several folds together; None where a fold has none, or other levels."""
        known = [fold for fold in folds if fold is not None]
        if len(known) < len(folds) or len({fold.asked for fold in known}) != 1:
            return None
        columns: dict[str, Any] = {name: _stacked([getattr(fold, name) for fold in known]) for name in cls._columns()}
        return cls(known[0].asked, **columns)

    @classmethod
    def _columns(cls) -> list[str]:
        return [field.name for field in fields(cls) if field.name != "asked"]


@dataclass(frozen=True, eq=False)
class SiteIntervals(SiteScores):
    """Intervals: ``coverage`` (site,), ``width`` (site,), and ``needed`` (site, day).

    The last are the factors that would just reach each observation, ascending, infinite behind a site's last day.
    """

    coverage: FloatArray
    width: FloatArray
    needed: NDArray[np.float32]

    @classmethod
    def of(cls, predictions: xr.Dataset, scored: Flags) -> "SiteIntervals | None":
        """Measure the intervals on the ``scored`` (site, day) days; None where there are none."""
        measured = Intervals.of(predictions, scored)
        if measured is None:
            return None
        ascending = np.sort(np.where(np.isnan(measured.needed), np.inf, measured.needed), axis=1)
        needed = ascending[:, : int(measured.days.max(initial=0))].astype(np.float32)
        return cls((measured.level,), measured.days, measured.coverage, measured.width, needed)

    def covered(self, factors: FloatArray) -> FloatArray:
        """Coverage (site, factor) of the intervals stretched by each of the factors."""
        within = [np.searchsorted(site, factors, side="right") for site in self.needed]
        return np.stack(within) / self.days[:, None]


@dataclass(frozen=True, eq=False)
class SiteQuantiles(SiteScores):
    """Quantiles: ``crps`` (site,)."""

    crps: FloatArray

    @classmethod
    def of(cls, predictions: xr.Dataset, scored: Flags) -> "SiteQuantiles | None":
        """Measure the quantiles on the ``scored`` (site, day) days; None where there are none."""
        measured = QuantileScores.of(predictions, scored)
        return None if measured is None else cls(tuple(measured.levels.tolist()), measured.days, measured.crps)


def coverage(intervals: SiteIntervals, counts: Counts) -> FloatArray:
    """Mean coverage of the drawn sites."""
    return weighted_mean(intervals.coverage, counts)


def matched_width(intervals: SiteIntervals, counts: Counts) -> FloatArray:
    """Mean width of the drawn sites at matched coverage, in the target's unit; NaN where no factor matches it."""
    coarse = _factors(intervals, counts, FACTORS)
    near = coarse[np.isfinite(coarse)]
    if not near.size:
        return coarse
    step = FACTORS[1] / FACTORS[0]
    finer = np.geomspace(near.min() / step, near.max() * step, len(FACTORS))
    return _factors(intervals, counts, finer) * weighted_mean(intervals.width, counts)


def crps(quantiles: SiteQuantiles, counts: Counts) -> FloatArray:
    """Mean CRPS of the drawn sites, in the target's unit."""
    return weighted_mean(quantiles.crps, counts)


STATISTICS: dict[str, dict[str, Callable[[Any, Counts], FloatArray]]] = {
    "intervals": {"coverage": coverage, "matched_width": matched_width},
    "quantiles": {"crps": crps},
}
"""Statistics of each attribute of :class:`.asked.Asked` that holds site scores."""

DIFFERENCES = ("matched_width", "crps")


def common_sites(models: Sequence[SiteScores | None]) -> Flags | None:
    """Sites (site,) that all models measured, on the same axis; None unless all did so alike, and at a site."""
    first = models[0]
    if first is None or not all(one is not None and one.alike(first) for one in models):
        return None
    measured = first.days > 0
    return measured if measured.any() else None


def _factors(intervals: SiteIntervals, counts: Counts, factors: FloatArray) -> FloatArray:
    """Factor (draw,) that covers the drawn sites at the level on average, between the ``factors``; else NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        covered = total(intervals.covered(factors), counts) / counts.sum(1, keepdims=True)
        above = (covered < intervals.asked[0] - _ROUNDING).sum(1)
        inside = (above > 0) & (above < len(factors))
        above = np.clip(above, 1, len(factors) - 1)
        draw = np.arange(len(covered))
        low, high = covered[draw, above - 1], covered[draw, above]
        between = factors[above - 1] + (intervals.asked[0] - low) / (high - low) * (factors[above] - factors[above - 1])
    return np.where(inside, between, np.nan)


def _stacked(columns: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Rows one below another; those of fewer days are filled up with infinity."""
    if columns[0].ndim == 1:
        return np.concatenate(columns)
    most = max(column.shape[1] for column in columns)
    return np.concatenate(
        [np.pad(column, ((0, 0), (0, most - column.shape[1])), constant_values=np.inf) for column in columns]
    )
