"""Any cube behind the roles and scales of a trained model: places that are asked about and trained nothing."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..config.schema import Config
from ..datamodules import PAIRS
from ..datamodules.base import FluxDataModule
from ..datamodules.cube import DIMS
from ..datamodules.gaps import refuse_sites_without
from ..datamodules.scaling import Scaler
from ..datamodules.splits import Split
from ..datamodules.towers import clusters_of
from ..errors import UserError


def data_of_places(config: Config, scaler: Scaler, cube: xr.Dataset, shown: NDArray[np.float32]) -> FluxDataModule:
    """Put a cube behind the run's roles and scales: every site is to be predicted, and of its fluxes ``shown`` is all.

    Parameters
    ----------
    shown : own fluxes (site, day, target) in units, NaN where nothing is shown.

    Raises
    ------
    UserError
        If the cube lacks an input of the run.
    """
    roles = scaler.roles
    refuse_missing(roles.fast + roles.static + roles.classes, cube)
    refuse_sites_without(cube, PAIRS[config.data.pair].pair)
    own = {name: (DIMS, shown[..., place]) for place, name in enumerate(roles.targets)}
    split = Split(0, (), (), tuple(str(name) for name in cube["site_id"].to_numpy()))
    cluster = clusters_of(cube, config.data.split.cluster_km)
    data = replace(config.data, quality="published")
    stage = config.transfer.finetune
    of_pair = PAIRS[config.data.pair]
    asked = of_pair(cube.assign(own), cluster, roles, split, data, stage.batch_size, config.seed, scaler)
    asked.shown = asked.measured
    return asked


def refuse_missing(inputs: Sequence[str], cube: xr.Dataset) -> None:
    """Refuse a cube that lacks an input of the run.

    Raises
    ------
    UserError
        Naming what is missing.
    """
    missing = [name for name in inputs if name != "SW_POT" and name not in cube]
    if missing:
        raise UserError(
            f"the run was trained with {', '.join(missing)}, which this source does not declare; map columns to them"
        )
