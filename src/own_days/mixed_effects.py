"""What sites have in common: the coefficients of their residuals are draws from one distribution.

The residual ``r`` (observed minus predicted) of a site on day ``t`` is

    r_t = x_t' b + e_t,    b ~ N(mean, covariance),    cov(e_s, e_t) = noise * persistence^|s - t|

with coefficients ``b`` of the site's own. Mean, covariance and noise are learned over training sites by expectation
maximisation (Laird and Ware 1982, doi:10.2307/2529876). Of a new site some days' residuals are known, and the posterior
of its coefficients follows. Residuals of a model that learned from the training sites (``records.FoldPredictions``) are
smaller than those of a new site, and so is the covariance that they give.
"""

from dataclasses import dataclass

import numpy as np

from .moments import Moments
from .records import Doubles

ITERATIONS = 100
TOLERANCE = 1e-3  # relative change of the noise and of the covariance's trace at which learning ends
_TINY = 1e-9


@dataclass(frozen=True)
class MixedEffects:
    """What sites have in common.

    Attributes
    ----------
    mean : (feature,) of the coefficients.
    covariance : (feature, feature) of the coefficients over sites.
    noise : variance of a day's residual about its site's coefficients.
    """

    mean: Doubles
    covariance: Doubles
    noise: float

    @classmethod
    def fit(cls, sites: Moments) -> "MixedEffects":
        """Learn from the whitened moments (site, ...) of training sites, sites weighing alike in mean and covariance.

        E step: the posterior of each site's coefficients; M step: the moments of these posteriors, and the mean squared
        residual that they leave.
        """
        features = sites.cross.shape[-1]
        noise = _noise(sites.square, sites)
        current = cls(np.zeros(features), noise * np.eye(features), noise)
        for _ in range(ITERATIONS):
            spread = current._spread(sites)
            own = current.coefficients(sites)
            mean = own.mean(0)
            about = own - mean
            covariance = (spread + about[:, :, None] * about[:, None, :]).mean(0)
            left = sites.squared_error(own) + (sites.gram * spread).sum((-2, -1))
            after = cls(mean, (covariance + covariance.T) / 2, _noise(left, sites))
            done = _close(after.noise, current.noise) and _close(
                float(np.trace(after.covariance)), float(np.trace(current.covariance))
            )
            current = after
            if done:
                break
        return current

    def about_zero(self) -> "MixedEffects":
        """Return the same second moments about 0, as if the model were right of the mean site."""
        return MixedEffects(np.zeros(len(self.mean)), self.covariance + np.outer(self.mean, self.mean), self.noise)

    def coefficients(self, shown: Moments, inflation: float = 1.0) -> Doubles:
        """Return the posterior mean (..., feature) of coefficients given whitened moments of shown days.

        Parameters
        ----------
        inflation : factor on the noise: above 1, shown days count for less than the model of the noise says.
        """
        noise = self.noise * inflation
        news = shown.cross - shown.gram @ self.mean
        return np.asarray(self.mean + (self._spread(shown, inflation) @ news[..., None])[..., 0] / noise)

    def _spread(self, shown: Moments, inflation: float = 1.0) -> Doubles:
        """Posterior covariance (..., feature, feature): ``C (1 + G C / noise)^-1``, which needs no inverse of ``C``."""
        told = np.eye(len(self.mean)) + shown.gram @ self.covariance / (self.noise * inflation)
        return np.asarray(np.swapaxes(np.linalg.solve(np.swapaxes(told, -1, -2), self.covariance), -1, -2))


def _noise(squares: Doubles, sites: Moments) -> float:
    """Mean of squared residuals (site,) over the days; above 0 also where a model is right of every day."""
    return max(float(squares.sum() / max(sites.days.sum(), 1.0)), float(np.finfo(np.float64).tiny))


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= TOLERANCE * max(abs(b), _TINY)
