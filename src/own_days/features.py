"""Features of a day whose coefficients a site may have of its own: what a residual may depend on.

All follow from drivers, calendar and the model's own prediction, never from a flux. They stand in groups; which groups
are used is chosen on training sites (``choice.py``).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .records import Doubles, Floats, FoldPredictions, Record

# Groups of features, from "the site is always above the model" to "its responses differ".
SETS: tuple[tuple[str, ...], ...] = (
    ("level",),
    ("level", "flux"),
    ("level", "flux", "season"),
    ("level", "flux", "drivers"),
    ("level", "flux", "season", "drivers"),
    ("level", "flux", "season", "drivers", "past"),
    ("level", "flux", "season", "drivers", "past", "fluxes", "bends"),
)
PAST_DAYS = 30
_CLIP = 4.0  # standard deviations; squares of spikes would rule a fit


@dataclass(frozen=True)
class Features:
    """The features of one target, scaled by what they are at training sites.

    Attributes
    ----------
    groups : (feature,) the group of each.
    mean, std : (feature,) over training days.
    """

    target: int
    groups: tuple[str, ...]
    mean: Doubles
    std: Doubles

    @classmethod
    def of(cls, record: Record, fold: FoldPredictions, target: int) -> "Features":
        """Scale on the days of training sites that the model predicts."""
        days = [_raw(record, fold.predicted[site], site, target) for site in np.flatnonzero(fold.training).tolist()]
        rows = np.concatenate([values[np.isfinite(values[:, 1])] for values, _ in days])
        groups = days[0][1]
        mean, std = np.nanmean(rows, 0), np.nanstd(rows, 0)
        mean[0], std[0] = 0.0, 1.0  # the level
        return cls(target, groups, mean, np.where(std > 0, std, 1.0))

    def columns(self, groups: tuple[str, ...]) -> NDArray[np.int64]:
        """Places of the features of some groups."""
        return np.flatnonzero(np.isin(self.groups, groups))

    def design(self, record: Record, predicted: Floats, site: int) -> Doubles:
        """Return the features (day, feature) of a site; what is missing stands at the mean.

        Parameters
        ----------
        predicted : (day, target) what the model says of the site.
        """
        values, _ = _raw(record, predicted, site, self.target)
        scaled: Doubles = np.nan_to_num(np.clip((values - self.mean) / self.std, -_CLIP, _CLIP))
        return scaled


def _raw(record: Record, predicted: Floats, site: int, target: int) -> tuple[Doubles, tuple[str, ...]]:
    """Features (day, feature) before scaling, the level first and the target's own prediction second."""
    flux = predicted.astype(np.float64)
    others = [flux[:, place] for place in range(flux.shape[1]) if place != target]
    drivers = {name: record.drivers[name][site].astype(np.float64) for name in driver_names(record)}
    angle = 2 * np.pi * _year_share(record, site)
    bending = [drivers[name] for name in ("SW", "TA", "VPD") if name in drivers]
    of_group = {
        "level": [np.ones(len(flux))],
        "flux": [flux[:, target]],
        "season": [np.cos(angle), np.sin(angle)],
        "drivers": list(drivers.values()),
        "past": [trailing_mean(values, PAST_DAYS) for values in (flux[:, target], *drivers.values())],
        "fluxes": others,
        "bends": [a * b for i, a in enumerate(bending) for b in bending[i:]],
    }
    groups = tuple(name for name, columns in of_group.items() for _ in columns)
    return np.stack([column for columns in of_group.values() for column in columns], axis=1), groups


def driver_names(record: Record) -> list[str]:
    """Drivers that say something of their own: no daily extremes beside their mean, nothing the calendar gives."""
    return [name for name in record.drivers if not name.endswith(("_MIN", "_MAX", "_POT"))]


def _year_share(record: Record, site: int) -> Doubles:
    """Share of the year since its first day; half a year later in the south, so that summer is summer."""
    days = record.dates.astype("datetime64[D]")
    share: Doubles = (days - days.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.float64) / 365.25
    return share + (0.5 if record.lat[site] < 0 else 0.0)


def trailing_mean(values: Doubles, days: int) -> Doubles:
    """Mean over the last ``days`` days, the day itself included (day,); NaN where none of them is known."""
    known = np.isfinite(values)
    total = np.concatenate([[0.0], np.where(known, values, 0.0).cumsum()])
    count = np.concatenate([[0], known.cumsum()])
    end = np.arange(1, len(values) + 1)
    begin = np.maximum(end - days, 0)
    n = count[end] - count[begin]
    return np.where(n > 0, (total[end] - total[begin]) / np.maximum(n, 1), np.nan)
