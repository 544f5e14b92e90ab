"""The one LightningModule that trains every network."""

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from ..config.schema import StageConfig
from ..contracts import Batch, Layout, TargetScale
from ..evaluation.site_statistics import SiteStatistics
from .losses import masked_squared_error


class FluxModule(lightning.LightningModule):
    """Train a network that maps a batch to scaled fluxes; validate in units, site by site.

    Parameters
    ----------
    network : maps a ``Batch`` to scaled fluxes (batch, day).
    layout : features and window of a batch.
    scale : turns scaled fluxes into units; kept as buffers, so it travels with the weights.
    sites : number of sites of the cube, for the per-site statistics.
    stage : optimiser settings.
    """

    target_mean: Tensor
    target_std: Tensor

    def __init__(self, network: nn.Module, layout: Layout, scale: TargetScale, sites: int, stage: StageConfig) -> None:
        super().__init__()
        self.network = network
        self.window = layout.window
        self.stage = stage
        self.validation = SiteStatistics(sites)
        self.register_buffer("target_mean", torch.tensor(scale.mean))
        self.register_buffer("target_std", torch.tensor(scale.std))

    def in_units(self, scaled: Tensor) -> Tensor:
        """Turn scaled fluxes into the target's unit."""
        return scaled * self.target_std + self.target_mean

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the masked squared error of a batch, in scaled units."""
        loss = masked_squared_error(self.network(batch), batch["target"], batch["target_mask"])
        self.log("train/loss", loss, batch_size=len(batch["site"]))
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add a batch to the per-site sums, in units."""
        prediction = self.in_units(self.network(batch))
        self.validation.update(prediction, self.in_units(batch["target"]), batch["target_mask"], batch["site"])

    def on_validation_epoch_end(self) -> None:
        """Log the mean over sites of RMSE, and of R2's median; the former decides when to stop."""
        self.log_dict({f"val/{name}": value for name, value in self.validation.compute().items()}, prog_bar=False)
        self.validation.reset()

    def predict_step(self, batch: Batch, batch_idx: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return site (batch,), first scored day (batch,) and the flux of the scored days (batch, scored), in units."""
        flux = self.in_units(self.network(batch))[:, self.window.warmup :]
        return batch["site"], batch["day"] + self.window.warmup, flux

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW under one cycle of the learning rate (Smith and Topin 2019, arXiv 1708.07120)."""
        trainable = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trainable, lr=self.stage.learning_rate, weight_decay=self.stage.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=self.stage.learning_rate, total_steps=self.stage.steps, pct_start=0.15
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
