"""Randomness inside the network, a function of the step: what is dropped does not depend on when a run was stopped."""

from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback


class SeededSteps(Callback):
    """Seed every training step by the run's seed, the step and the rank.

    A resumed run then drops out what the uninterrupted one would have, and no generator's state has to be stored.

    Parameters
    ----------
    seed : seed of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        batch: Any,  # noqa: ANN401  Lightning's signature
        batch_idx: int,
    ) -> None:
        """Seed the generators of the processor and of the GPUs in use.

        ``torch.manual_seed`` would also write down the call stack for each kind of device that is not in use.
        """
        mixed = np.random.SeedSequence([self.seed, trainer.global_step, trainer.global_rank])
        seed = int(mixed.generate_state(1)[0])
        torch.default_generator.manual_seed(seed)
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.manual_seed_all(seed)
