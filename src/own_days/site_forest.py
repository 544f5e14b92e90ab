"""Gap filling by a random forest of the site's own: trained on the visible days of one site, nothing of any other.

Breiman (2001), doi:10.1023/A:1010933404324, as Kim et al. (2020), doi:10.1111/gcb.14845, fill gaps with it: drivers of
the day, the days before and means over weeks and months, season, and time.
"""

from dataclasses import dataclass, field

import numpy as np

from .features import driver_names, trailing_mean
from .records import Doubles, Floats, Mask, Record

LAGS = (1, 2, 3, 7)  # days
SPANS = (7, 30, 90)  # days up to and including the day itself
TREES = 100
LEAST_LEAF = 3  # days
FEATURE_SHARE = 1 / 3


@dataclass
class SiteForest:
    """A forest for each target of each question; its seed is 0.

    Attributes
    ----------
    targets : fluxes to answer for; empty answers for all.
    jobs : cores that a forest may use.
    """

    record: Record
    targets: tuple[str, ...] = ()
    jobs: int = 1
    _site: int = -1
    _features: Floats = field(default_factory=lambda: np.empty((0, 0), np.float32))

    def __call__(self, site: int, shown: Mask) -> Floats:
        """Return the answer (day, target); NaN where no day of a target is shown."""
        from sklearn.ensemble import RandomForestRegressor

        if site != self._site:
            self._site, self._features = site, site_features(self.record, site)
        answer = np.full(shown.shape, np.nan, np.float32)
        for target, name in enumerate(self.record.targets):
            flux = self.record.flux[site, :, target]
            seen = shown[:, target] & np.isfinite(flux)
            if seen.any() and (not self.targets or name in self.targets):
                forest = RandomForestRegressor(
                    TREES, min_samples_leaf=LEAST_LEAF, max_features=FEATURE_SHARE, n_jobs=self.jobs, random_state=0
                )
                answer[:, target] = forest.fit(self._features[seen], flux[seen]).predict(self._features)
        return answer


def site_features(record: Record, site: int) -> Floats:
    """Return the features (day, feature) of a site; NaN where drivers are missing."""
    day = np.arange(len(record.dates), dtype=np.float64)
    angle = 2 * np.pi * day / 365.25
    columns = [day, np.cos(angle), np.sin(angle)]
    for name in driver_names(record):
        driver = record.drivers[name][site].astype(np.float64)
        columns += [driver, *(_lagged(driver, lag) for lag in LAGS), *(trailing_mean(driver, span) for span in SPANS)]
    return np.stack(columns, axis=1).astype(np.float32)


def _lagged(values: Doubles, lag: int) -> Doubles:
    return np.concatenate([np.full(lag, np.nan), values[:-lag]])
