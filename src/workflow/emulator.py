"""A network that has learned the simulation says its flux anywhere: one more input, or what a model starts from.

Process models rarely ran at the towers, and seldom on the towers' weather. Their emulator does: pretrained on the
simulation as every network is, it is asked about the towers' own drivers. It has seen no observed flux, and no cell
near a tested tower, so what it says of any place may be an input there (docs/architecture.md, rules 1 and 6).
"""

from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..config.schema import Config
from ..config.trainings import emulator_config
from ..datamodules.scaling import Scaler
from ..datamodules.splits import Split
from ..modules.checkpoints import load_into
from .places import data_of_places
from .predictions import predict_days
from .prepare import Prepared
from .pretraining import STAGE, pretrain
from .progress import RunProgress
from .simulated_moments import aligned, write_moments
from .simulated_series import with_simulated
from .stages import StageFolder, build_module
from .tracking import TrackedTraining

FOLDER, MOMENTS = "emulator", "moments.json"


def train_emulator(
    config: Config, prepared: Prepared, split: Split, folder: Path, progress: RunProgress, tracked: TrackedTraining
) -> None:
    """Train the emulator into the folder of a fold.

    For ``transfer.align=moments`` what it says is given the mean and spread of the observed flux over training days,
    which ``emulator/moments.json`` keeps.
    """
    own, place = emulator_config(config), folder / FOLDER
    pretrain(own, prepared, split, place, progress, tracked).data.scaler.save(place / "scaler.yaml")
    if config.transfer.align == "moments":
        write_moments(own, prepared, split, _said(own, place, prepared.towers), place / MOMENTS)


def told(config: Config, folder: Path, cube: xr.Dataset) -> xr.Dataset:
    """Return a cube with ``<target>_simulated`` (site, time) for each target, by the emulator of a fold.

    On days without a driver stands the mean of the site's others: such a day is neither predicted nor ever without a
    value, and what is said of a site does not depend on which others are asked beside it.

    Raises
    ------
    UserError
        If the emulator is missing or damaged, or the cube lacks one of its inputs.
    """
    place = folder / FOLDER
    flux = _said(emulator_config(config), place, cube)
    names = Scaler.load(place / "scaler.yaml").roles.targets
    if config.transfer.align == "moments":
        flux = aligned(flux, names, place / MOMENTS)
    whole = np.where(np.isfinite(flux), flux, np.nanmean(flux, 1, keepdims=True)).astype(np.float32)
    return with_simulated(cube, {name: whole[..., i] for i, name in enumerate(names)})


def _said(config: Config, place: Path, cube: xr.Dataset) -> NDArray[np.float32]:
    """Ask the emulator about every site and day (site, day, target), in units; NaN on days without a driver."""
    scaler = Scaler.load(place / "scaler.yaml")
    nothing = np.full((cube.sizes["site"], cube.sizes["time"], len(scaler.roles.targets)), np.nan, np.float32)
    data = data_of_places(config, scaler, cube, nothing)
    module = build_module(config, config.transfer.pretrain, data, bank=None)
    load_into(module, StageFolder(place, STAGE).checkpoints / "best.ckpt")
    return predict_days(config, module, data).flux
