"""Towers and simulation side by side: each training step gets a batch of both."""

from collections.abc import Mapping
from typing import Any

import lightning
from lightning.pytorch.utilities import CombinedLoader
from torch import Tensor
from torch.utils.data import DataLoader

from .base import FluxDataModule

TOWERS, SIMULATION = "towers", "simulation"


class PairedDomains(lightning.LightningDataModule):
    """Batches of two data modules: both in training, the towers' alone where a model is validated.

    The n-th batch of one domain meets the n-th of the other, on every rank and after a resume: each depends on its
    module's seed and n alone.

    Parameters
    ----------
    towers, simulation : of the same roles.
    """

    def __init__(self, towers: FluxDataModule, simulation: FluxDataModule) -> None:
        super().__init__()
        self.domains = {TOWERS: towers, SIMULATION: simulation}

    def train_dataloader(self) -> CombinedLoader:
        """Yield a batch of windows of each domain, without end."""
        for data in self.domains.values():
            data.trainer = self.trainer
        return CombinedLoader({name: data.train_dataloader() for name, data in self.domains.items()}, "min_size")

    def val_dataloader(self) -> DataLoader[Tensor]:
        """Yield each measured validation day of the towers once."""
        self.domains[TOWERS].trainer = self.trainer
        return self.domains[TOWERS].val_dataloader()

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:  # noqa: ANN401  Lightning's signature
        """Gather on the device, each domain from its own arrays."""
        if not isinstance(batch, Mapping):
            return self.domains[TOWERS].on_after_batch_transfer(batch, dataloader_idx)
        return {name: self.domains[name].on_after_batch_transfer(of, dataloader_idx) for name, of in batch.items()}
