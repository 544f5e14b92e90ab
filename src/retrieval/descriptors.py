"""What a place is like, told from its inputs alone: the keys by which neighbours are found.

The slow role is described by what sets the regime (statics, classes, climate), the fast role by how the days behave
(how far, how long and how jointly drivers stray from their season). No flux enters, and no driver outside
``TrainingView.driver_days``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..contracts import Layout, TrainingView
from .season import fit_season

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

MIN_DAYS = 30  # fewer known days describe no driver
CLASS_GAP = 2.0  # two classes are as far apart as two standard deviations of one continuous feature
REACH = 5.0  # descriptors are clipped to so many standard deviations: an outlier is far, not infinitely far
SITES_AT_ONCE = 64


@dataclass(frozen=True)
class Standard:
    """Mean and spread (feature,) of a role's descriptor over training sites; a feature without spread is ignored."""

    mean: Doubles
    spread: Doubles

    @classmethod
    def fit(cls, described: Doubles) -> "Standard":
        """Fit on the descriptors (site, feature) of training sites, NaN where unknown."""
        known = np.isfinite(described)
        count = np.maximum(known.sum(0), 1)
        mean = np.where(known, described, 0.0).sum(0) / count
        spread = np.sqrt((np.where(known, described - mean, 0.0) ** 2).sum(0) / count)
        return cls(mean, spread)

    def apply(self, described: Doubles) -> Doubles:
        """Standardise (site, feature); unknown becomes 0, the mean of training sites."""
        scaled = (described - self.mean) / np.where(self.spread > 1e-6, self.spread, np.inf)
        return np.asarray(np.clip(np.nan_to_num(scaled, nan=0.0), -REACH, REACH))


def descriptor_width(role: str, layout: Layout) -> int:
    """Count the features that describe a place in ``role``."""
    drivers = len(layout.fast)
    if role == "slow":
        return len(layout.static) + 3 * drivers + sum(layout.class_sizes)
    return 2 * drivers + drivers * (drivers - 1) // 2


def describe(view: TrainingView) -> dict[str, Doubles]:
    """Describe every site by its continuous features, raw: ``{role: (site, feature)}``, NaN where unknown."""
    parts = [_describe_days(view, slice(a, a + SITES_AT_ONCE)) for a in range(0, len(view.site_id), SITES_AT_ONCE)]
    climate, weather = (np.concatenate(described) for described in zip(*parts, strict=True))
    static = np.where(view.static_mask, view.static, np.nan)
    return {"slow": np.concatenate([static, climate], axis=1), "fast": weather}


def descriptors(view: TrainingView, raw: Mapping[str, Doubles], standards: Mapping[str, Standard]) -> dict[str, Floats]:
    """Standardise ``raw`` and add the classes: ``{role: (site, descriptor_width)}``, finite."""
    scaled = {role: standards[role].apply(described) for role, described in raw.items()}
    scaled["slow"] = np.concatenate([scaled["slow"], _one_hot(view)], axis=1)
    return {role: described.astype(np.float32) for role, described in scaled.items()}


def _one_hot(view: TrainingView) -> Doubles:
    """Classes (site, codes of all classes), two known classes ``CLASS_GAP`` apart; "unknown" is half-way to all."""
    columns = [np.eye(size)[codes] for codes, size in zip(view.classes.T, view.layout.class_sizes, strict=True)]
    for known in columns:
        known[:, 0] = 0.0
    joined = np.concatenate([np.empty((len(view.site_id), 0)), *columns], axis=1)
    return np.asarray(joined * (CLASS_GAP / np.sqrt(2)))


def _describe_days(view: TrainingView, sites: slice) -> tuple[Doubles, Doubles]:
    """Climate (site, 3 x driver) and day-to-day weather (site, feature) of a block of sites."""
    values = view.fast[sites]
    known = view.fast_mask[sites] & view.driver_days[sites, :, None]
    season = fit_season(values, known, view.dates)
    described = known.sum(1) >= MIN_DAYS  # (site, driver)
    climate = [np.where(described, part, np.nan) for part in (season.mean, season.cosine, season.sine)]
    anomaly, weight = season.anomaly, known.astype(np.float64)
    spread = np.sqrt((anomaly**2).sum(1) / np.maximum(weight.sum(1), 1.0))
    memory = _correlation(anomaly[:, 1:], anomaly[:, :-1], weight[:, 1:], weight[:, :-1])
    weather = [np.where(described, np.log(spread + 1e-3), np.nan), memory]
    weather += [
        _correlation(anomaly[..., [a]], anomaly[..., [b]], weight[..., [a]], weight[..., [b]])
        for a, b in combinations(range(anomaly.shape[-1]), 2)
    ]
    return np.concatenate(climate, axis=1), np.concatenate(weather, axis=1)


def _correlation(a: Doubles, b: Doubles, known_a: Doubles, known_b: Doubles) -> Doubles:
    """Correlate about zero, (site, feature), over days on which both are known; NaN where too few or constant."""
    norm = np.sqrt((a**2 * known_b).sum(1) * (b**2 * known_a).sum(1))
    enough = ((known_a * known_b).sum(1) >= MIN_DAYS) & (norm > 1e-6)
    return np.asarray(np.where(enough, (a * b).sum(1) / np.where(enough, norm, 1.0), np.nan))
