"""Gradual unfreezing: parts of a pretrained network join the training one after the other."""

from collections.abc import Mapping
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback


class Thaw(Callback):
    """Keep parts as they were loaded up to a step each (Howard and Ruder 2018, arXiv 1801.06146, section 3.3).

    A part that waits has no gradients, so that the optimiser passes it over: neither weights nor their decay move it.
    What is kept depends on the step alone, so a resumed training keeps what the uninterrupted one would have.

    Parameters
    ----------
    steps : for each part of the network, the optimiser step from which on it is trained.
    """

    def __init__(self, steps: Mapping[str, float]) -> None:
        self.steps = dict(steps)

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        batch: Any,  # noqa: ANN401  Lightning's signature
        batch_idx: int,
    ) -> None:
        """Let those parts be trained whose step has come."""
        for part, step in self.steps.items():
            pl_module.get_submodule(f"network.{part}").requires_grad_(trainer.global_step >= step)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Leave every part as it is found elsewhere."""
        for part in self.steps:
            pl_module.get_submodule(f"network.{part}").requires_grad_(True)
