"""One model learns one fold: a network in one or two stages, or an estimator at once."""

import gc
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..atomic import write_text
from ..config.schema import Config
from ..contracts import TrainingView
from ..datamodules.base import FluxDataModule
from ..datamodules.splits import Split
from ..evaluation.metrics import Sums, rmse
from ..modules import TRAINABLE
from ..modules.balance import Balance
from ..modules.baselines import ESTIMATORS
from .applicability import distance_to_bank
from .context import write_context
from .domain_gap import tell_domain_gap
from .first_guess import asking_trees, first_guess, grow_trees
from .neighbours import write_neighbours
from .own_fluxes import keep_own_past
from .own_prior import widen_prior
from .own_residuals import learn_residuals
from .predictions import Predicted
from .prepare import Prepared, tower_data
from .progress import RunProgress
from .shards import predict_among_ranks
from .stages import (
    StageFolder,
    build_bank,
    build_module,
    fit,
    has_first_guess,
    looks_at_own_days,
)
from .tracking import TrackedTraining, tracked_training
from .transfer import begin, informed


@dataclass(frozen=True)
class Learned:
    """A trained model's answers for one fold.

    Attributes
    ----------
    data : the data module of the towers.
    predicted : the test days, in units.
    score : mean RMSE of the validation sites over the flux's spread, averaged over targets.
    """

    data: FluxDataModule
    predicted: Predicted
    score: float


def learn(config: Config, prepared: Prepared, split: Split, folder: Path, progress: RunProgress) -> Learned:
    """Train the model of ``config`` on one split into ``folder``, and predict its test days."""
    with tracked_training(config, folder, split.fold) as tracked:
        prepared = informed(config, prepared, split, folder, progress, tracked)
        if config.model.name in TRAINABLE:
            learned = _train_network(config, prepared, split, folder, progress, tracked)
        else:
            learned = _fit_estimator(config, prepared, split, folder)
        tracked.score(learned.score)
    learned.data.scaler.save(folder / "scaler.yaml")
    write_text(json.dumps({"score": learned.score}) + "\n", folder / "validation.json")
    gc.collect()  # trainer, module and data refer to each other in a ring, which would keep every fold's arrays
    return learned


def _fit_estimator(config: Config, prepared: Prepared, split: Split, folder: Path) -> Learned:
    """Fit a model without gradients on the towers alone."""
    data = tower_data(config, prepared, split, None)
    view = data.view()
    model = ESTIMATORS[config.model.name].fit(config.model, view, config.data.split.cluster_km, config.seed)
    model.save(folder / "estimator")
    wanted = (data.predictable & data.test_days) | view.stopping.any(-1)
    flux = in_units(model.predict(view, same_cube=True, wanted=wanted), view)
    return Learned(data, Predicted(flux + data.base, None).where(data.predictable & data.test_days), _score(view, flux))


def _score(view: TrainingView, flux: NDArray[np.float32]) -> float:
    """Score fluxes (site, day, target) in units on the validation days as ``val/score`` scores a network's."""
    counted = view.stopping & np.isfinite(flux)
    days_last = (0, 2, 1)
    observed = _each_in_units(view.stopping_target, view)
    sums = Sums.of(observed.transpose(days_last), flux.transpose(days_last), counted.transpose(days_last))
    by_site = rmse(sums) / np.array([scale.spread for scale in view.scales])  # (site, target)
    known = np.isfinite(by_site)
    of_target = np.where(known, by_site, 0.0).sum(0) / np.maximum(known.sum(0), 1)  # without a day it has no say
    return float(of_target.mean())


def in_units(scaled: NDArray[np.float32], view: TrainingView) -> NDArray[np.float32]:
    """Turn what an estimator predicts (site, day, target) into units; of GPP, RECO and NEE, NEE is the difference."""
    flux, balance = _each_in_units(scaled, view), Balance.among(view.layout.targets)
    return flux if balance is None else balance.closed(flux)


def _each_in_units(scaled: NDArray[np.float32], view: TrainingView) -> NDArray[np.float32]:
    return np.stack([scale.to_units(scaled[..., place]) for place, scale in enumerate(view.scales)], axis=-1)


def _train_network(
    config: Config, prepared: Prepared, split: Split, folder: Path, progress: RunProgress, tracked: TrackedTraining
) -> Learned:
    """Begin as the technique of transfer does, train on the towers, predict the test days."""
    start = begin(config, prepared, split, folder, progress, tracked)
    data = tower_data(config, prepared, split, start.scaler)
    bank = build_bank(config, data)
    if bank is not None:
        bank.save(folder / "bank.npz")
    if has_first_guess(config):
        progress.now(f"{config.model.name} growing trees")
        grow_trees(config, data, folder, bank)
    stage = config.transfer.finetune
    module = build_module(config, stage, data, bank, guess=first_guess(config, data, folder, bank))
    towers = StageFolder(folder, "towers")
    loggers = tracked.stage("towers", data)
    fit(config, stage, towers, start.data(data), module, callbacks=start.callbacks, loggers=loggers, progress=progress)
    if start.compared is not None:
        tell_domain_gap(config, module, data, start.compared, folder, progress, tracked)
    if looks_at_own_days(config):
        progress.now(f"{config.model.name} own days")
        widen_prior(config, module, data, folder)
        learn_residuals(config, module, data, folder, progress.say)
        keep_own_past(data, folder)
    predicted = predict_among_ranks(config, module, data, folder)
    write_context(data, module, predicted, folder / "context.parquet", asking_trees(config, data, folder, bank))
    if bank is not None:
        write_neighbours(data, module, bank, folder)
        predicted = replace(predicted, distance=distance_to_bank(config, bank, data.view(), same_cube=True))
    return Learned(data, predicted, towers.score())
