"""From a trained model to the datasets that everything evaluates: one value a test site and day, in units."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from ..config.schema import Config
from ..datamodules.base import FluxDataModule
from ..datamodules.cube import DIMS
from ..datamodules.windows import lay
from ..modules import TRAINABLE
from ..modules.flux_module import QUANTILES, FluxModule
from ..variables import CLASSES, EXPECTED_SUFFIX, TARGETS
from .own_answers import Beside, OwnAnswers
from .stages import accelerator


@dataclass(frozen=True)
class Predicted:
    """What a model says of every test day of a cube, in units; NaN where nothing was asked or no driver is known."""

    flux: NDArray[np.float32]  # (site, day, target)
    quantiles: NDArray[np.float32] | None  # (site, day, target, level) at ``QUANTILES``; None of point forecasts
    distance: xr.Dataset | None = None  # (site,) how far from the bank, see ``applicability``; None without a bank

    def where(self, asked: NDArray[np.bool_]) -> "Predicted":
        """Keep the days (site, day) that were asked about."""
        flux = np.where(asked[..., None], self.flux, np.nan)
        quantiles = None if self.quantiles is None else np.where(asked[..., None, None], self.quantiles, np.nan)
        return Predicted(flux, quantiles, self.distance)

    def of_target(self, place: int) -> xr.Dataset:
        """Return what is said of one target: ``prediction``, ``prediction_quantile`` of a distribution, distances."""
        said = xr.Dataset({"prediction": (DIMS, self.flux[..., place])})
        if self.distance is not None:
            said = said.assign(self.distance)
        if self.quantiles is None:
            return said
        levels = (("quantile", *DIMS), np.moveaxis(self.quantiles[..., place, :], -1, 0))
        return said.assign(prediction_quantile=levels).assign_coords(quantile=np.array(QUANTILES))


def scored_folders(folder: Path, targets: Sequence[str]) -> dict[str, Path]:
    """Say where the predictions of each target go: the run folder itself, or one folder a target if several."""
    return {target: folder if len(targets) == 1 else folder / "targets" / target for target in targets}


def predict_days(config: Config, module: FluxModule, data: FluxDataModule, beside: Sequence[Beside] = ()) -> Predicted:
    """Predict every test day once, by a trained network, in the light of the own days that the question shows.

    Where the simulated flux was taken off the observed one, it is put back. ``beside`` as ``OwnAnswers`` takes it.
    """
    return predict_sites(module, data, sites_asked(data), torch.device(accelerator(config)), beside)


def sites_asked(data: FluxDataModule) -> NDArray[np.int64]:
    """Return the places in the cube of those sites of which a day is predicted."""
    return np.flatnonzero((data.predictable & data.test_days).any(-1))


def predict_sites(
    module: FluxModule,
    data: FluxDataModule,
    sites: NDArray[np.int64],
    device: torch.device,
    beside: Sequence[Beside] = (),
) -> Predicted:
    """Predict the test days of some sites of the cube; what is said of them does not depend on which others are."""
    if data.shown.any() and getattr(module.network, "own_days", None) is not None:
        predicted = _with_own_days(OwnAnswers(module, data, device, beside), data, sites)
    else:
        predicted = _alone(module.to(device).eval(), data, sites)
    return predicted.where(data.predictable & data.test_days)


def _with_own_days(answers: OwnAnswers, data: FluxDataModule, sites: NDArray[np.int64]) -> Predicted:
    """Predict site by site: what a site shows anywhere in its record counts for all of its days."""
    shape = (len(data.train_sites), len(data.cube["time"]), len(data.roles.targets))
    flux, quantiles = np.full(shape, np.nan, np.float32), None
    for site in sites.tolist():
        flux[site], spread = answers(site, data.shown[site])
        if spread is not None:
            quantiles = _unknown_quantiles(flux) if quantiles is None else quantiles
            quantiles[site] = spread
    return Predicted(flux, quantiles)


@torch.inference_mode()
def _alone(module: FluxModule, data: FluxDataModule, sites: NDArray[np.int64]) -> Predicted:
    """Predict window by window, in the batches of all sites: batches of other sizes would round otherwise."""
    data.arrays = data.arrays.to(module.device)
    shape = (len(data.train_sites), len(data.cube["time"]), len(data.roles.targets))
    flux, quantiles = np.full(shape, np.nan, np.float32), None
    for index in data.predict_dataloader():
        asked = torch.isin(index[:, 0], torch.from_numpy(sites))
        if not asked.any():
            continue
        said = module.predict_step(data.arrays.gather(index.to(module.device), "test"), 0)
        site, first, scored, spread = (None if values is None else values.cpu()[asked] for values in said)
        assert site is not None and first is not None and scored is not None
        _place(flux, site.tolist(), first.tolist(), scored.float().numpy())
        if spread is not None:
            quantiles = _unknown_quantiles(flux) if quantiles is None else quantiles
            _place(quantiles, site.tolist(), first.tolist(), spread.float().numpy())
    return Predicted(flux + data.base, None if quantiles is None else quantiles + data.base[..., None])


def _unknown_quantiles(flux: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.full((*flux.shape, len(QUANTILES)), np.nan, np.float32)


def _place(days: NDArray[np.float32], sites: list[int], first: list[int], scored: NDArray[np.float32]) -> None:
    """Lay windows (window, scored, ...) where they belong in (site, day, ...)."""
    for site, start, values in zip(sites, first, scored, strict=True):
        lay(values[None], [start], days[site])


def predictions(config: Config, data: FluxDataModule, predicted: Predicted, target: str) -> xr.Dataset:
    """Lay the predictions of one target at the test sites beside what was observed there."""
    cube, place = data.cube, data.roles.targets.index(target)
    tested = np.flatnonzero(data.split.members("test", cube["site_id"].to_numpy()))
    test_days = data.test_days[tested]
    variables: dict[str, Any] = {
        "observed": (DIMS, cube[target].transpose(*DIMS).to_numpy()[tested].astype(np.float32)),
        "measured": (DIMS, data.measured[tested, :, place] & test_days),
        "convention": (DIMS, data.convention[tested, :, place] & test_days),
        "cluster": ("site", data.cluster[tested]),
        "fold": ("site", np.full(len(tested), data.split.fold)),
    }
    if target + EXPECTED_SUFFIX in cube:
        expected = cube[target + EXPECTED_SUFFIX].transpose(*DIMS).to_numpy()
        variables["expected"] = (DIMS, expected[tested].astype(np.float32))
    for name in CLASSES:
        if name in cube:
            variables[name] = ("site", cube[name].to_numpy()[tested].astype(str))
    coordinates: dict[str, Any] = {
        "site_id": ("site", cube["site_id"].to_numpy()[tested].astype(str)),
        "lat": ("site", cube["lat"].to_numpy()[tested].astype(np.float64)),
        "lon": ("site", cube["lon"].to_numpy()[tested].astype(np.float64)),
        "time": cube["time"].to_numpy(),
    }
    if config.data.quality != "measured":
        del variables["convention"]
    said = predicted.of_target(place).isel(site=tested)
    return said.assign(variables).assign_coords(coordinates).assign_attrs(_attributes(config, data, target))


def _attributes(config: Config, data: FluxDataModule, target: str) -> dict[str, Any]:
    return {
        "target": target,
        "units": TARGETS[target].unit,
        "model": config.label or config.model.name,
        "causal": int(getattr(TRAINABLE.get(config.model.name), "causal", True)),
        "seed": config.seed,
        "experiment": config.experiment,
        "pair": config.data.pair,
        "quality": config.data.quality,
        "min_scored_days": config.data.split.min_scored_days,
        "odd_sites": json.dumps(list(config.data.odd_sites)),
        "split": config.data.split.file or config.data.split.kind,
        "question": data.split.question,
        "source": str(data.cube.attrs.get("title", "")),
        "source_licence": str(data.cube.attrs.get("licence", "")),
    }
