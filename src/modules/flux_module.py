"""The one LightningModule that trains every network."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TypedDict, cast

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from ..config.schema import HeadConfig
from ..config.transfer import StageConfig
from ..contracts import Batch, Layout, TargetScale, from_asinh, to_asinh
from ..evaluation.site_statistics import SiteStatistics
from .balance import Balance
from .knowledge import Knowledge
from .losses import Loss, among_ranks
from .outputs import OUTPUTS
from .outputs.quantiles import mean_over_levels

QUANTILES = tuple(round(0.05 * i, 2) for i in range(1, 20))  # levels that a distribution's predictions are stored at


class Domains(TypedDict):
    """A batch of the towers and one of the simulation."""

    towers: Batch
    simulation: Batch


class DomainLoss(nn.Module):
    """What a technique makes of a batch of each domain; a technique's own is a subclass.

    Attributes
    ----------
    done : share of the training that is over, told before each step.
    """

    done = 0.0

    def forward(self, module: "FluxModule", batch: Domains) -> Tensor:
        """Return the loss, in scaled units."""
        raise NotImplementedError


class FluxModule(lightning.LightningModule):
    """Train a network that maps a batch to read-outs; validate in units, site by site and target by target.

    Parameters
    ----------
    network : maps a ``Batch`` to read-outs (batch, day, target, parameter), scaled. It may define
        ``auxiliary_loss(batch)``, which is added to the training loss, ``training_mask(mask)``, which narrows the
        labels that it learns from, or ``training_loss(batch, loss)``, which replaces all of it;
        what ``costs()`` tells is logged.
    layout : targets, features and window of a batch.
    head : what the read-outs mean.
    scales : turn each scaled flux into its unit; kept as buffers, so they travel with the weights. All of one
        transform.
    sites : number of sites of the cube, for the per-site statistics.
    stage : optimiser settings.
    knowledge : terms that are added to the training loss; None adds none.

    Attributes
    ----------
    rates : learning rates of parts of the network as shares of the stage's; 1 for a part that is not named.
    penalties : added to the training loss, each logged under its name; callbacks of transfer put them here.
    domains : the loss of a batch of towers and one of the simulation, where both are trained on at once; put here by
        the callback of a technique. What it trains itself goes to the optimiser with the network.
    """

    target_mean: Tensor  # (target,)
    target_std: Tensor  # (target,)
    target_spread: Tensor  # (target,) in units
    asinh_at: Tensor | None  # (), in units; None where the fluxes themselves are scaled
    levels: Tensor  # (level,)

    def __init__(
        self,
        network: nn.Module,
        layout: Layout,
        head: HeadConfig,
        scales: Sequence[TargetScale],
        sites: int,
        stage: StageConfig,
        knowledge: Knowledge | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.targets = layout.targets
        self.window = layout.window
        self.output = OUTPUTS[head.kind](head)
        self.balance = Balance.among(layout.targets)
        self.stage = stage
        self.rates: dict[str, float] = {}
        self.penalties: dict[str, Callable[[], Tensor]] = {}
        self.domains: DomainLoss | None = None
        self.knowledge = knowledge
        self.validation = nn.ModuleList(SiteStatistics(sites) for _ in layout.targets)
        self.register_buffer("target_mean", torch.tensor([scale.mean for scale in scales]))
        self.register_buffer("target_std", torch.tensor([scale.std for scale in scales]))
        self.register_buffer("target_spread", torch.tensor([scale.spread for scale in scales]), persistent=False)
        (bend,) = {scale.asinh_at for scale in scales}
        self.register_buffer("asinh_at", None if bend is None else torch.tensor(bend))
        self.register_buffer("levels", torch.tensor(QUANTILES), persistent=False)
        if self.balance is not None and hasattr(network, "close"):
            network.close = self.closed  # type: ignore[assignment]  # a plain attribute

    def in_units(self, scaled: Tensor) -> Tensor:
        """Turn scaled fluxes (..., target) into the targets' units."""
        return from_asinh(scaled * self.target_std + self.target_mean, self.asinh_at)

    def scaled(self, flux: Tensor) -> Tensor:
        """Scale fluxes (..., target) in units."""
        return (to_asinh(flux, self.asinh_at) - self.target_mean) / self.target_std

    def loss(self, raw: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Return the loss of read-outs, in scaled units; a balance of the targets is part of them.

        On several devices their average is that of all devices' days.
        """
        return among_ranks(self.output.loss(self.closed(raw), target, mask), mask.sum())

    def closed(self, raw: Tensor) -> Tensor:
        """Return read-outs whose targets keep their balance, where they have one."""
        return raw if self.balance is None else self.balance.read_out(raw, self.in_units, self.scaled)

    def flux(self, raw: Tensor) -> Tensor:
        """Return the expected flux (batch, day, target) of read-outs, in units.

        The mean of a distribution in the asinh transform is not the transform of its mean: its quantiles are turned
        into units, and averaged there. A point forecast of the transform is turned as it is, and so lies below the
        mean, near the median, where a flux is skewed.
        """
        quantiles = None if self.asinh_at is None else self.quantiles(raw)
        flux = self.in_units(self.output.mean(raw)) if quantiles is None else mean_over_levels(quantiles)
        return flux if self.balance is None else self.balance.closed(flux)

    def quantiles(self, raw: Tensor) -> Tensor | None:
        """Return the quantiles (batch, day, target, level) at ``QUANTILES`` in units; None of a point forecast."""
        quantiles = self.output.quantiles(raw, self.levels)
        return None if quantiles is None else self.in_units(quantiles.movedim(-1, 0)).movedim(0, -1)

    def training_step(self, batch: Batch | Domains, batch_idx: int) -> Tensor:
        """Return the loss of a batch, or of one of each domain, in scaled units."""
        loss: Tensor
        if self.domains is not None:
            both = cast(Domains, batch)
            towers, loss = both["towers"], self.domains(self, both)
        else:
            towers = cast(Batch, batch)
            loss = self.loss_of(towers, self.loss)
        size = len(towers["site"])
        for name, penalty in self.penalties.items():
            value = penalty()
            self.log(f"train/{name}", value, batch_size=size, sync_dist=True)
            loss = loss + value
        self.log("train/loss", loss, batch_size=size, sync_dist=True)
        return loss

    def loss_of(self, batch: Batch, judge: Loss) -> Tensor:
        """Return what the network is trained by on a batch, with what its breaches of knowledge cost.

        Parameters
        ----------
        judge : says what each read-out of the network costs, such as ``self.loss``.
        """
        if self.knowledge is None:
            return self._loss(batch, judge)
        return self._guided_loss(batch, self.knowledge, judge)

    def loss_elsewhere(self, batch: Batch, judge: Loss) -> Tensor:
        """Return the network's loss on a batch of another cube than the one whose places it looks up.

        Knowledge is not asked there: it judges fluxes in units, and the other cube's may be scaled otherwise.
        """
        with self.elsewhere():
            return self._loss(batch, judge)

    def elsewhere(self) -> AbstractContextManager[None]:
        """Return what the network is asked in about another cube than the one whose places it looks up."""
        asked: AbstractContextManager[None] = getattr(self.network, "elsewhere", nullcontext)()
        return asked

    def _loss(self, batch: Batch, judge: Loss) -> Tensor:
        """Return the network's loss, in which ``judge`` says what each of its read-outs costs."""
        names = ("training_loss", "training_mask", "auxiliary_loss")
        of_network, narrowed, auxiliary = (getattr(self.network, name, None) for name in names)
        if of_network is not None:
            all_of_it: Tensor = of_network(batch, judge)
            return all_of_it
        mask = batch["target_mask"] if narrowed is None else narrowed(batch["target_mask"])
        loss = judge(self.network(batch), batch["target"], mask)
        return loss if auxiliary is None else loss + auxiliary(batch)

    def _guided_loss(self, batch: Batch, knowledge: Knowledge, judge: Loss) -> Tensor:
        """Return the loss with that of knowledge, which is asked of every read-out that the network is judged by.

        To ask how a flux responds, the same pass is made again over other drivers. Each pass starts from one seed: with
        another dropout, or another question of own days, the answers would differ by more than the response.
        """
        seed = int(torch.randint(2**31, ()))

        def answered(asked: Batch) -> tuple[Tensor, list[Tensor]]:
            fluxes: list[Tensor] = []

            def heard(raw: Tensor, target: Tensor, mask: Tensor) -> Tensor:
                fluxes.append(self.flux(raw))
                return judge(raw, target, mask)

            torch.manual_seed(seed)
            return self._loss(asked, heard), fluxes

        loss, fluxes = answered(batch)
        penalties = knowledge.penalties(batch, fluxes, lambda asked: answered(asked)[1])
        logged = {f"train/knowledge/{name}": penalty for name, penalty in penalties.items()}
        self.log_dict(logged, batch_size=len(batch["site"]), sync_dist=True)
        return loss + knowledge.weighted(penalties)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add a batch to the per-site sums, in units."""
        prediction = self.flux(self.network(batch))
        observed = self.in_units(batch["target"])
        for i, statistics in enumerate(self.validation):
            assert isinstance(statistics, SiteStatistics)
            statistics.update(prediction[..., i], observed[..., i], batch["target_mask"][..., i], batch["site"])

    def on_validation_epoch_end(self) -> None:
        """Log each target's mean site RMSE and median R2 in units, and ``val/score``, which decides when to stop.

        ``val/score`` is the mean over sites of RMSE, divided by the target's spread in training, averaged over targets.
        """
        score = torch.zeros((), dtype=torch.float64, device=self.target_std.device)
        for name, statistics, spread in zip(self.targets, self.validation, self.target_spread, strict=True):
            assert isinstance(statistics, SiteStatistics)
            scores = statistics.compute()
            self.log_dict({f"val/{name}/{what}": value for what, value in scores.items()}, prog_bar=False)
            # A target without a validation day has no say; prepare() refuses a split in which none has one.
            score = score + torch.nan_to_num(scores["mean_rmse"] / spread, posinf=torch.inf) / len(self.targets)
            statistics.reset()
        self.log("val/score", score)
        self.log_dict(getattr(self.network, "costs", dict)())

    def predict_step(self, batch: Batch, batch_idx: int) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Predict the scored days of each window.

        Returns
        -------
        Site (batch,), first scored day (batch,), flux (batch, scored, target) in units, and its quantiles
        (batch, scored, target, level) at ``QUANTILES``, None of a point forecast.
        """
        raw = self.network(batch)[:, self.window.warmup :]
        return batch["site"], batch["day"] + self.window.warmup, self.flux(raw), self.quantiles(raw)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW under one cycle of the learning rate (Smith and Topin 2019, arXiv 1708.07120)."""
        of_rate: dict[float, list[nn.Parameter]] = {}
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                part = name.removeprefix("network.").split(".")[0]
                of_rate.setdefault(self.rates.get(part, 1.0), []).append(parameter)
        peaks = [self.stage.learning_rate * share for share in of_rate]
        groups = [{"params": of_share, "lr": peak} for of_share, peak in zip(of_rate.values(), peaks, strict=True)]
        optimizer = torch.optim.AdamW(groups, lr=self.stage.learning_rate, weight_decay=self.stage.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=peaks, total_steps=self.stage.steps, pct_start=0.15
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
