"""The one LightningModule that trains every network."""

from collections.abc import Sequence

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from ..config.schema import HeadConfig, StageConfig
from ..contracts import Batch, Layout, TargetScale
from ..evaluation.site_statistics import SiteStatistics
from .outputs import OUTPUTS

QUANTILES = tuple(round(0.05 * i, 2) for i in range(1, 20))  # levels that a distribution's predictions are stored at


class FluxModule(lightning.LightningModule):
    """Train a network that maps a batch to read-outs; validate in units, site by site and target by target.

    Parameters
    ----------
    network : maps a ``Batch`` to read-outs (batch, day, target, parameter), scaled. It may define
        ``auxiliary_loss(batch)``, which is added to the training loss, and ``training_mask(mask)``, which narrows the
        labels that it learns from.
    layout : targets, features and window of a batch.
    head : what the read-outs mean.
    scales : turn each scaled flux into its unit; kept as buffers, so they travel with the weights.
    sites : number of sites of the cube, for the per-site statistics.
    stage : optimiser settings.
    """

    target_mean: Tensor  # (target,)
    target_std: Tensor  # (target,)
    levels: Tensor  # (level,)

    def __init__(
        self,
        network: nn.Module,
        layout: Layout,
        head: HeadConfig,
        scales: Sequence[TargetScale],
        sites: int,
        stage: StageConfig,
    ) -> None:
        super().__init__()
        self.network = network
        self.targets = layout.targets
        self.window = layout.window
        self.output = OUTPUTS[head.kind](head)
        self.stage = stage
        self.validation = nn.ModuleList(SiteStatistics(sites) for _ in layout.targets)
        self.register_buffer("target_mean", torch.tensor([scale.mean for scale in scales]))
        self.register_buffer("target_std", torch.tensor([scale.std for scale in scales]))
        self.register_buffer("levels", torch.tensor(QUANTILES), persistent=False)

    def in_units(self, scaled: Tensor) -> Tensor:
        """Turn scaled fluxes (..., target) into the targets' units."""
        return scaled * self.target_std + self.target_mean

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch, in scaled units."""
        narrowed, auxiliary = (getattr(self.network, name, None) for name in ("training_mask", "auxiliary_loss"))
        mask = batch["target_mask"] if narrowed is None else narrowed(batch["target_mask"])
        loss = self.output.loss(self.network(batch), batch["target"], mask)
        if auxiliary is not None:
            loss = loss + auxiliary(batch)
        self.log("train/loss", loss, batch_size=len(batch["site"]))
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add a batch to the per-site sums, in units."""
        prediction = self.in_units(self.output.mean(self.network(batch)))
        observed = self.in_units(batch["target"])
        for i, statistics in enumerate(self.validation):
            assert isinstance(statistics, SiteStatistics)
            statistics.update(prediction[..., i], observed[..., i], batch["target_mask"][..., i], batch["site"])

    def on_validation_epoch_end(self) -> None:
        """Log each target's mean site RMSE and median R2 in units, and ``val/score``, which decides when to stop.

        ``val/score`` is the mean over sites of RMSE, divided by the target's spread in training, averaged over targets.
        """
        score = torch.zeros((), dtype=torch.float64, device=self.target_std.device)
        for name, statistics, std in zip(self.targets, self.validation, self.target_std, strict=True):
            assert isinstance(statistics, SiteStatistics)
            scores = statistics.compute()
            self.log_dict({f"val/{name}/{what}": value for what, value in scores.items()}, prog_bar=False)
            # A target without a validation day has no say; prepare() refuses a split in which none has one.
            score = score + torch.nan_to_num(scores["mean_rmse"] / std) / len(self.targets)
            statistics.reset()
        self.log("val/score", score)

    def predict_step(self, batch: Batch, batch_idx: int) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Predict the scored days of each window.

        Returns
        -------
        Site (batch,), first scored day (batch,), flux (batch, scored, target) in units, and its quantiles
        (batch, scored, target, level) at ``QUANTILES``, None of a point forecast.
        """
        raw = self.network(batch)[:, self.window.warmup :]
        quantiles = self.output.quantiles(raw, self.levels)
        if quantiles is not None:
            quantiles = quantiles * self.target_std[:, None] + self.target_mean[:, None]
        return batch["site"], batch["day"] + self.window.warmup, self.in_units(self.output.mean(raw)), quantiles

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW under one cycle of the learning rate (Smith and Topin 2019, arXiv 1708.07120)."""
        trainable = [parameter for parameter in self.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trainable, lr=self.stage.learning_rate, weight_decay=self.stage.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=self.stage.learning_rate, total_steps=self.stage.steps, pct_start=0.15
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
