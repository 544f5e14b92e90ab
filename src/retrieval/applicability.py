"""How far a place is from everything the bank knows: the area of applicability of Meyer and Pebesma (2021)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..contracts import TrainingView
from .bank import ROLES, Bank
from .index import Exclusion, functional
from .visibility import and_closer_than, of_own_cluster

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

SAMPLE = 2000  # entries whose mutual distances stand for those of a larger bank
WHISKER = 1.5  # interquartile ranges above the third quartile, beyond which an entry counts as an outlier


@dataclass(frozen=True)
class Applicability:
    """One role's dissimilarity index of each site of a cube, and up to where the bank's own entries reach."""

    dissimilarity: Doubles  # (site,) 1 = as far as two entries are on average; inf where nothing is visible
    threshold: float  # nan for a bank without two clusters
    inside: NDArray[np.bool_]  # (site,) dissimilarity <= threshold


def applicability(bank: Bank, view: TrainingView, same_cube: bool, exclude_km: float = 0.0) -> dict[str, Applicability]:
    """Say for each role how unlike the bank every site of ``view`` is (Meyer and Pebesma 2021).

    The dissimilarity index is the distance, in the role's standardised descriptors, to the nearest entry that the site
    may see, divided by the mean distance between entries. The threshold is the largest index of the entries
    themselves, each asked without its cluster, that is no outlier (upper whisker of the boxplot). Descriptors are not
    weighted by importance: the score belongs to the bank, not to one trained model. doi:10.1111/2041-210X.13650

    Parameters
    ----------
    same_cube : as for ``Bank.look_up``.
    exclude_km : of the retrieval, which may not see what is nearer; sites and entries are asked alike.

    Raises
    ------
    UserError
        If the view's inputs are not the bank's.
    """
    described, hidden = bank.describe(view), bank.hidden_from(view, same_cube, exclude_km)
    places = (bank.lat, bank.lon)
    own_cluster = of_own_cluster(places, bank.cluster, places, bank.cluster, bank.blocks)
    if exclude_km:
        own_cluster = and_closer_than(own_cluster, places, places, exclude_km)
    scores = {}
    for role in ROLES:
        keys = bank.keys[role]
        typical = _mean_distance(keys)
        here = _nearest(described[role], keys, hidden) / typical
        threshold = _upper_whisker(_nearest(keys, keys, own_cluster) / typical)
        scores[role] = Applicability(here, threshold, here <= threshold)
    return scores


def _nearest(queries: Floats, keys: Floats, exclusion: Exclusion) -> Doubles:
    return functional(queries, keys, 1, exclusion).distance[:, 0]


def _mean_distance(keys: Floats) -> float:
    """Mean distance between two entries; of a large bank, between entries evenly taken from it."""
    taken = keys[np.linspace(0, len(keys) - 1, min(len(keys), SAMPLE)).astype(np.int64)].astype(np.float64)
    pairs = len(taken) * (len(taken) - 1)
    total = sum(np.sqrt(((taken - one) ** 2).sum(1)).sum() for one in taken)
    return max(float(total / max(pairs, 1)), np.finfo(np.float64).tiny)


def _upper_whisker(own: Doubles) -> float:
    known = own[np.isfinite(own)]
    if len(known) == 0:
        return float("nan")
    low, high = np.quantile(known, [0.25, 0.75])
    return float(known[known <= high + WHISKER * (high - low)].max())
