"""The empirical-Bayes correction: what a site's shown residuals say of it, in the light of how sites differ.

``mixed_effects.py`` learns over training sites how the coefficients of residuals vary from site to site, and how noise
goes on from day to day. Of the residuals ``r`` on shown days of a new site, the correction of day ``t`` is the mean of
the Gaussian model given them,

    x_t' b + c_t' C^-1 (r - X b),    b the posterior mean of the site's coefficients,

whose second part, with the noise's covariances ``C`` of shown days and ``c_t`` between them and ``t``, carries what
persists into the days next to shown ones. Features, whether coefficients vary about their mean or about 0, and a factor
by which the noise is inflated (single days tell less of a later year than a model of one persistence says), are chosen
by cross-validation over training clusters under the few-shot question, for each number of shown days apart. One target
at a time. A mean other than 0 corrects what the model gets wrong at every site: a part of the gain that no own day
brings.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from .choice import PARTS, ByDaysShown, in_all, parts_of
from .evidence import Evidence, TooFewSitesError
from .features import SETS, Features
from .mixed_effects import MixedEffects
from .moments import Moments, bridged, whitened
from .records import Doubles

INFLATIONS = (1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class BayesSetting:
    """Which features, what sites have in common of their coefficients, and the factor on the noise."""

    groups: tuple[str, ...]
    common: MixedEffects
    inflation: float


@dataclass(frozen=True)
class EmpiricalBayes:
    """The correction of one target of one fold."""

    features: Features
    persistence: float
    chosen: ByDaysShown[BayesSetting]

    @classmethod
    def fit(cls, features: Features, evidence: Evidence) -> "EmpiricalBayes":
        """Learn from the training sites of a fold, and choose among features and inflations.

        Raises
        ------
        TooFewSitesError
            If the training sites form one cluster.
        """
        if len(np.unique(evidence.cluster)) < 2:
            raise TooFewSitesError(
                "own days: the training sites form one cluster, so that no correction can be chosen across clusters; "
                "take a run with more sites"
            )
        settings, errors = [], []
        part = parts_of(evidence.cluster)
        for groups in SETS:
            columns = features.columns(groups)
            sites = evidence.sites.of_columns(columns)
            about_mean = [MixedEffects.fit(sites[part != tested]) for tested in range(PARTS)]
            common = MixedEffects.fit(sites)
            centres = (common, about_mean), (common.about_zero(), [one.about_zero() for one in about_mean])
            for (whole, without), inflation in product(centres, INFLATIONS):
                settings.append(BayesSetting(groups, whole, inflation))
                held_out = _held_out(evidence, part, without, columns, inflation)
                errors.append(evidence.errors(in_all(held_out, columns, len(features.groups))))
        return cls(features, evidence.persistence, ByDaysShown.best(evidence, settings, errors))

    def correction(self, design: Doubles, seen: NDArray[np.int64], residual: Doubles) -> Doubles:
        """Return what to add to the prediction (day,).

        Parameters
        ----------
        design : (day, feature).
        seen : places of the shown days, one or more, increasing.
        residual : (seen,) observed minus predicted there.
        """
        chosen = self.chosen.at(len(seen))
        x = design[:, self.features.columns(chosen.groups)]
        shown = Moments.of(whitened(x[seen], seen, self.persistence), whitened(residual, seen, self.persistence))
        own = chosen.common.coefficients(shown, chosen.inflation)
        persists = bridged(residual - x[seen] @ own, seen, np.arange(len(x)), self.persistence)
        return np.asarray(x @ own + persists)


def _held_out(
    evidence: Evidence,
    part: NDArray[np.int64],
    without: list[MixedEffects],
    columns: NDArray[np.int64],
    inflation: float,
) -> Doubles:
    """Coefficients (question, column) of every training site's questions, by what was learned without its part."""
    shown = evidence.shown_whitened.of_columns(columns)
    coefficients = np.zeros(shown.cross.shape)
    for tested, common in enumerate(without):
        asked = part[evidence.site] == tested
        coefficients[asked] = common.coefficients(shown[asked], inflation)
    coefficients[shown.days == 0] = 0.0  # a site that shows nothing is left as it is
    return coefficients
