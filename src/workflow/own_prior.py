"""How far a site may differ from what training taught: the prior of own days, widened as validation sites ask for.

A network errs less at the sites that it was trained on than at others, so the variances that training finds for a
site's own coefficients are too small, and shown days would be trusted too little. One factor is chosen for all of
them, by how well the other days of validation sites are predicted once some of theirs are shown.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..atomic import write_text
from ..config.schema import Config
from ..datamodules.base import FluxDataModule
from ..evaluation.metrics import Sums, rmse
from ..modules.flux_module import FluxModule
from ..modules.own_days import OwnDays
from .evenly import evenly
from .own_answers import OwnAnswers
from .stages import accelerator

FACTORS = (1.0, 3.0, 10.0, 30.0)  # of the variances
SHOWN = (30, 365)  # days from a validation site's first
STORED = "own_prior.json"

Days = NDArray[np.bool_]


def widen_prior(config: Config, module: FluxModule, data: FluxDataModule, fold: Path) -> None:
    """Choose the factor, hold it in the module, and keep it in the run folder; without a validation question, 1.

    Of many validation sites some are asked, evenly taken.
    """
    layer = _layer(module)
    answers = OwnAnswers(module, data, torch.device(accelerator(config)))
    scores = dict.fromkeys(FACTORS, 0.0)
    for site in evenly(np.flatnonzero(data.stopping.any((1, 2)))):
        for shown, asked in _questions(data, int(site)):
            for factor in FACTORS:
                layer.widened = factor
                flux, _ = answers(int(site), shown)
                scores[factor] += _error(data, int(site), flux, asked)
    layer.widened = min(scores, key=lambda factor: (scores[factor], factor))
    write_text(json.dumps({"factor": layer.widened, "scores": scores}, indent=1) + "\n", fold / STORED)


def hold_prior(module: FluxModule, fold: Path) -> None:
    """Take the factor that a finished fold chose."""
    if isinstance(getattr(module.network, "own_days", None), OwnDays) and (fold / STORED).exists():
        _layer(module).widened = float(json.loads((fold / STORED).read_text())["factor"])


def _layer(module: FluxModule) -> OwnDays:
    layer = module.network.own_days
    assert isinstance(layer, OwnDays)
    return layer


def _questions(data: FluxDataModule, site: int) -> Iterator[tuple[Days, Days]]:
    """Yield shown and asked days (day, target) of a validation site: a few days, or in a split in time its past."""
    stopping, past = data.stopping[site], data.shown[site]
    if past.any():
        yield past, stopping
        return
    days = np.flatnonzero(stopping.any(-1))
    for count in SHOWN:
        day = np.arange(len(stopping))[:, None]
        asked = stopping & (day >= days[0] + max(SHOWN))  # the same days, whatever is shown
        if asked.any():
            yield stopping & (day < days[0] + count), asked


def _error(data: FluxDataModule, site: int, flux: NDArray[np.float32], asked: Days) -> float:
    """Return the RMSE of the asked days over the spread of the flux, averaged over targets."""
    observed = np.stack([data.cube[name].transpose("site", "time").to_numpy()[site] for name in data.roles.targets])
    counted = asked.T & np.isfinite(flux.T)
    scaled = rmse(Sums.of(observed, flux.T, counted)) / np.array([scale.spread for scale in data.scaler.targets])
    return float(np.nanmean(scaled)) if counted.any() else 0.0
