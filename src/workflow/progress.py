"""One progress bar for the whole command, with an ETA over every stage that is still to come."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor

MONITOR = "val/score"  # mean site RMSE / spread of the flux, see FluxModule


class RunProgress:
    """Shows the steps of all stages together and the stage that runs; says one line when a stage ends.

    Parameters
    ----------
    total : optimiser steps of all stages, at most.
    visible : whether to draw the bar.
    speaks : whether to print lines.
    """

    def __init__(self, total: int, visible: bool, speaks: bool = True) -> None:
        self.console = Console(stderr=True, quiet=not speaks)
        self.bar = Progress(
            TextColumn("[progress.description]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not visible,
            transient=True,
        )
        self.task = self.bar.add_task("training", total=total)

    @contextlib.contextmanager
    def shown(self) -> Iterator["RunProgress"]:
        """Draw the bar while the body runs."""
        with self.bar:
            yield self

    def stage(self, name: str, steps: int) -> "StageProgress":
        """Return the callback that reports one stage."""
        return StageProgress(self, name, steps)

    def skip(self, steps: int) -> None:
        """Count steps that will not run: finished earlier, or stopped early."""
        self.bar.advance(self.task, steps)

    def now(self, doing: str) -> None:
        """Name beside the bar what takes time without steps."""
        self.bar.update(self.task, description=doing)

    def say(self, line: str, style: str | None = None) -> None:
        """Print a line above the bar; brackets, as of a folder or a site, are no markup."""
        self.console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


class StageProgress(Callback):
    """Advances the bar at each step and names the best validation score so far."""

    def __init__(self, run: RunProgress, name: str, steps: int) -> None:
        self.run, self.name, self.steps = run, name, steps
        self.best = float("inf")

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Count the steps that an earlier session did."""
        self.run.skip(trainer.global_step)
        self.run.now(self.name)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Tensor | Mapping[str, Any] | None,
        batch: Any,  # noqa: ANN401  Lightning's signature
        batch_idx: int,
    ) -> None:
        """Advance by one step."""
        self.run.bar.advance(self.run.task, 1)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Show the best score."""
        score = trainer.callback_metrics.get(MONITOR, torch.tensor(float("nan"))).item()
        self.best = min(self.best, score)
        self.run.now(f"{self.name} [dim]validation RMSE / spread {self.best:.3f}[/dim]")

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Say how the stage ended."""
        self.run.skip(self.steps - trainer.global_step)
        stopped = ", stopped early" if trainer.global_step < self.steps else ""
        self.run.say(
            f"  {self.name}: {trainer.global_step} steps{stopped}, best validation RMSE / spread {self.best:.3f}"
        )
