"""Pretraining on the simulation, done once: a later run of the same settings and data takes what an earlier one made.

What decides a pretraining is hashed: the model, its stage and seed, and the very arrays that it learns from. Cells near
tested towers are left out of these arrays (docs/architecture.md, rule 6), so folds that leave out different cells have
different pretrainings, and ``transfer.leave_out=all`` lets them share one.
"""

import hashlib
import json
import shutil
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import write_text
from ..config.schema import Config
from ..datamodules.base import FluxDataModule
from ..datamodules.splits import Split
from ..errors import UserError
from .folder import locked
from .prepare import Prepared, simulation_data
from .progress import RunProgress
from .stages import StageFolder, build_bank, build_module, fit, hidden_neighbours, looks_up
from .tracking import TrackedTraining

STAGE, SHARED, RECORD = "pretrain", "pretrained", "pretraining.json"
READING = 1  # raised when the same settings and arrays are trained on differently


@dataclass(frozen=True)
class Pretrained:
    """What a pretraining leaves to the observations: a checkpoint, and the data that it learned from."""

    checkpoint: Path
    data: FluxDataModule


def pretrain(
    config: Config, prepared: Prepared, split: Split, folder: Path, progress: RunProgress, tracked: TrackedTraining
) -> Pretrained:
    """Train on the simulation, or take the pretraining of the same settings and data that another run has made.

    The checkpoint stands in ``folder`` either way, so that a run needs no other folder; ``pretraining.json`` there says
    what decided it, and whether it was made here.

    Raises
    ------
    UserError
        If no cell is left to train on, or the shared folder cannot be written.
    """
    seed = config.transfer.pretrain_seed
    config = config if seed is None else replace(config, seed=seed)
    stage, own = config.transfer.pretrain, StageFolder(folder, STAGE)
    data = simulation_data(config, prepared, split)
    best = own.checkpoints / "best.ckpt"
    if own.finished.exists():
        progress.skip(stage.steps)
        return Pretrained(best, data)
    said = deciding(config, data)
    digest = _digest(said)
    if not config.transfer.reuse:
        _train(config, data, own, progress, tracked)
        _record(said, digest, None, folder)
        return Pretrained(best, data)
    home, named = _shared_folder(config, digest), f"  {config.model.name} {STAGE}"
    with locked(home, lambda: progress.say(f"{named}: waiting for another process that makes it in {home}")):
        shared = StageFolder(home, STAGE)
        found = shared.finished.exists()
        if found:
            progress.skip(stage.steps)
            progress.say(f"{named}: taken from {home}, made before with the same settings and data")
        else:
            _train(config, data, shared, progress, tracked)
            _record(said, digest, None, home)
        shutil.copytree(home / "logs" / STAGE, folder / "logs" / STAGE, dirs_exist_ok=True)
        _record(said, digest, str(home) if found else None, folder)
        own.checkpoints.mkdir(parents=True, exist_ok=True)
        for name in ("best.ckpt", own.finished.name):  # the mark last: a copy that breaks off is made again
            shutil.copy2(shared.checkpoints / name, own.checkpoints / name)
    return Pretrained(best, data)


def deciding(config: Config, data: FluxDataModule) -> dict[str, Any]:
    """Return all that decides a pretraining, readable, with a fingerprint in the place of the arrays."""
    return {
        "reading": READING,
        "pair": config.data.pair,
        "model": asdict(config.model),
        "head": asdict(config.head),
        "knowledge": asdict(config.knowledge),
        "stage": asdict(config.transfer.pretrain),
        "seed": config.seed,
        "precision": config.trainer.precision,
        "targets": [asdict(scale) for scale in data.scaler.targets],
        "inputs": data.roles.fast + data.roles.static + data.roles.classes,
        "window": asdict(data.window),
        "cells": int(data.train_sites.sum()),
        "arrays": _fingerprint(data),
        # each of several devices draws its own dropout
        **({"devices": ranks} if (ranks := config.trainer.devices * config.trainer.num_nodes) > 1 else {}),
    }


def _fingerprint(data: FluxDataModule) -> str:
    """Hash the arrays of a data module, and where its sites lie: neighbours are looked up by place and cluster."""
    arrays = data.arrays
    tensors = (arrays.fast, arrays.slow, arrays.target, arrays.static, arrays.static_mask, arrays.classes)
    made = hashlib.blake2b(digest_size=16)
    for array in (*(tensor.cpu().numpy() for tensor in tensors), data.cluster, data.train_sites):
        made.update(f"{array.dtype} {array.shape}".encode())
        made.update(np.ascontiguousarray(array).data)
    for name in ("lat", "lon"):
        made.update(np.ascontiguousarray(data.cube[name].to_numpy().astype(np.float64)).data)
    return made.hexdigest()


def _digest(said: dict[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=8).hexdigest()


def _record(said: dict[str, Any], digest: str, taken_from: str | None, folder: Path) -> None:
    write_text(json.dumps({"id": digest, "taken_from": taken_from, **said}, indent=1) + "\n", folder / RECORD)


def _train(
    config: Config, data: FluxDataModule, place: StageFolder, progress: RunProgress, tracked: TrackedTraining
) -> None:
    stage = config.transfer.pretrain
    module = build_module(config, stage, data, build_bank(config, data))
    asks = looks_up(config) and bool(config.model.retrieval.pretrain)
    with nullcontext() if asks else hidden_neighbours(module):
        fit(config, stage, place, data, module, [], tracked.stage(STAGE, data), progress)


def _shared_folder(config: Config, digest: str) -> Path:
    """Return the folder of a pretraining that runs share, made if it is not there."""
    home = Path(config.output) / SHARED / digest
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{home}: cannot be written ({error.strerror}); set output=FOLDER, or transfer.reuse=false"
        ) from error
    return home
