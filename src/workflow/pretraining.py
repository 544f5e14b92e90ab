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
from .learned_from import PLACES, RECORD, SCALER, LearnedFrom, named_pretraining
from .learned_from import STAGE as STAGE  # of every pretraining, for whoever looks for its checkpoint
from .left_out import left_out
from .prepare import Prepared, simulation_data
from .progress import RunProgress
from .stage_checkpoint import BEST
from .stages import StageFolder, build_bank, build_module, fit, hidden_neighbours, looks_up
from .tracking import TrackedTraining

SHARED = "pretrained"
READING = 1  # raised when the same settings and arrays are trained on differently


@dataclass(frozen=True)
class Pretrained:
    """What a pretraining leaves to the observations.

    Attributes
    ----------
    checkpoint : the weights.
    data : what they learned from; of a pretraining that another run made only what that run kept of it.
    """

    checkpoint: Path
    data: FluxDataModule | LearnedFrom


def pretrain(
    config: Config, prepared: Prepared, split: Split, folder: Path, progress: RunProgress, tracked: TrackedTraining
) -> Pretrained:
    """Train on the simulation, or take the pretraining of the same settings and data that another run has made.

    ``transfer.pretrained`` takes the one of that folder, whatever decided it. The checkpoint stands in ``folder`` in
    any case, so that a run needs no other folder; ``pretraining.json`` there says what decided it, and whether it was
    made here.

    Raises
    ------
    UserError
        If no cell is left to train on, the shared folder cannot be written, or the given one does not fit.
    """
    if config.transfer.pretrained is not None:
        return _take(config, prepared, split, folder, progress)
    seed = config.transfer.pretrain_seed
    config = config if seed is None else replace(config, seed=seed)
    stage, own = config.transfer.pretrain, StageFolder(folder, STAGE)
    data = simulation_data(config, prepared, split)
    best = own.checkpoints / BEST
    if own.finished.exists():
        progress.skip(stage.steps)
        return Pretrained(best, data)
    said, learned_from = deciding(config, data), LearnedFrom.of(data)
    digest, said = _digest(said), said | {"scaled_by": config.transfer.inputs}
    if not config.transfer.reuse:
        _train(config, data, own, progress, tracked)
        learned_from.save(own.checkpoints)
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
        learned_from.save(shared.checkpoints)  # again where it was found: earlier versions kept nothing of this
        _record(said, digest, None, home)
        _record(said, digest, str(home) if found else None, folder)
        _copy(shared, own)
    return Pretrained(best, data)


def _take(config: Config, prepared: Prepared, split: Split, folder: Path, progress: RunProgress) -> Pretrained:
    """Take the pretraining that the user names, unless it knows a place near a tower that is tested here."""
    own = StageFolder(folder, STAGE)
    if not own.finished.exists():
        home, record = named_pretraining(config)
        given = StageFolder(home, STAGE)
        LearnedFrom.load(given.checkpoints).refuse_near(config, left_out(config, prepared.towers, split))
        write_text(json.dumps({**record, "taken_from": str(home)}, indent=1) + "\n", folder / RECORD)
        _copy(given, own)
        progress.say(f"  {config.model.name} {STAGE}: taken from {home}, as transfer.pretrained says")
    progress.skip(config.transfer.pretrain.steps)
    return Pretrained(own.checkpoints / BEST, LearnedFrom.load(own.checkpoints))


def _copy(made: StageFolder, own: StageFolder) -> None:
    """Copy a finished pretraining, the mark last: a copy that breaks off is made again."""
    shutil.copytree(made.run / "logs" / STAGE, own.run / "logs" / STAGE, dirs_exist_ok=True)
    own.checkpoints.mkdir(parents=True, exist_ok=True)
    for name in (BEST, SCALER, PLACES, own.finished.name):
        shutil.copy2(made.checkpoints / name, own.checkpoints / name)


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
