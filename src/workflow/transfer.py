"""What each technique of transfer does before, or beside, the training on the towers."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import lightning
import numpy as np
import polars as pl
import torch
import xarray as xr
from lightning.pytorch.callbacks import Callback

from ..config.schema import Config
from ..config.trainings import has_emulator, reads_series
from ..config.transfer import JOINT
from ..datamodules import PAIRS
from ..datamodules.base import FluxDataModule
from ..datamodules.cube import DIMS, attributes
from ..datamodules.paired import PairedDomains
from ..datamodules.scaling import Scaler
from ..datamodules.splits import Split
from ..modules import TRAINABLE
from ..modules.balance import Balance
from ..modules.flux_module import DomainLoss
from ..transfer import JointTraining, fine_tuning
from ..transfer.joint import Adversarial, Mixed, Reweighted
from ..transfer.paper_compat import PublishedAdversarial, PublishedReweighted
from ..transfer.similarity import moments, similarity_weights
from ..variables import SIMULATED
from .domain_gap import Comparison, sample
from .emulator import told, train_emulator
from .prepare import Prepared, simulation_data, tower_data
from .pretraining import pretrain
from .progress import RunProgress
from .simulated_moments import aligned, filled, write_moments
from .simulated_series import series_of, with_simulated
from .stages import StageFolder, build_bank, build_module, fit
from .tracking import TrackedTraining

JOINT_STAGE, RECORD, WEIGHTS = "joint", "transfer.json", "weights.parquet"
SERIES = "simulated_flux.json"  # moments over training days of the simulation's own series, and of the observed flux


@dataclass(frozen=True)
class Start:
    """How the training of a network on the towers begins.

    Attributes
    ----------
    scaler : of the simulation, whose scales the inputs keep; None lets the towers have their own.
    callbacks : of the training.
    simulation : trained on beside the towers; None trains on them alone.
    compared : what the towers' embeddings are held against; None where no network is trained on both domains.
    """

    scaler: Scaler | None = None
    callbacks: list[Callback] = field(default_factory=list)
    simulation: FluxDataModule | None = None
    compared: Comparison | None = None

    def data(self, towers: FluxDataModule) -> lightning.LightningDataModule:
        """Return what the training is fed with."""
        return towers if self.simulation is None else PairedDomains(towers, self.simulation)


def informed(
    config: Config, prepared: Prepared, split: Split, folder: Path, progress: RunProgress, tracked: TrackedTraining
) -> Prepared:
    """Return the data with the inputs that a technique adds: the simulated flux, or which domain is seen."""
    if _is_marked(config):
        assert prepared.simulation is not None
        towers, simulation = _marked(prepared.towers, 0.0), _marked(prepared.simulation, 1.0)
        return replace(prepared, towers=towers, simulation=simulation, roles=prepared.roles.marked)
    if reads_series(config):
        series = series_of(prepared.towers, prepared.roles.targets)
        write_moments(config, prepared, split, series, folder / SERIES)
    elif has_emulator(config):
        train_emulator(config, prepared, split, folder, progress, tracked)
    else:
        return prepared
    towers = informed_cube(config, folder, prepared.towers)
    if config.transfer.name == "residual":
        return replace(prepared, towers=towers, residual=True)
    return replace(prepared, towers=towers, roles=prepared.roles.stacked)


def informed_cube(config: Config, folder: Path, cube: xr.Dataset) -> xr.Dataset:
    """Return any cube with the inputs that the technique of a finished fold added to the towers'.

    A model that reads the simulation's series finds them in the cube (``with_series``).
    """
    if reads_series(config):
        return _met(config, folder, cube)
    if has_emulator(config):
        return told(config, folder, cube)
    return _marked(cube, 0.0) if _is_marked(config) else cube


def begin(
    config: Config, prepared: Prepared, split: Split, folder: Path, progress: RunProgress, tracked: TrackedTraining
) -> Start:
    """Do what comes before the training on the towers, and say how that begins."""
    transfer = config.transfer
    if transfer.name == "finetune":
        made = pretrain(config, prepared, split, folder, progress, tracked)
        fine_tuned = fine_tuning(transfer, made.checkpoint, folder / RECORD)
        if not isinstance(made.data, FluxDataModule):  # the simulation itself is not at hand
            return Start(made.data.scaler, fine_tuned)
        return Start(made.data.scaler, fine_tuned, compared=Comparison(sample(made.data, config.seed), made.checkpoint))
    if transfer.name not in JOINT:
        return Start()
    simulation = simulation_data(config, prepared, split)
    simulated = sample(simulation, config.seed)
    if transfer.name == "mixed":
        both: list[Callback] = [JointTraining(Mixed(transfer.simulated_weight))]
        return Start(simulation.scaler, both, simulation, Comparison(simulated, None))
    best = _joint_stage(config, prepared, split, simulation, folder, progress, tracked)
    fine_tuned = fine_tuning(transfer, best, folder / RECORD)
    return Start(simulation.scaler, fine_tuned, compared=Comparison(simulated, best))


def _joint_stage(
    config: Config,
    prepared: Prepared,
    split: Split,
    simulation: FluxDataModule,
    folder: Path,
    progress: RunProgress,
    tracked: TrackedTraining,
) -> Path:
    """Train on both domains at once, judged by the towers' validation sites; return the checkpoint."""
    stage, place = config.transfer.pretrain, StageFolder(folder, JOINT_STAGE)
    best = place.checkpoints / "best.ckpt"
    if place.finished.exists():
        progress.skip(stage.steps)
        return best
    towers = tower_data(config, prepared, split, simulation.scaler)
    loss = LOSSES[config.transfer.name, config.paper_compat](config, towers, simulation, folder)
    module = build_module(config, stage, towers, build_bank(config, towers))
    loggers = tracked.stage(JOINT_STAGE, towers)
    fit(config, stage, place, PairedDomains(towers, simulation), module, [JointTraining(loss)], loggers, progress)
    return best


def _reweighted(config: Config, towers: FluxDataModule, simulation: FluxDataModule, folder: Path) -> Reweighted:
    """Weigh the simulation's places, and write the weights for a user to see: ``site_id, lat, lon, weight``."""
    observed = moments(towers.scaled_target(), towers.trainable)[towers.train_sites]
    simulated = moments(simulation.scaled_target(), simulation.trainable)
    weights = similarity_weights(simulated, observed, config.transfer.sharpness)
    cube, trained = simulation.cube, simulation.train_sites
    columns = {name: cube[name].to_numpy() for name in ("site_id", "lat", "lon")} | {"weight": weights}
    table = pl.DataFrame({name: values[trained] for name, values in columns.items()})
    table.write_parquet(folder / WEIGHTS)
    return Reweighted(weights)


def _adversarial(config: Config, towers: FluxDataModule, simulation: FluxDataModule, folder: Path) -> Adversarial:
    torch.manual_seed(config.seed)  # the discriminator starts from the same weights whatever was drawn before
    return Adversarial(config.transfer.domain_weight, config.model.hidden)


def _published_reweighted(
    config: Config, towers: FluxDataModule, simulation: FluxDataModule, folder: Path
) -> PublishedReweighted:
    return PublishedReweighted(config.transfer.sharpness)


def _published_adversarial(
    config: Config, towers: FluxDataModule, simulation: FluxDataModule, folder: Path
) -> PublishedAdversarial:
    torch.manual_seed(config.seed)
    return PublishedAdversarial(config.model.hidden)


# by technique and paper_compat, which alone leads to the faults of the published code
LOSSES: dict[tuple[str, bool], Callable[[Config, FluxDataModule, FluxDataModule, Path], DomainLoss]] = {
    ("adversarial", False): _adversarial,
    ("adversarial", True): _published_adversarial,
    ("reweight", False): _reweighted,
    ("reweight", True): _published_reweighted,
}


def _met(config: Config, folder: Path, cube: xr.Dataset) -> xr.Dataset:
    """Let the simulation's series in a cube meet the observed fluxes.

    A day without one stays missing, as any driver may be; what is left of a flux (``residual``) needs a value to start
    from on every day, and takes the mean of training days. Fluxes that are predicted in balance start from one that is
    closed, whatever else the simulation counts to its net exchange (fire, harvest).
    """
    names, moments = PAIRS[config.data.pair].pair.targets, folder / SERIES
    flux = series_of(cube, names)
    if config.transfer.name == "residual":
        flux = filled(flux, names, moments)
        balance = Balance.among(names)
        flux = flux if balance is None else balance.closed(flux)
    if config.transfer.align == "moments":
        flux = aligned(flux, names, moments)
    return with_simulated(cube, {name: flux[..., i] for i, name in enumerate(names)})


def _is_marked(config: Config) -> bool:
    return config.transfer.name == "mixed" and config.model.name in TRAINABLE


def _marked(cube: xr.Dataset, value: float) -> xr.Dataset:
    shape = (cube.sizes["site"], cube.sizes["time"])
    return cube.assign({SIMULATED: (DIMS, np.full(shape, value, np.float32), attributes(SIMULATED))})
