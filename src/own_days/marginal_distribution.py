"""Gap filling by marginal-distribution sampling, adapted from half-hours to days: the field's standard.

Reichstein et al. (2005), doi:10.1111/j.1365-2486.2005.001002.x: a missing flux is the mean of those seen under similar
meteorology in a window around it; the window widens, and the meteorology counts for less, until there is something to
average. "Similar" is shortwave radiation within 50 W m-2, air temperature within 2.5 degC and vapour pressure deficit
within 5 hPa. The ladder, with half windows in days; a rung needs two similar days:

1. all three similar, within 7 days, then 14;
2. radiation similar, within 7;
3. all three similar, within 21, 28, ... 70;
4. radiation similar, within 14, 21, ... 70;
5. the seasonal course: all days within 7, 14, ... 182, 183 days of the day of the year, in any year; one will do.

The mean diurnal course of half-hours has become the seasonal course of days. Of drivers that the data lack nothing is
asked; a day on which one is missing is similar to none.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .records import Doubles, Floats, Mask, Record

SIMILAR = {"SW": 50.0, "TA": 2.5, "VPD": 5.0}  # W m-2, degC, hPa
WIDEST = 70
FEWEST = 2
LADDER: tuple[tuple[str, int], ...] = (
    *(("all", radius) for radius in (7, 14)),
    ("light", 7),
    *(("all", radius) for radius in range(21, WIDEST + 1, 7)),
    *(("light", radius) for radius in range(14, WIDEST + 1, 7)),
)
YEAR = 366  # days of the year, the last of leap years only
COURSE = (*range(7, YEAR // 2, 7), YEAR // 2)  # up to the whole year

Similar = dict[str, Mask]  # (day, offset) of each rule of the ladder, for one site


@dataclass
class MarginalDistribution:
    """Means of a site's own visible days with similar meteorology; no other site is looked at.

    Attributes
    ----------
    targets : fluxes to answer for; empty answers for all.
    """

    record: Record
    targets: tuple[str, ...] = ()
    _site: int = -1
    _similar: Similar = field(default_factory=dict)

    def __post_init__(self) -> None:
        if "SW" not in self.record.drivers:
            raise UserError("marginal-distribution sampling needs shortwave radiation (SW), which these data lack")
        days = self.record.dates.astype("datetime64[D]")
        self._day_of_year = (days - days.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)

    def __call__(self, site: int, shown: Mask) -> Floats:
        """Return the answer (day, target); a shown day is its own."""
        if site != self._site:
            self._site, self._similar = site, self._similarity(site)
        flux = np.where(shown, self.record.flux[site], np.nan)
        for target, name in enumerate(self.record.targets):
            if self.targets and name not in self.targets:
                continue
            missing = np.flatnonzero(~np.isfinite(flux[:, target]))
            flux[missing, target] = self._fill(flux[:, target].astype(np.float64), missing)
        return np.asarray(flux)

    def _fill(self, flux: Doubles, missing: NDArray[np.int64]) -> Doubles:
        """Climb the ladder for the ``missing`` days of a flux (day,)."""
        filled = np.full(len(missing), np.nan)
        around = _windows(flux)[missing]
        seen = np.isfinite(around)
        in_reach = seen.sum(1) >= FEWEST
        for rule, radius in LADDER:
            rows = np.flatnonzero(np.isnan(filled) & in_reach)
            width = 2 * radius + 1
            counted = self._similar[rule][missing[rows], :width] & seen[rows, :width]
            n = counted.sum(1)
            total = np.where(counted, around[rows, :width], 0.0).sum(1)
            enough = n >= FEWEST
            filled[rows[enough]] = total[enough] / n[enough]
        left = np.isnan(filled)
        filled[left] = self._course(flux, missing[left])
        return filled

    def _course(self, flux: Doubles, missing: NDArray[np.int64]) -> Doubles:
        """Mean of the days of all years near a day of the year; NaN if nothing is visible at all."""
        there = np.isfinite(flux)
        days = np.bincount(self._day_of_year[there], minlength=YEAR)
        total = np.bincount(self._day_of_year[there], flux[there], minlength=YEAR)
        filled = np.full(len(missing), np.nan)
        for radius in COURSE:
            n, summed = (_around(values, radius)[self._day_of_year[missing]] for values in (days, total))
            take = np.isnan(filled) & (n > 0)
            filled[take] = summed[take] / n[take]
        return filled

    def _similarity(self, site: int) -> Similar:
        """Compare each day of a site with those around it."""
        near = {
            name: np.abs(_windows(drivers[site]) - drivers[site][:, None]) <= SIMILAR[name]
            for name, drivers in self.record.drivers.items()
            if name in SIMILAR
        }
        return {"all": np.logical_and.reduce(list(near.values())), "light": near["SW"]}


def _windows(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Lay the days around each (day, offset), nearest first, NaN outside of the record."""
    padded = np.pad(values, WIDEST, constant_values=np.nan)
    offsets = np.arange(-WIDEST, WIDEST + 1)
    order = np.argsort(np.abs(offsets), kind="stable")
    windows: NDArray[np.floating] = np.lib.stride_tricks.sliding_window_view(padded, len(offsets))[:, order]
    return windows


def _around(values: NDArray[np.floating] | NDArray[np.int64], radius: int) -> Doubles:
    """Sum (day of the year,) over the days within ``radius``, round the end of the year."""
    padded = np.pad(values.astype(np.float64), radius, mode="wrap")
    return np.convolve(padded, np.ones(2 * radius + 1), "valid")
