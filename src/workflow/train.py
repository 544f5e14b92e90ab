"""A whole run: every model of the command, fold by fold, each into a run folder of its own."""

import gc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from ..atomic import write_text
from ..config.models import MODELS
from ..config.schema import Config
from ..datamodules.base import FluxDataModule
from ..datamodules.scaling import Scaler
from ..datamodules.splits import Split
from ..errors import UserError
from ..evaluation.run_folder import write_predictions
from ..modules import NETWORKS
from ..modules.baselines.site_mean import SiteMean
from ..transfer import FineTune
from .folder import write_identity
from .neighbours import write_neighbours
from .predictions import predict_days, predictions
from .prepare import Prepared, fold_split, simulation_data, tower_data
from .progress import RunProgress
from .stages import StageFolder, build_bank, build_module, fit
from .tracking import finish, wandb_loggers


def models_of(config: Config) -> dict[str, Config]:
    """Return one configuration for each model of a command, by its folder inside the run ("" is the run itself)."""
    beside = {f"baselines/{name}": replace(config, model=MODELS[name](), compare=[]) for name in config.compare}
    return {"": config} | beside


def total_steps(config: Config, folds: int) -> int:
    """Optimiser steps of all networks and folds of a command, at most."""
    stages = [config.transfer.finetune.steps]
    if config.transfer.name != "scratch":
        stages.append(config.transfer.pretrain.steps)
    networks = sum(one.model.name in NETWORKS for one in models_of(config).values())
    return networks * folds * sum(stages)


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
        _run_fold(config, prepared, prepared.folds[0], folder, progress)
        return
    for fold in prepared.folds:
        of_fold = folder / f"fold{fold}"
        of_fold.mkdir(exist_ok=True)
        _run_fold(config, prepared, fold, of_fold, progress)
        gc.collect()  # trainer, module and data refer to each other in a ring, which would keep every fold's arrays
    tests = [xr.open_zarr(folder / f"fold{fold}" / "predictions.zarr").load() for fold in prepared.folds]
    write_predictions(xr.concat(tests, "site", combine_attrs="override"), folder / "predictions.zarr")


def _run_fold(config: Config, prepared: Prepared, fold: int, folder: Path, progress: RunProgress) -> None:
    if (folder / "predictions.zarr").exists():
        progress.skip(total_steps(replace(config, compare=[]), 1))
        return
    split = fold_split(config, prepared, fold)
    _keep_split(split, folder / "splits.json")
    learner = _train_network if config.model.name in NETWORKS else _fit_site_mean
    data, flux = learner(config, prepared, split, folder, progress)
    data.scaler.save(folder / "scaler.yaml")
    write_predictions(predictions(config, data, flux), folder / "predictions.zarr")


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


def _fit_site_mean(
    config: Config, prepared: Prepared, split: Split, folder: Path, progress: RunProgress
) -> tuple[FluxDataModule, NDArray[np.float32]]:
    """Fit the baseline without gradients on the towers alone."""
    data = tower_data(config, prepared, split, None)
    view = data.view()
    model = SiteMean.fit(view, config.data.split.cluster_km)
    model.save(folder / "site_mean.npz")
    flux = model.predict(view, same_cube=True) * view.scale.std + view.scale.mean
    return data, np.where(data.predictable, flux, np.nan).astype(np.float32)


def _train_network(
    config: Config, prepared: Prepared, split: Split, folder: Path, progress: RunProgress
) -> tuple[FluxDataModule, NDArray[np.float32]]:
    """Pretrain on the simulation if there is one, train on the towers, predict the test sites."""
    name = f"{config.model.name}-fold{split.fold}-s{config.seed}"
    loggers = wandb_loggers(config, folder, name, group=_group(folder))
    shared: dict[str, Any] = {"loggers": loggers, "progress": progress}
    scaler: Scaler | None = None
    callbacks = []
    pretraining = StageFolder(folder, "pretrain")
    if prepared.simulation is not None:
        stage = config.transfer.pretrain
        data = simulation_data(config, prepared, split)
        module = build_module(config, stage, data, build_bank(config, data))
        fit(config, stage, pretraining, data, module, callbacks=[], **shared)
        scaler = data.scaler
        best = pretraining.checkpoints / "best.ckpt"
        callbacks = [FineTune(best, config.transfer.freeze, folder / "transfer.json")]
    data = tower_data(config, prepared, split, scaler)
    bank = build_bank(config, data)
    if bank is not None:
        bank.save(folder / "bank.npz")
    stage = config.transfer.finetune
    module = build_module(config, stage, data, bank)
    fit(config, stage, StageFolder(folder, "towers"), data, module, callbacks=callbacks, **shared)
    flux = predict_days(config, module, data)
    if bank is not None:
        write_neighbours(data, module, bank, folder / "neighbours.parquet")
    finish(loggers)
    return data, flux


def _group(folder: Path) -> str:
    """Trainings of one command share the name of its run folder."""
    own = [part for part in folder.parts if part != "baselines" and not part.startswith("fold")]
    return own[-1] if "baselines" not in folder.parts else own[-2]
