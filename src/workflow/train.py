"""A whole run: every model of the command, fold by fold, each into a run folder of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

from .. import stopping
from ..atomic import write_text
from ..config.schema import CalibrationConfig, Config
from ..config.trainings import has_emulator, models_of
from ..config.transfer import FINETUNED
from ..datamodules.splits import Split
from ..errors import UserError
from ..evaluation.conformal import Calibration
from ..evaluation.run_folder import RunFolder, write_predictions
from ..modules import TRAINABLE
from ..threads import take
from .applicability import with_every_threshold
from .calibration import calibrate_fold, with_interval
from .calibration_parts import inner_splits
from .folder import write_identity
from .learn import learn
from .negative_transfer import hold_against_scratch, is_held
from .predictions import predictions, scored_folders
from .prepare import Prepared, fold_split
from .progress import RunProgress


def total_steps(config: Config, folds: int) -> int:
    """Optimiser steps of all networks and folds of a command, at most."""
    transfer, steps = config.transfer, 0
    for one in models_of(config).values():
        network = one.model.name in TRAINABLE
        steps += transfer.finetune.steps if network else 0
        before = has_emulator(one) or (network and transfer.name in FINETUNED)
        steps += transfer.pretrain.steps if before else 0
    fits = 1 if config.calibration.kind == "none" else 1 + config.calibration.parts
    held = sum(is_held(one) and one.model.name in TRAINABLE for one in models_of(config).values())
    return folds * (fits * steps + held * transfer.finetune.steps)


def run_all(config: Config, prepared: Prepared, folder: Path, argv: list[str], progress: RunProgress) -> None:
    """Train every model of the command; what an earlier session finished is not done again."""
    if config.trainer.threads:
        take(config.trainer.threads)
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


def pool_folds(folders: Sequence[Path], folder: Path, targets: Sequence[str]) -> None:
    """Join the tests of all folds into one run folder."""
    tests = [_stored(fold, targets) for fold in folders]
    pooled = {}
    for target in targets:
        of_folds = [test[target] for test in tests]
        joined = xr.concat(of_folds, "site", combine_attrs="override")
        pooled[target] = with_every_threshold(joined, of_folds)
    _write(pooled, folder)


def run_fold(config: Config, prepared: Prepared, fold: int, folder: Path, progress: RunProgress) -> None:
    """Train and test one fold into ``folder``, unless that was done before."""
    targets = prepared.roles.targets
    if _finished(folder, targets):
        _refuse_other_data(prepared, folder)
        progress.skip(total_steps(replace(config, compare=[]), 1))
        return
    split = fold_split(config, prepared, fold)
    _keep_split(split, folder / "splits.json")
    calibrated = {} if config.calibration.kind == "none" else _calibrate(config, prepared, split, folder, progress)
    said = _learn_and_predict(config, prepared, split, folder, progress)
    _write({name: with_interval(said[name], calibrated[name]) for name in calibrated} or said, folder)


def _calibrate(
    config: Config, prepared: Prepared, split: Split, folder: Path, progress: RunProgress
) -> dict[str, Calibration]:
    """Learn the width of each target's intervals from models that did not train on the clusters they predict."""
    targets = prepared.roles.targets
    alone = replace(config.transfer, against_scratch=False)
    quiet = replace(config, logger=replace(config.logger, wandb="disabled"), transfer=alone)
    inner = inner_splits(config, split, prepared.described)
    places = [folder / "calibration" / f"part{number}" for number in range(len(inner))]
    for part, place in zip(inner, places, strict=True):
        place.mkdir(parents=True, exist_ok=True)
        if _finished(place, targets):
            _refuse_other_data(prepared, place)
            progress.skip(total_steps(replace(config, compare=[], calibration=CalibrationConfig()), 1))
        else:
            _write(_learn_and_predict(quiet, prepared, part, place, progress), place)
    out_of_fold = [_stored(place, targets) for place in places]
    calibrated = {target: calibrate_fold(split, [part[target] for part in out_of_fold], config) for target in targets}
    for target, calibration in calibrated.items():
        calibration.save(folder / "calibration" / f"{target}.json")
    return calibrated


def _learn_and_predict(
    config: Config, prepared: Prepared, split: Split, folder: Path, progress: RunProgress
) -> dict[str, xr.Dataset]:
    learned = learn(config, prepared, split, folder, progress)
    if is_held(config):

        def train(plain: Config, place: Path) -> float:
            return learn(plain, prepared, split, place, progress).score

        hold_against_scratch(config, learned.score, folder, progress, train)
    return {target: predictions(config, learned.data, learned.predicted, target) for target in prepared.roles.targets}


def _finished(folder: Path, targets: Sequence[str]) -> bool:
    return all((path / "predictions.zarr").exists() for path in scored_folders(folder, targets).values())


def _refuse_other_data(prepared: Prepared, folder: Path) -> None:
    """Hold a resumed run to the fluxes that its finished folds were scored on.

    Raises
    ------
    UserError
        If the data now hold others, such as a corrected unit: pooled folds would mix both.
    """
    for target, said in _stored(folder, prepared.roles.targets).items():
        now = prepared.towers[target].transpose("site", "time")
        tested = said["site_id"].to_numpy().astype(str)
        place = {str(name): row for row, name in enumerate(now["site_id"].to_numpy())}
        if (
            any(name not in place for name in tested)
            or not np.array_equal(said["time"].to_numpy(), now["time"].to_numpy())
            or not np.array_equal(
                said["observed"].to_numpy(), now.to_numpy()[[place[n] for n in tested]], equal_nan=True
            )
        ):
            raise UserError(f"{folder}: was tested on another {target} than the data hold now; start a new run")


def _stored(folder: Path, targets: Sequence[str]) -> dict[str, xr.Dataset]:
    return {target: RunFolder(folder, target if len(targets) > 1 else None).predictions() for target in targets}


def _write(said: Mapping[str, xr.Dataset], folder: Path) -> None:
    """Write the predictions of every target."""
    for target, path in scored_folders(folder, tuple(said)).items():
        path.mkdir(parents=True, exist_ok=True)
        write_predictions(said[target], path / "predictions.zarr")
        stopping.keep()


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
