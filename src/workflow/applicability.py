"""How far each site is from the bank, as variables of what is predicted there."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..config.raci import RaciConfig
from ..config.schema import Config
from ..contracts import TrainingView
from ..evaluation.predictions_contract import DISSIMILARITY, DISTANCES, INSIDE
from ..retrieval.applicability import Applicability, applicability
from ..retrieval.bank import Bank

LONG_NAME = "dissimilarity index of the {} role: distance to the bank over the mean distance within it"
FLAGS = {
    "flag_values": [0, 1],
    "flag_meanings": "outside inside",
    "long_name": "whether the site is within the area of applicability of every role (Meyer and Pebesma 2021)",
    "references": "https://doi.org/10.1111/2041-210X.13650",
}


def distance_to_bank(config: Config, bank: Bank, view: TrainingView, same_cube: bool) -> xr.Dataset:
    """Return ``dissimilarity_<role>`` and ``inside_area`` (site,) of every site of ``view``.

    Where a site may see nothing of the bank, or differs from a bank whose entries do not (of one site, say), the
    dissimilarity is NaN, and the site is outside. A bank of one cluster cannot be held against itself: its threshold
    is 0.

    Parameters
    ----------
    same_cube : as for ``Bank.look_up``.
    """
    assert isinstance(config.model, RaciConfig), "no other model has a bank"
    return as_variables(applicability(bank, view, same_cube, config.model.retrieval.exclude_km))


def as_variables(found: Mapping[str, Applicability]) -> xr.Dataset:
    """Lay the scores of each role out as CF variables; each names its threshold."""
    variables: dict[str, Any] = {}
    for role, score in found.items():
        with np.errstate(over="ignore"):  # entries that are all alike: whatever differs is beyond any number of float32
            index = score.dissimilarity.astype(np.float32)
        known = np.where(np.isfinite(index), index, np.float32(np.nan))
        described = {
            "units": "1",
            "long_name": LONG_NAME.format(role),
            "threshold": float(np.nan_to_num(score.threshold)),
        }
        variables[f"{DISSIMILARITY}{role}"] = ("site", known, described)
    inside = np.logical_and.reduce([score.inside for score in found.values()])
    variables[INSIDE] = ("site", inside.astype(np.int8), FLAGS)
    return xr.Dataset(variables)


def with_every_threshold(pooled: xr.Dataset, folds: Sequence[xr.Dataset]) -> xr.Dataset:
    """Say the thresholds of all folds, in their order: each site was held against its own fold's.

    Where a fold tells no distance (it was finished by a version that told none) the pooled run tells none.
    """
    if any(INSIDE not in fold for fold in folds):
        return pooled.drop_vars([*DISTANCES, INSIDE], errors="ignore")
    for name in pooled.data_vars:
        if str(name).startswith(DISSIMILARITY):
            pooled[name].attrs["threshold"] = [fold[name].attrs["threshold"] for fold in folds]
    return pooled


def agreed(folds: Sequence[xr.Dataset]) -> xr.Dataset:
    """Join what several folds' banks say of the same sites: the mean index, and inside where most folds say so.

    The index counts in mean distances within each bank, so it has one meaning in all; a site that half of the folds
    call inside is outside, and a bank of which it may see nothing calls it outside and has no index to average.
    """
    first = folds[0]
    if len(folds) == 1:
        return first
    joined = first.copy()
    for name in first.data_vars:
        values = np.stack([fold[name].to_numpy() for fold in folds])
        if name == INSIDE:
            joined[name] = ("site", (values.mean(0) > 0.5).astype(np.int8), first[name].attrs)
        else:
            known = np.isfinite(values)
            mean = np.where(known, values, 0).sum(0) / np.where(known.any(0), known.sum(0), np.nan)
            joined[name] = ("site", mean.astype(np.float32), first[name].attrs)
    return with_every_threshold(joined, folds)
