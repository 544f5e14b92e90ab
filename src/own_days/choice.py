"""Which features and how much shrinkage, for how many shown days: chosen on a fold's training sites."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from .evidence import Evidence
from .records import Doubles

PARTS = 4  # of the training clusters, where what is chosen must be learned first

Setting = TypeVar("Setting")


@dataclass(frozen=True)
class ByDaysShown(Generic[Setting]):
    """One setting for each number of days that training sites showed; others take the nearest of them in ratio.

    Attributes
    ----------
    days : (length,) mean number of fluxes that training sites showed.
    settings : (length,) the best for each.
    """

    days: Doubles
    settings: tuple[Setting, ...]

    @classmethod
    def best(cls, evidence: Evidence, settings: Sequence[Setting], errors: Sequence[Doubles]) -> "ByDaysShown[Setting]":
        """Take for each length the setting whose ``errors`` (length,) are the smallest."""
        chosen = np.stack(errors).argmin(0)
        return cls(evidence.days_shown(), tuple(settings[i] for i in chosen))

    def at(self, shown: int) -> Setting:
        """Return the setting for a number of shown fluxes, one or more."""
        return self.settings[int(np.abs(np.log(self.days) - np.log(shown)).argmin())]


def in_all(coefficients: Doubles, columns: NDArray[np.int64], features: int) -> Doubles:
    """Put the coefficients (..., column) of some features among 0 for all others (..., feature)."""
    whole = np.zeros((*coefficients.shape[:-1], features))
    whole[..., columns] = coefficients
    return whole


def parts_of(cluster: NDArray[np.int64]) -> NDArray[np.int64]:
    """Deal whole clusters into ``PARTS`` parts: the part (site,) of each site."""
    codes, member = np.unique(cluster, return_inverse=True)
    return np.asarray(np.random.default_rng(0).permutation(len(codes))[member] % PARTS)
