"""What corrections by own days are learned and made from, taken from the cube of a run or of a data module."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..config.schema import Config
from ..datamodules.base import FluxDataModule
from ..datamodules.cube import DIMS
from ..datamodules.roles import Roles, scored_days
from ..own_days.records import Mask, Record
from .prepare import Prepared


def record_of_run(config: Config, prepared: Prepared) -> Record:
    """Take all that was observed at the towers of a run: what own days are shown and scored by."""
    measured, convention = scored_days(prepared.towers, prepared.roles.targets, config.data.quality)
    trainable = convention if config.data.train_on_filled else measured
    return _record(prepared.towers, prepared.cluster, prepared.roles, trainable, measured)


def record_of_training(data: FluxDataModule) -> Record:
    """Take what a fold may learn from: fluxes outside its training sites and days are missing."""
    whole = record_of_data(data)
    flux = np.where(data.trainable, whole.flux, np.float32(np.nan))
    return Record(**{**vars(whole), "flux": flux, "measured": data.measured & data.trainable})


def record_of_data(data: FluxDataModule) -> Record:
    """Take what is known of the sites of a data module; which of it a question shows, the question says."""
    return _record(data.cube, data.cluster, data.roles, data.trainable, data.measured)


def _record(cube: xr.Dataset, cluster: NDArray[np.int64], roles: Roles, trainable: Mask, measured: Mask) -> Record:
    return Record(
        site_id=cube["site_id"].to_numpy().astype(str),
        cluster=cluster,
        lat=cube["lat"].to_numpy().astype(np.float64),
        dates=cube["time"].to_numpy(),
        targets=roles.targets,
        flux=np.stack([_daily(cube, target) for target in roles.targets], axis=-1),
        trainable=trainable,
        measured=measured,
        drivers={name: _daily(cube, name) for name in roles.fast if name in cube},
    )


def _daily(cube: xr.Dataset, name: str) -> NDArray[np.float32]:
    return cube[name].transpose(*DIMS).to_numpy().astype(np.float32)
