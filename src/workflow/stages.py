"""One stage of training: a network, its data, a Lightning trainer, and the best weights at the end."""

import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import DDPStrategy
from numpy.typing import NDArray

from .. import stopping
from ..atomic import write_text
from ..config.raci import RaciConfig
from ..config.schema import Config
from ..config.transfer import StageConfig
from ..contracts import TrainingView
from ..datamodules.base import FluxDataModule
from ..errors import UserError
from ..modules import TRAINABLE
from ..modules.checkpoints import load_into
from ..modules.flux_module import FluxModule
from ..modules.knowledge import knowledge_of
from ..modules.raci import Raci
from ..retrieval.bank import Bank
from .memory import keep_freed_memory
from .patience import Patience
from .progress import MONITOR, RunProgress
from .rank import Rank
from .ranks import beside_other_ranks
from .seeded_steps import SeededSteps
from .stage_checkpoint import BEST, DIVERGED, LOG_EVERY, StageCheckpoint, TwoCheckpoints, to_go_on_from
from .stage_log import StageLog


@dataclass(frozen=True)
class StageFolder:
    """Where a stage keeps its checkpoints and logs inside a run folder."""

    run: Path
    name: str

    @property
    def checkpoints(self) -> Path:
        """Folder of ``best.ckpt``, ``last.ckpt`` and the one before that."""
        return self.run / "checkpoints" / self.name

    @property
    def finished(self) -> Path:
        """File that exists once the stage is done."""
        return self.checkpoints / "finished.json"

    def score(self) -> float:
        """Return the best validation score of a finished stage."""
        return float(json.loads(self.finished.read_text())["score"])


def build_module(
    config: Config,
    stage: StageConfig,
    data: FluxDataModule,
    bank: Bank | None,
    elsewhere: TrainingView | None = None,
    guess: NDArray[np.float32] | None = None,
) -> FluxModule:
    """Return the module of a stage, its weights drawn from the seed and its retrieval attached to the bank.

    Parameters
    ----------
    elsewhere : how the sites of ``data`` look up a bank of another cube, whose cluster codes differ from theirs; None
        where the bank was built from the very cube of ``data``.
    guess : what trees say of the sites of ``data`` (site, day, target), scaled; None where none were grown.
    """
    torch.manual_seed(config.seed)
    network = TRAINABLE[config.model.name](config.model, data.layout, config.head)
    if isinstance(network, Raci) and network.retrieval is not None and bank is not None:
        table = bank.look_up(elsewhere or data.view(), config.model.retrieval, same_cube=elsewhere is None)
        network.retrieval.attach(bank, table)
    if isinstance(network, Raci) and network.first_guess is not None and guess is not None:
        network.first_guess.attach(guess)
    scaler, sites = data.scaler, len(data.train_sites)
    knowledge = knowledge_of(config.knowledge, config.data.pair, data.layout, scaler.targets, scaler.inputs)
    return FluxModule(network, data.layout, config.head, scaler.targets, sites, stage, knowledge)


@contextmanager
def hidden_neighbours(module: FluxModule) -> Iterator[None]:
    """Let the network of a stage find nobody, for as long as this lasts; nothing for a network that looks nobody up."""
    retrieval = module.network.retrieval if isinstance(module.network, Raci) else None
    with nullcontext() if retrieval is None else retrieval.finding_nobody():
        yield


def looks_up(config: Config) -> bool:
    """Whether the model looks up neighbours."""
    return isinstance(config.model, RaciConfig) and config.model.retrieval.enabled


def looks_at_own_days(config: Config) -> bool:
    """Whether the model's answers take in a site's own shown days."""
    return isinstance(config.model, RaciConfig) and config.model.own_days.enabled


def has_first_guess(config: Config) -> bool:
    """Whether trees answer beside the network."""
    return isinstance(config.model, RaciConfig) and config.model.first_guess.enabled


def build_bank(config: Config, data: FluxDataModule) -> Bank | None:
    """Return the bank of the training sites for a model that looks up neighbours, else None."""
    return Bank.build(data.view(), config.data.split.cluster_km) if looks_up(config) else None


def fit(
    config: Config,
    stage: StageConfig,
    folder: StageFolder,
    data: lightning.LightningDataModule,
    module: FluxModule,
    callbacks: Sequence[Callback],
    loggers: Sequence[Logger],
    progress: RunProgress,
) -> FluxModule:
    """Train to the end of the stage, going on where an earlier session stopped, and load the best weights.

    Raises
    ------
    UserError
        If a checkpoint cannot be written, or the training has diverged.
    Stopped
        If the command was asked to stop; a checkpoint was written before.
    """
    label, best = f"{config.model.name} {folder.name}", folder.checkpoints / BEST
    if folder.finished.exists() and best.exists():
        progress.skip(stage.steps)
    else:
        last = to_go_on_from(folder.checkpoints, progress.say)
        train = partial(_train, config, stage, folder, data, module, last, callbacks)
        with stopping.waiting_for_a_boundary():
            with beside_other_ranks(train, config.trainer) as rank:
                try:
                    trainer = train(rank, [progress.stage(label, stage.steps)], loggers)
                # own days cannot be solved without numbers; torch's stubs do not know the error
                except torch.linalg.LinAlgError as error:  # type: ignore[attr-defined]
                    raise UserError(f"{folder.checkpoints}: {DIVERGED}") from error
            assert isinstance(trainer.checkpoint_callback, StageCheckpoint)
            ended = {"steps": trainer.global_step, "score": trainer.checkpoint_callback.finish()}
            write_text(json.dumps(ended) + "\n", folder.finished)
            stopping.keep()
    load_into(module, best)
    return module


def accelerator(config: Config) -> str:
    """Return ``cuda`` where it is asked for or found, else ``cpu``; Apple's MPS lacks the float64 of per-site sums."""
    wanted = config.trainer.accelerator
    return "cuda" if wanted == "gpu" or (wanted == "auto" and torch.cuda.is_available()) else "cpu"


def _train(
    config: Config,
    stage: StageConfig,
    folder: StageFolder,
    data: lightning.LightningDataModule,
    module: FluxModule,
    last: Path | None,
    callbacks: Sequence[Callback],
    rank: Rank | None,
    reports: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
) -> lightning.Trainer:
    """Train as one of several ranks, or alone; ``reports`` and ``loggers`` are those of rank zero."""
    keep_freed_memory()
    trainer = _trainer(config, stage, folder, [*callbacks, *reports], loggers, rank)
    lightning.seed_everything(config.seed, verbose=False)
    trainer.fit(module, datamodule=data, ckpt_path=last, weights_only=True)
    return trainer


def _trainer(
    config: Config,
    stage: StageConfig,
    folder: StageFolder,
    callbacks: Sequence[Callback],
    loggers: Sequence[Logger],
    rank: Rank | None,
) -> lightning.Trainer:
    check_every = min(stage.check_every, stage.steps)  # a short stage is validated at its end
    table = StageLog(folder.run / "logs" / folder.name / "metrics.csv")
    checkpoint = StageCheckpoint(folder.checkpoints, check_every, table)
    early = Patience(MONITOR, patience=stage.patience, check_finite=True)
    seeded = SeededSteps(config.seed)
    # Deterministic mode would also fill each new tensor before it is written, for nothing.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # set by torch later
    trainer = lightning.Trainer(
        accelerator=accelerator(config),
        devices=config.trainer.devices,
        num_nodes=config.trainer.num_nodes,
        # A part that waits, or finds no neighbour, has no gradient; buffers are the same everywhere and stay.
        strategy="auto" if rank is None else DDPStrategy(find_unused_parameters=True, broadcast_buffers=False),
        plugins=[LightningEnvironment() if rank is None else rank, TwoCheckpoints()],
        precision=config.trainer.precision,  # type: ignore[arg-type]  # the schema's choices are Lightning's
        max_steps=stage.steps,
        max_epochs=-1,
        val_check_interval=check_every,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        gradient_clip_val=1.0,
        log_every_n_steps=LOG_EVERY,
        deterministic=accelerator(config) == "cpu",  # CUDA's recurrent kernels have no deterministic form
        use_distributed_sampler=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder.run,
        logger=[table, *loggers],
        callbacks=[checkpoint, early, seeded, *callbacks],
    )
    # Lightning would broadcast among ranks from inside a signal's handler, and requeue a job of Slurm by itself.
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
    return trainer


def quiet() -> None:
    """Silence what a user cannot act on: banners, and hints about loaders that have nothing to load."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for message in (
        ".*does not have many workers.*",
        ".*exists and is not empty.*",
        ".*lr_scheduler.step.*",
        ".*`isinstance\\(treespec, LeafSpec\\)` is deprecated.*",
        ".*Experiment logs directory.*",
        ".*number of training batches.*",
        ".*zero-element tensors.*",
        ".*`srun` command is available.*",  # a Slurm that this run was not started by
        ".*sync_dist=True.*",  # what is logged of a validation is the same on every rank already
        ".*`broadcast_buffers` is deprecated.*",
    ):
        warnings.filterwarnings("ignore", message=message)
