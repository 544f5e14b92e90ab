"""Stopping a stage early, also when it is gone on with after it was to stop."""

import lightning
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason


class Patience(EarlyStopping):
    """Remembers in the checkpoint that the stage is over.

    Lightning would train on until the next validation, which may even be a better one.
    """

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop before the first step where an earlier session was to stop."""
        if self.stopping_reason != EarlyStoppingReason.NOT_STOPPED:
            trainer.should_stop = True
