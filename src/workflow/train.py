"""A whole run: every model of the command, fold by fold, each into a run folder of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
import xarray as xr

from ..atomic import write_text
from ..config.models import MODELS
from ..config.schema import Config
from ..datamodules.splits import Split
from ..errors import UserError
from ..evaluation.run_folder import write_predictions
from ..modules import TRAINABLE
from .calibration import calibrate_fold, with_interval
from .calibration_parts import calibration_parts
from .folder import write_identity
from .learn import learn
from .predictions import predictions, scored_folders
from .prepare import Prepared, fold_split
from .progress import RunProgress


def models_of(config: Config) -> dict[str, Config]:
    """Return one configuration for each model of a command, by its folder inside the run ("" is the run itself)."""
    beside = {
        f"baselines/{name}": replace(config, model=MODELS[name](), compare=[], paper_compat=False)
        for name in config.compare
    }
    return {"": config} | beside


def total_steps(config: Config, folds: int) -> int:
    """Optimiser steps of all networks and folds of a command, at most."""
    stages = [config.transfer.finetune.steps]
    if config.transfer.name != "scratch":
        stages.append(config.transfer.pretrain.steps)
    networks = sum(one.model.name in TRAINABLE for one in models_of(config).values())
    fits = 1 if config.calibration.kind == "none" else 1 + config.calibration.parts
    return networks * folds * fits * sum(stages)


def run_all(config: Config, prepared: Prepared, folder: Path, argv: list[str], progress: RunProgress) -> None:
    """Train every model of the command; what an earlier session finished is not done again."""
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    write_text("".join(f"{line}\n" for line in prepared.notes), folder / "data_notes.txt")
    for place, one in models_of(config).items():
        (folder / place).mkdir(parents=True, exist_ok=True)
        write_identity(one, folder / place, argv)
        _run_model(one, prepared, folder / place, progress)


def _run_model(config: Config, prepared: Prepared, folder: Path, progress: RunProgress) -> None:
    """Run the folds of one model and pool their tests, so that each site counts once."""
    if len(prepared.folds) == 1:
        run_fold(config, prepared, prepared.folds[0], folder, progress)
        return
    of_folds = [folder / f"fold{fold}" for fold in prepared.folds]
    for fold, place in zip(prepared.folds, of_folds, strict=True):
        place.mkdir(exist_ok=True)
        run_fold(config, prepared, fold, place, progress)
    pool_folds(of_folds, folder, prepared.roles.targets)


def pool_folds(of_folds: Sequence[Path], folder: Path, targets: Sequence[str]) -> None:
    """Join the tests of all folds into one run folder."""
    pooled = scored_folders(folder, targets)
    for target, path in pooled.items():
        tests = [xr.open_zarr(scored_folders(fold, targets)[target] / "predictions.zarr").load() for fold in of_folds]
        path.mkdir(parents=True, exist_ok=True)
        write_predictions(xr.concat(tests, "site", combine_attrs="override"), path / "predictions.zarr")


def run_fold(config: Config, prepared: Prepared, fold: int, folder: Path, progress: RunProgress) -> None:
    """Train and test one fold into ``folder``, unless that was done before."""
    targets = prepared.roles.targets
    if all((path / "predictions.zarr").exists() for path in scored_folders(folder, targets).values()):
        progress.skip(total_steps(replace(config, compare=[]), 1))
        return
    split = fold_split(config, prepared, fold)
    _keep_split(split, folder / "splits.json")
    learned = learn(config, prepared, split, folder, progress)
    said = {target: predictions(config, learned.data, learned.predicted, target) for target in targets}
    del learned
    if config.calibration.kind != "none":
        said = _with_intervals(config, prepared, split, folder, said, progress)
    for target, path in scored_folders(folder, targets).items():
        path.mkdir(parents=True, exist_ok=True)
        write_predictions(said[target], path / "predictions.zarr")


def _with_intervals(
    config: Config,
    prepared: Prepared,
    split: Split,
    folder: Path,
    said: Mapping[str, xr.Dataset],
    progress: RunProgress,
) -> dict[str, xr.Dataset]:
    """Give the predictions of each target an interval, set by models that did not train on the cluster they predict."""
    calibration, described = config.calibration, prepared.described
    quiet = replace(config, logger=replace(config.logger, wandb="disabled"))
    inner = calibration_parts(split, described.site_id, described.cluster, calibration.parts, config.data.split.seed)
    out_of_fold = []
    for number, part in enumerate(inner):
        place = folder / "calibration" / f"part{number}"
        place.mkdir(parents=True, exist_ok=True)
        learned = learn(quiet, prepared, part, place, progress)
        out_of_fold.append({target: predictions(quiet, learned.data, learned.predicted, target) for target in said})
    calibrated = {}
    for target, dataset in said.items():
        fitted = calibrate_fold(split, [part[target] for part in out_of_fold], config)
        fitted.save(folder / "calibration" / f"{target}.json")
        calibrated[target] = with_interval(dataset, fitted)
    return calibrated


def _keep_split(split: Split, path: Path) -> None:
    """Write the division of sites, or hold a resumed run to the one it was started with.

    Raises
    ------
    UserError
        If the data now give another division: weights would be tested on sites that they were trained on.
    """
    if path.exists() and Split.load(path) != split:
        raise UserError(f"{path}: the data now give another split than this run was started with; start a new run")
    split.save(path)
