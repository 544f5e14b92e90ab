"""The LightningDataModule of every flux/ecosystem pair: a cube in, batches of windows out."""

from collections.abc import Sequence
from typing import ClassVar

import lightning
import numpy as np
import torch
import xarray as xr
from lightning.pytorch.trainer.states import RunningStage
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from ..config.schema import DataConfig
from ..contracts import Batch, Layout, TrainingView, VisibleSet, WindowLayout
from ..sun import extraterrestrial_radiation
from .resident import Part, ResidentArrays
from .roles import SLOW_COVERAGE, SLOW_SPANS, Pair, Roles, scored_days
from .scaling import Scaler
from .splits import Split
from .towers import is_grid
from .windows import FixedTiling, Indices, RandomTiling

PART_OF_STAGE: dict[RunningStage | None, Part] = {
    RunningStage.TRAINING: "train",
    RunningStage.VALIDATING: "validation",
    RunningStage.SANITY_CHECKING: "validation",
}


class FluxDataModule(lightning.LightningDataModule):
    """Scale a cube, keep it on the device, and draw windows from it.

    Parameters
    ----------
    cube : see docs/architecture.md, "The cube, the batch, the window"; sites of every part of the split together.
    cluster : (site,) code of each site's cluster.
    roles : the variables used.
    split : who trains, validates and is tested.
    config : window, quality rule and training switches.
    batch_size : windows a step, over all ranks.
    seed : seed of the training windows.
    scaler : scale factors to use; fitted on the training sites when None.
    residual : whether a scaler that is fitted takes the simulated flux off the observed one.
    """

    pair: ClassVar[Pair]

    def __init__(
        self,
        cube: xr.Dataset,
        cluster: NDArray[np.int64],
        roles: Roles,
        split: Split,
        config: DataConfig,
        batch_size: int,
        seed: int,
        scaler: Scaler | None = None,
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.cube = with_sun(cube)
        self.cluster = cluster
        self.blocks = is_grid(cube) and config.split.cluster_km > 0
        self.roles = roles
        self.split = split
        self.batch_size = batch_size
        self.seed = seed
        window = config.window
        self.window = WindowLayout(window.warmup_days, window.scored_days, window.block_days, window.history_blocks)
        self.measured, self.convention = scored_days(self.cube, roles.targets, config.quality)
        site_id, time = self.cube["site_id"].to_numpy(), self.cube["time"].to_numpy()
        train_days, validation_days, self.test_days = (
            split.days(part, site_id, time) for part in ("train", "validation", "test")
        )
        self.train_sites = split.members("train", site_id)
        self.train_period = split.period("train", site_id, time)
        trainable = self.convention if config.train_on_filled else self.measured
        self.trainable = trainable & train_days[..., None]
        self.training_days = np.asarray(self.trainable.any(-1))  # (site, day) a training day of any target
        self.stopping = self.measured & validation_days[..., None]
        # own fluxes that the test may look at: a question about new years shows the site's past, others nothing
        self.shown = self.trainable if split.question == "new_years" else np.zeros_like(self.trainable)
        self.predictable = days_with_drivers(self.cube, self.pair.required)
        self.scaler = scaler or Scaler.fit(
            self.cube, roles, self.train_period, self.trainable, config.asinh_at, residual
        )
        self.layout: Layout = roles.layout(self.scaler.class_sizes, self.window)
        self.arrays = self._resident()

    def _resident(self) -> ResidentArrays:
        fast = np.stack([self._scaled(name) for name in self.roles.fast], axis=-1)
        static = [self._scaled(name) for name in self.roles.static]
        classes = [self.scaler.encode(name, self.cube[name].to_numpy()) for name in self.roles.classes]
        sites = len(self.train_sites)
        return ResidentArrays.build(
            self.layout,
            torch.from_numpy(fast),
            trailing_means(torch.from_numpy(fast)),
            torch.from_numpy(self.scaled_target()),
            torch.from_numpy(self.trainable),
            torch.from_numpy(self.stopping),
            torch.from_numpy(np.stack(static, axis=-1)) if static else torch.zeros(sites, 0),
            torch.from_numpy(np.stack(classes, axis=-1)) if classes else torch.zeros(sites, 0, dtype=torch.int64),
        )

    def _scaled(self, name: str) -> NDArray[np.float32]:
        values = self.cube[name]
        ordered = values.transpose("site", "time") if values.ndim == 2 else values
        return self.scaler.scale(name, ordered.to_numpy())

    def scaled_target(self) -> NDArray[np.float32]:
        """Return every target (site, day, target), scaled, NaN where missing."""
        values = self._daily(self.roles.targets) - self.base
        scaled = [scale.to_scaled(values[..., place]) for place, scale in enumerate(self.scaler.targets)]
        return np.stack(scaled, axis=-1).astype(np.float32)

    @property
    def base(self) -> NDArray[np.float32]:
        """What was taken off each flux before it was scaled (site, day, target), in units: 0, or the simulated flux."""
        names = [scale.base for scale in self.scaler.targets if scale.base is not None]
        return self._daily(names) if names else np.broadcast_to(np.float32(0.0), self.trainable.shape)

    def _daily(self, names: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([self.cube[name].transpose("site", "time").to_numpy() for name in names], axis=-1)

    def view(self) -> TrainingView:
        """Return what banks and models without gradients may learn from: no flux outside training sites and days."""
        pad, days = self.arrays.pad, len(self.cube["time"])
        sites, n_fast = len(self.train_sites), len(self.roles.fast)
        fast = self.arrays.fast.cpu().view(sites, self.arrays.days, -1)[:, pad : pad + days].numpy()
        flux = self.scaled_target()
        return TrainingView(
            layout=self.layout,
            site_id=self.cube["site_id"].to_numpy(),
            lat=self.cube["lat"].to_numpy().astype(np.float64),
            lon=self.cube["lon"].to_numpy().astype(np.float64),
            dates=self.cube["time"].to_numpy(),
            driver_days=self.train_period if self.split.periods else np.ones((sites, days), bool),
            fast=fast[..., :n_fast],
            fast_mask=fast[..., n_fast:] > 0,
            static=self.arrays.static.cpu().numpy(),
            static_mask=self.arrays.static_mask.cpu().numpy() > 0,
            classes=self.arrays.classes.cpu().numpy(),
            target=np.where(self.trainable, flux, np.float32(0.0)),
            visible=VisibleSet(self.trainable, self.cluster, self.split.question, self.blocks),
            stopping=self.stopping,
            stopping_target=np.where(self.stopping, flux, np.float32(0.0)),
            train_sites=self.train_sites,
            scales=self.scaler.targets,
        )

    def train_dataloader(self) -> DataLoader[Tensor]:
        """Yield random tilings of the training days without end, from the trainer's step on."""
        step = self.trainer.global_step if self.trainer else 0
        rank, world = self._rank_and_world()
        return _loader(RandomTiling(self.training_days, self.window, self.batch_size, self.seed, rank, world, step))

    def val_dataloader(self) -> DataLoader[Tensor]:
        """Yield each measured validation day once."""
        counts = np.asarray(self.stopping.any(-1))
        return _loader(FixedTiling(counts, self.window, self.batch_size, *self._rank_and_world()))

    def predict_dataloader(self) -> DataLoader[Tensor]:
        """Yield each test day on which a required driver is known, once; ranks share sites, not windows."""
        return _loader(FixedTiling(self.predictable & self.test_days, self.window, self.batch_size))

    def _rank_and_world(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def on_after_batch_transfer(self, batch: Tensor, dataloader_idx: int) -> Batch:
        """Gather on the device; a stage sees the fluxes of its own days only, prediction none."""
        self.arrays = self.arrays.to(batch.device)
        stage = self.trainer.state.stage if self.trainer is not None else None
        return self.arrays.gather(batch, PART_OF_STAGE.get(stage, "test"))


def _loader(sampler: Sampler[Tensor]) -> DataLoader[Tensor]:
    return DataLoader(Indices(), sampler=sampler, batch_size=None)


def with_sun(cube: xr.Dataset) -> xr.Dataset:
    """Add the extraterrestrial radiation, which calendar and latitude give."""
    day_of_year = cube["time"].dt.dayofyear.to_numpy()
    sun = extraterrestrial_radiation(cube["lat"].to_numpy()[:, None], day_of_year[None])
    return cube.assign(SW_POT=(("site", "time"), sun.astype(np.float32)))


def days_with_drivers(cube: xr.Dataset, required: tuple[str, ...]) -> NDArray[np.bool_]:
    """Days (site, day) on which at least one required driver is known: the record of a site."""
    known = [np.isfinite(cube[name].transpose("site", "time").to_numpy()) for name in required]
    return np.asarray(np.logical_or.reduce(known))


def trailing_means(fast: Tensor) -> Tensor:
    """Mean of each driver over the days up to and including each day, for each slow span.

    Parameters
    ----------
    fast : (site, day, feature), NaN where missing.

    Returns
    -------
    (site, day, span * feature) ; NaN where fewer than half of the span's days are known.
    """
    known = torch.isfinite(fast)
    total = torch.where(known, fast, 0).cumsum(1, dtype=torch.float64)
    count = known.cumsum(1, dtype=torch.int32)
    means = fast.new_empty(*fast.shape[:2], len(SLOW_SPANS) * fast.shape[2])
    for span, mean in zip(SLOW_SPANS, means.chunk(len(SLOW_SPANS), -1), strict=True):
        n = _difference(count, span)
        mean.copy_(_difference(total, span).div_(n.clamp(min=1)).masked_fill_(n < SLOW_COVERAGE * span, torch.nan))
    return means


def _difference(cumulative: Tensor, span: int) -> Tensor:
    """Turn a running total into the total over the last ``span`` days."""
    difference = cumulative.clone()
    difference[:, span:] -= cumulative[:, :-span]
    return difference
