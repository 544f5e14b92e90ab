"""What the models of several folds say together of places that none of them was tested on."""

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..datamodules.cube import DIMS
from ..evaluation.predictions_contract import BOUNDS, DISTANCES, INSIDE, QUANTILES
from ..variables import TARGETS
from .applicability import agreed


class Pooled:
    """One target, added fold by fold, so that the quantiles of one fold alone are in memory.

    Fluxes and quantiles (level by level; Ratcliff 1979, doi:10.1037/0033-2909.86.3.446) are averaged; the spread of the
    former is their standard deviation with the divisor n - 1, as of every ensemble. Intervals are
    not: the mean of calibrated bounds has the coverage of none. From the lowest lower to the highest upper end of the
    folds lies every day that any fold's interval covers, so the promise of each is kept, at the price of width.
    """

    def __init__(self) -> None:
        self.fluxes: list[NDArray[np.float32]] = []
        self.quantiles: NDArray[np.float32] | None = None  # (level, site, day), summed
        self.bounds: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
        self.attrs: dict[str, Any] = {}  # level and method of the intervals
        self.distances: list[xr.Dataset] = []  # of each fold's bank

    def add(self, said: xr.Dataset) -> None:
        """Add one fold's ``prediction`` and, where it has them, ``prediction_quantile``, ``lower`` and ``upper``."""
        self.fluxes.append(said["prediction"].transpose(*DIMS).to_numpy())
        self.attrs = said.attrs
        if INSIDE in said:
            self.distances.append(said[[*DISTANCES, INSIDE]])
        if QUANTILES in said:
            levels = said[QUANTILES].transpose("quantile", *DIMS).to_numpy()
            self.quantiles = levels if self.quantiles is None else self.quantiles + levels
        if all(name in said for name in BOUNDS):
            lower, upper = (said[name].transpose(*DIMS).to_numpy() for name in BOUNDS)
            before = self.bounds or (lower, upper)
            self.bounds = np.minimum(before[0], lower), np.maximum(before[1], upper)

    def variables(self, target: str, suffix: str) -> dict[str, Any]:
        """Return what the folds added up to as CF variables, ``suffix`` behind each name."""
        folds, variable = len(self.fluxes), TARGETS[target]

        def described(words: str = "") -> dict[str, str]:
            return {"units": variable.unit, "long_name": f"{words}{variable.long_name}"}

        members = np.stack(self.fluxes)
        made: dict[str, Any] = {f"prediction{suffix}": (DIMS, members.mean(0), described())}
        if folds > 1:
            words = f"standard deviation over {folds} models of "
            made[f"prediction_spread{suffix}"] = (DIMS, members.std(0, ddof=1), described(words))
        if self.quantiles is not None:
            dims = ("quantile", *DIMS)
            made[f"{QUANTILES}{suffix}"] = (dims, self.quantiles / np.float32(folds), described("quantile of "))
        if self.bounds is not None:
            for name, end in zip(BOUNDS, self.bounds, strict=True):
                made[f"{name}{suffix}"] = (DIMS, end, described(f"{name} bound of the interval of "))
            made[f"prediction{suffix}"][2]["ancillary_variables"] = " ".join(f"{name}{suffix}" for name in BOUNDS)
        return made

    def distance(self) -> dict[str, Any]:
        """Return how far from the folds' banks each site is, see ``agreed``; nothing without banks."""
        return {str(name): values for name, values in agreed(self.distances).items()} if self.distances else {}

    def interval(self) -> dict[str, Any]:
        """Return level and method of the intervals as attributes; nothing without intervals."""
        if self.bounds is None:
            return {}
        method = str(self.attrs["interval_method"])
        if len(self.fluxes) > 1:
            method += (
                f"; lowest lower and highest upper bound of {len(self.fluxes)} folds, which covers at least as often "
                "as the interval of each"
            )
        return {"interval_level": self.attrs["interval_level"], "interval_method": method}
