"""What many own days say that coefficients do not: trees grown on a site's own errors.

A few days leave trees little to split; with a year or more they find where the response bends. They know nothing of how
an error lasts from day to day, so near a shown day they say less than the network's own layer does. Hence they count
the more, the more days are shown and the farther the asked day lies from the nearest of them.

Extremely randomised trees (Geurts et al. 2006, doi:10.1007/s10994-006-6226-1) on the features that the mixed effects
read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .features import Features
from .records import Doubles, Floats, Mask, Record

HALF_AT = 120  # shown days of which trees have half of the share that they have with very many
NEAR_DAYS = 15.0  # scale of the distance to the nearest shown day over which they come to count
FEWEST = 20  # shown days to grow anything from
TREES = 50
LEAST_LEAF = 3  # days
FEATURE_SHARE = 1 / 3


@dataclass(frozen=True)
class OwnTrees:
    """Trees for each target of each question, grown when it is asked, seed 0; nothing is stored.

    Attributes
    ----------
    features : of each target.
    most : share in the answer with very many shown days, far from each.
    record : the sites that are asked.
    """

    features: Sequence[Features]
    most: float
    record: Record

    def share(self, shown: Mask) -> Floats:
        """Return how much the trees count (day, target), given the shown fluxes (day, target)."""
        count = shown.sum(0)
        many = np.where(count >= FEWEST, count / (count + HALF_AT), 0.0)
        far = np.stack([1 - np.exp(-_days_to_nearest(of_target) / NEAR_DAYS) for of_target in shown.T], axis=1)
        return np.asarray(self.most * many * far, np.float32)

    def __call__(self, site: int, alone: Floats, shown: Mask) -> Floats:
        """Correct what is said of a site without a look at own fluxes (day, target), in units, by those shown."""
        flux = alone.copy()
        for target, features in enumerate(self.features):
            observed = self.record.flux[site, :, target]
            seen = shown[:, target] & np.isfinite(alone[:, target]) & np.isfinite(observed)
            if seen.sum() >= FEWEST:
                design = features.design(self.record, alone, site)
                flux[:, target] += _grown(design, seen, observed[seen].astype(np.float64) - alone[seen, target])
        return flux


def _grown(design: Doubles, seen: Mask, error: Doubles) -> Floats:
    """Return the errors (day,) that trees grown on the seen days expect of each day."""
    from sklearn.ensemble import ExtraTreesRegressor

    trees = ExtraTreesRegressor(TREES, min_samples_leaf=LEAST_LEAF, max_features=FEATURE_SHARE, random_state=0)
    return np.asarray(trees.fit(design[seen], error).predict(design), np.float32)


def _days_to_nearest(shown: Mask) -> Doubles:
    """Days (day,) from each day to the nearest shown one; infinite where nothing is shown."""
    days, places = np.arange(len(shown)), np.flatnonzero(shown)
    if not len(places):
        return np.full(len(shown), np.inf)
    after = np.searchsorted(places, days).clip(max=len(places) - 1)
    before = (np.searchsorted(places, days, side="right") - 1).clip(min=0)
    nearest: Doubles = np.minimum(np.abs(places[after] - days), np.abs(days - places[before])).astype(np.float64)
    return nearest
