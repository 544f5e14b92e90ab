"""Prediction intervals whose coverage is set on sites that training has not seen: hierarchical conformal prediction.

A ``Band`` is what a forecast says of each day before calibration; its score says how far an observation lies outside
(negative inside). Calibration takes a quantile of the scores at unseen sites, and widens or narrows every band by it.

Days of one site are alike, so a site counts once however long its record: with G calibration sites each weighs
``1 / (G + 1)``, spread evenly over its days, and the last ``1 / (G + 1)`` stands at infinity for the site to come.
Pooling of the sites' distributions is Dunn, Wasserman and Ramdas (2022), arXiv 1809.07441; with the mass at infinity
it is the hierarchical conformal prediction of Lee, Barber and Willett (2023), arXiv 2306.06342: if the sites, the new
one among them, are exchangeable and the scores come from a model that has seen none of them, then a day drawn from the
new site is covered with a probability of at least ``level``. That is an average over sites, never a promise for one.

Sites of one cluster resemble each other. They still count one by one here, as the scores over sites count them, so
G overstates the evidence where a few clusters hold most sites: coverage is then right on average, but varies more from
one draw of clusters to the next than G independent sites would let it.
"""

import json
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..atomic import write_text
from ..errors import UserError

FloatArray = NDArray[np.float64]
Kind = Literal["absolute", "normalised", "quantile"]
ROUNDING = 1e-9  # relative; sums of 1 / days miss whole numbers by about 1e-13


@dataclass(frozen=True)
class Band:
    """What a forecast says of each day before calibration, arrays of one shape in the flux's unit.

    Attributes
    ----------
    kind : how it was made; a calibration fits bands of its own kind only.
    lower, upper : the band, which may have no width.
    scale : what one unit of score means there, positive: 1, or a spread that differs from day to day.
    """

    kind: Kind
    lower: FloatArray
    upper: FloatArray
    scale: FloatArray

    @classmethod
    def absolute(cls, mean: ArrayLike) -> "Band":
        """Band of a point forecast, whose score is the absolute error ``|y - mean|``: one width for all days."""
        mean = np.asarray(mean, np.float64)
        return cls("absolute", mean, mean, np.ones_like(mean))

    @classmethod
    def normalised(cls, mean: ArrayLike, scale: ArrayLike) -> "Band":
        """Band of a point forecast whose score is ``|y - mean| / scale``: the width follows the scale.

        Lei et al. (2018), doi:10.1080/01621459.2017.1307116, section 5.2.

        Raises
        ------
        ValueError
            If a scale is not positive; NaN stands for a day without a forecast.
        """
        mean, scale = np.asarray(mean, np.float64), np.asarray(scale, np.float64)
        if (scale <= 0).any():
            raise ValueError("a scale is not positive")
        return cls("normalised", mean, mean, np.broadcast_to(scale, mean.shape))

    @classmethod
    def quantile(cls, lower: ArrayLike, upper: ArrayLike) -> "Band":
        """Band between two predicted quantiles, scored by ``max(lower - y, y - upper)``: the width follows the model.

        Conformalised quantile regression: Romano, Patterson and Candes (2019), arXiv 1905.03222.
        """
        lower, upper = np.asarray(lower, np.float64), np.asarray(upper, np.float64)
        return cls("quantile", lower, upper, np.ones_like(lower))

    def scores(self, observed: ArrayLike) -> FloatArray:
        """How far each observation lies outside the band, in units of the scale; negative inside."""
        y = np.asarray(observed, np.float64)
        return np.asarray(np.maximum(self.lower - y, y - self.upper) / self.scale)

    def widened(self, offset: float) -> tuple[FloatArray, FloatArray]:
        """Lower and upper end once widened by ``offset`` scales; a band narrowed to nothing is its middle."""
        lower, upper = self.lower - offset * self.scale, self.upper + offset * self.scale
        middle = (self.lower + self.upper) / 2.0
        return np.minimum(lower, middle), np.maximum(upper, middle)


@dataclass(frozen=True)
class Calibration:
    """What was learned on unseen sites, and all that a new forecast needs to become an interval.

    Attributes
    ----------
    kind : of the bands it was learned on, and fits.
    level : share of days that intervals shall cover.
    offset : by how many scales bands are widened; negative narrows.
    sites, days : how many it was learned on.
    floor : what the maker of normalised bands added to the size of the flux to get the scale; 0 of other kinds.
    """

    kind: Kind
    level: float
    offset: float
    sites: int
    days: int
    floor: float = 0.0

    def interval(self, band: Band) -> tuple[FloatArray, FloatArray]:
        """Lower and upper end for each day of ``band``, NaN where it has no forecast.

        Raises
        ------
        ValueError
            If the band is of another kind than those this was learned on.
        """
        if band.kind != self.kind:
            raise ValueError(f"a calibration of {self.kind} scores cannot widen a band of kind {band.kind}")
        return band.widened(self.offset)

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_text(json.dumps(asdict(self), indent=1) + "\n", path)

    @classmethod
    def load(cls, path: Path) -> "Calibration":
        """Read what ``save`` wrote."""
        return cls(**json.loads(path.read_text()))


def calibrate(
    kind: Kind, scores: FloatArray, site: NDArray[np.generic], level: float, floor: float = 0.0
) -> Calibration:
    """Learn by how much bands must be widened for ``level`` of the days of a new site to fall inside.

    Parameters
    ----------
    scores : (day,) scores of days at sites that the model had not seen.
    site : (day,) the site of each, any codes or names.
    level : between 0 and 1.
    floor : kept with the result, see ``Calibration``.

    Raises
    ------
    UserError
        If there are too few sites for the level: the interval would have to be infinite.
    """
    sites = len(np.unique(site))
    refuse_few_sites(sites, level)
    offset = site_quantile(scores, site, level)
    return Calibration(kind, level, offset, sites, len(scores), floor)


def site_quantile(scores: FloatArray, site: NDArray[np.generic], level: float) -> float:
    """Smallest score that ``level`` of the mass does not exceed; infinite if only the new site's mass gets there.

    Raises
    ------
    ValueError
        If a score is NaN, or there is not one site for each score.
    """
    if np.isnan(scores).any() or scores.shape != site.shape:
        raise ValueError(f"scores {scores.shape} with NaN, or not one site {site.shape} for each")
    names, index, days = np.unique(site, return_inverse=True, return_counts=True)
    order = np.argsort(scores, kind="stable")
    mass = np.cumsum(1.0 / days[index][order])  # in sites: each of them 1
    place = int(np.searchsorted(mass, level * (len(names) + 1) * (1.0 - ROUNDING)))
    return float(scores[order[place]]) if place < len(scores) else float("inf")


def refuse_few_sites(sites: int, level: float) -> None:
    """Refuse a level for which the interval would have to be infinite.

    Raises
    ------
    UserError
        If there are fewer sites than ``sites_needed(level)``.
    """
    if sites < sites_needed(level):
        reached = int(1000 * sites / (sites + 1)) / 1000
        raise UserError(
            f"calibration.level={level:g} needs {sites_needed(level)} calibration sites with scored days, and there "
            f"are {sites}; add sites or lower calibration.level to {reached:g} or less"
        )


def sites_needed(level: float) -> int:
    """Fewest sites that give a finite interval: the smallest G with ``G / (G + 1) >= level``."""
    return ceil(level / (1.0 - level) * (1.0 - ROUNDING))
