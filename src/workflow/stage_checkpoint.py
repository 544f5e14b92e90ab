"""The checkpoint of a stage: one file with all that it takes to go on, the best weights so far among it."""

import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import Tensor

from .. import stopping
from ..atomic import scratch_prefix
from ..errors import UserError
from ..modules.checkpoints import load_checkpoint, save_checkpoint
from .progress import MONITOR
from .stage_log import StageLog

BEST, LAST, BEFORE = "best.ckpt", "last.ckpt", "previous.ckpt"
LOG_EVERY = 10  # steps
DIVERGED = "the training has diverged to what is no number; start a new run with a lower learning_rate of the stage"


@dataclass
class Best:
    """The weights with the lowest validation score, and the step after which they were had."""

    score: float
    step: int
    weights: dict[str, Tensor]


class StageCheckpoint(Checkpoint):
    """Save a stage after each validation, and at the next step boundary where the command is asked to stop.

    Everything that depends on how far the training is goes into one file, so that no part of it can be older or newer
    than another; a file of the best weights is written from it when the stage is over.

    Parameters
    ----------
    folder : of the checkpoints. check_every : steps between validations. table : its rows are saved, too.
    """

    def __init__(self, folder: Path, check_every: int, table: StageLog) -> None:
        self.folder, self.check_every, self.table = folder, check_every, table
        self.best: Best | None = None

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:  # noqa: ANN401  Lightning's signature
        """Save and stop where that is asked.

        A step that is validated or logged is done with only after this; the former is left to ``on_validation_end``,
        the latter to the next step.
        """
        step = trainer.global_step
        done_with = step % self.check_every and step % LOG_EVERY and step < trainer.max_steps
        if _is_asked(trainer) and done_with:
            self._save(trainer)
            stopping.stop()

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Save, and stop where that is asked."""
        score = trainer.callback_metrics[MONITOR].item()
        if self.best is None or score < self.best.score:  # the first counts as best even if it is not a number
            weights = {name: value.detach().cpu().clone() for name, value in pl_module.state_dict().items()}
            self.best = Best(math.inf if math.isnan(score) else score, trainer.global_step, weights)
        self._save(trainer)
        if _is_asked(trainer) and trainer.global_step < trainer.max_steps:
            stopping.stop()

    def finish(self) -> float | None:
        """Write the best weights into a file of their own, and return their score.

        Raises
        ------
        UserError
            If no validation gave a finite score.
        """
        if self.best is None:
            return None
        if not math.isfinite(self.best.score):
            raise UserError(f"{self.folder}: {DIVERGED}")
        content = {"state_dict": self.best.weights, "global_step": self.best.step, "score": self.best.score}
        save_checkpoint(content, self.folder / BEST)
        return self.best.score

    def state_dict(self) -> dict[str, Any]:
        """Return the best weights and the table of what was logged, for the checkpoint."""
        return {"best": None if self.best is None else vars(self.best), "table": self.table.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over an earlier session's best weights and log."""
        self.best = None if state_dict["best"] is None else Best(**state_dict["best"])
        self.table.rows = list(state_dict["table"])

    def _save(self, trainer: lightning.Trainer) -> None:
        trainer.save_checkpoint(self.folder / LAST)
        self.table.save()
        stopping.keep()


class TwoCheckpoints(TorchCheckpointIO):
    """Lightning's way to a checkpoint file: written whole, and the one before it is kept."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:  # noqa: ANN401
        """Write the file; what it held before goes to ``previous.ckpt``."""
        save_checkpoint(checkpoint, Path(path), former=Path(path).with_name(BEFORE))


def to_go_on_from(folder: Path, say: Callable[[str], None]) -> Path | None:
    """Return the last good checkpoint of a stage as its ``last.ckpt``, or None where it has to start anew.

    What a killed session left half written is removed.

    Parameters
    ----------
    say : told, in a line, of a checkpoint that is damaged.
    """
    last, before = folder / LAST, folder / BEFORE
    for name in (LAST, BEST):
        for scratch in folder.glob(f"{scratch_prefix(Path(name))}*"):
            shutil.rmtree(scratch)
    for path, otherwise in ((last, "going on from the one before"), (before, "the stage starts anew")):
        problem = _problem(path) if path.exists() else None
        if problem is not None:
            say(f"  {problem}: {otherwise if before.exists() else 'the stage starts anew'}")
        elif path.exists():
            return path.replace(last)
    return None


def _problem(path: Path) -> str | None:
    """Say in a few words why a checkpoint cannot be gone on from; None where it can."""
    try:
        state = load_checkpoint(path).get("callbacks", {}).get(StageCheckpoint.__name__)
    except UserError as error:
        return str(error).partition(";")[0]
    return None if state is not None else f"{path}: the checkpoint is of another version of raciflux"


def _is_asked(trainer: lightning.Trainer) -> bool:
    """Whether any rank was asked to stop: all of them leave at the same step."""
    if trainer.world_size == 1:
        return stopping.is_asked()
    return bool(trainer.strategy.reduce_boolean_decision(stopping.is_asked(), all=False))
