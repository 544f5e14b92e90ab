"""What the answers are made from: what was observed at the sites of a cube, and what a model says of a fold."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Record:
    """Observations of every site of a cube, in units.

    Attributes
    ----------
    site_id, cluster, lat : (site,).
    dates : (day,) one after the other.
    targets : names of the fluxes.
    flux : (site, day, target), NaN where missing.
    trainable : (site, day, target) days whose flux may be shown or learned from.
    measured : (site, day, target) days of the primary score.
    drivers : (site, day) by name, NaN where missing.
    """

    site_id: NDArray[np.str_]
    cluster: NDArray[np.int64]
    lat: Doubles
    dates: NDArray[np.datetime64]
    targets: tuple[str, ...]
    flux: Floats
    trainable: Mask
    measured: Mask
    drivers: Mapping[str, Floats]

    @property
    def site(self) -> dict[str, int]:
        """Place of each site by name."""
        return {str(name): i for i, name in enumerate(self.site_id)}


@dataclass(frozen=True)
class FoldPredictions:
    """What is said of the sites of a fold, none of whose fluxes is shown.

    Attributes
    ----------
    predicted : (site, day, target) in units: at ``tested`` sites what the fold's model says, at ``training`` sites what
        a correction is learned from; NaN elsewhere. Of finished runs (``workflow/adapt.py``) models say the latter that
        were trained without the site's cluster. RACI says it itself at the end of its training
        (``workflow/own_residuals.py``): its trees were grown without the cluster, its network learned from the site.
    training, tested : (site,).
    """

    predicted: Floats
    training: Mask
    tested: Mask
