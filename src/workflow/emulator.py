"""A network that has learned the simulation says its flux anywhere: one more input, or what a model starts from.

Process models rarely ran at the towers, and seldom on the towers' weather. Their emulator does: pretrained on the
simulation as every network is, it is asked about the towers' own drivers. It has seen no observed flux, and no cell
near a tested tower, so what it says of any place may be an input there (docs/architecture.md, rules 1 and 6).
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..atomic import write_text
from ..config.schema import Config
from ..config.trainings import emulator_config
from ..datamodules.cube import attributes
from ..datamodules.scaling import Scaler
from ..datamodules.splits import Split
from ..errors import UserError
from ..modules.checkpoints import load_into
from ..variables import SIMULATED_SUFFIX
from .places import data_of_places
from .predictions import DIMS, predict_days
from .prepare import Prepared, tower_data
from .pretraining import STAGE, pretrain
from .progress import RunProgress
from .stages import StageFolder, build_module
from .tracking import TrackedTraining

FOLDER, MOMENTS = "emulator", "moments.json"


def with_emulator(
    config: Config, prepared: Prepared, split: Split, folder: Path, progress: RunProgress, tracked: TrackedTraining
) -> Prepared:
    """Train the emulator into the folder of a fold, and return the towers with what it says of them.

    For ``transfer.align=moments`` what it says is given the mean and spread of the observed flux over training days,
    which ``emulator/moments.json`` keeps.
    """
    own, place = emulator_config(config), folder / FOLDER
    pretrain(own, prepared, split, place, progress, tracked).data.scaler.save(place / "scaler.yaml")
    if config.transfer.align == "moments":
        write_text(json.dumps(_moments(own, prepared, split, place), indent=1) + "\n", place / MOMENTS)
    towers = told(config, folder, prepared.towers)
    if config.transfer.name == "residual":
        return replace(prepared, towers=towers, residual=True)
    return replace(prepared, towers=towers, roles=prepared.roles.stacked)


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
        flux = _aligned(flux, names, place / MOMENTS)
    variables = {}
    for i, name in enumerate(names):
        values = flux[..., i]
        filled = np.where(np.isfinite(values), values, np.nanmean(values, 1, keepdims=True)).astype(np.float32)
        variables[name + SIMULATED_SUFFIX] = (DIMS, filled, attributes(name + SIMULATED_SUFFIX))
    return cube.assign(variables)


def _said(config: Config, place: Path, cube: xr.Dataset) -> NDArray[np.float32]:
    """Ask the emulator about every site and day (site, day, target), in units; NaN on days without a driver."""
    scaler = Scaler.load(place / "scaler.yaml")
    nothing = np.full((cube.sizes["site"], cube.sizes["time"], len(scaler.roles.targets)), np.nan, np.float32)
    data = data_of_places(config, scaler, cube, nothing)
    module = build_module(config, config.transfer.pretrain, data, bank=None)
    load_into(module, StageFolder(place, STAGE).checkpoints / "best.ckpt")
    return predict_days(config, module, data).flux


def _moments(config: Config, prepared: Prepared, split: Split, place: Path) -> dict[str, dict[str, float]]:
    """Mean and standard deviation of each target over training days, of the emulator and as observed."""
    data = tower_data(config, prepared, split, None)
    flux, found = _said(config, place, prepared.towers), {}
    for i, name in enumerate(prepared.roles.targets):
        observed = prepared.towers[name].transpose(*DIMS).to_numpy()
        both = data.trainable[..., i] & np.isfinite(flux[..., i]) & np.isfinite(observed)
        values = {"simulated": flux[..., i][both].astype(np.float64), "observed": observed[both].astype(np.float64)}
        found[name] = {
            f"{kind}_{what}": float(of(of_kind))
            for kind, of_kind in values.items()
            for what, of in (("mean", np.mean), ("std", np.std))
        }
    return found


def _aligned(flux: NDArray[np.float32], names: tuple[str, ...], path: Path) -> NDArray[np.float32]:
    """Give fluxes (site, day, target) of the emulator the moments of the observed ones."""
    try:
        moments = json.loads(path.read_text())
        aligned = []
        for i, of in enumerate(moments[name] for name in names):
            standardised = (flux[..., i] - of["simulated_mean"]) / (of["simulated_std"] or 1.0)
            aligned.append(standardised * of["observed_std"] + of["observed_mean"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: no readable moments ({error}); train the run again") from error
    return np.stack(aligned, axis=-1).astype(np.float32)
