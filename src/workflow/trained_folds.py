"""The networks of a finished run, fold by fold, ready to be asked about the run's own data."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..config.schema import Config
from ..datamodules import PAIRS
from ..datamodules.base import FluxDataModule
from ..datamodules.scaling import Scaler
from ..datamodules.splits import Split
from ..errors import UserError
from ..modules import TRAINABLE
from ..modules.checkpoints import load_into
from ..modules.flux_module import FluxModule
from ..retrieval.bank import Bank
from .apply import run_config
from .first_guess import first_guess
from .own_prior import hold_prior
from .prepare import Prepared, fold_split, prepare
from .stages import StageFolder, build_module, looks_up
from .transfer import informed_cube


@dataclass(frozen=True)
class TrainedFold:
    """The network of one fold and the data that it was trained, stopped and tested on."""

    config: Config
    module: FluxModule
    data: FluxDataModule
    split: Split
    folder: Path


def trained_folds(run: Path) -> Iterator[TrainedFold]:
    """Yield the folds of a finished run of a network.

    Raises
    ------
    UserError
        If the run is of a model without weights, or is not finished.
    """
    config = run_config(run)
    if config.model.name not in TRAINABLE:
        raise UserError(f"{run}: model={config.model.name} is no network; name a run of one, as lstm")
    prepared = prepare(config)
    for fold in prepared.folds:
        yield _fold(config, prepared, fold, run / f"fold{fold}" if len(prepared.folds) > 1 else run)


def _fold(config: Config, prepared: Prepared, fold: int, folder: Path) -> TrainedFold:
    split = fold_split(config, prepared, fold)
    towers = informed_cube(config, folder, prepared.towers)
    scaler = Scaler.load(folder / "scaler.yaml")
    stage, build = config.transfer.finetune, PAIRS[config.data.pair]
    data = build(towers, prepared.cluster, scaler.roles, split, config.data, stage.batch_size, config.seed, scaler)
    bank = Bank.load(folder / "bank.npz") if looks_up(config) else None
    module = build_module(config, stage, data, bank, guess=first_guess(config, data, folder, bank))
    load_into(module, StageFolder(folder, "towers").checkpoints / "best.ckpt")
    hold_prior(module, folder)
    return TrainedFold(config, module, data, split, folder)
