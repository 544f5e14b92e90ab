"""From a trained model to the dataset that everything evaluates: one value a test site and day, in units."""

import json

import lightning
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..config.schema import Config
from ..datamodules.base import FluxDataModule
from ..modules.flux_module import FluxModule
from ..variables import CLASSES, EXPECTED_SUFFIX, TARGETS
from .stages import accelerator


def predict_days(config: Config, module: FluxModule, data: FluxDataModule) -> NDArray[np.float32]:
    """Predict every day of the test sites once.

    Returns
    -------
    flux : (site, day) in units; NaN where nothing was asked or no driver is known.
    """
    trainer = lightning.Trainer(
        accelerator=accelerator(config),
        devices=1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    batches = trainer.predict(module, datamodule=data, return_predictions=True) or []
    days = len(data.cube["time"])
    flux = np.full((len(data.train_sites), days), np.nan, np.float32)
    for site, first, scored in batches:
        for i, start, values in zip(site.tolist(), first.tolist(), scored.float().cpu().numpy(), strict=True):
            low, high = max(start, 0), min(start + len(values), days)
            flux[i, low:high] = values[low - start : high - start]
    flux[~data.predictable] = np.nan
    return flux


def predictions(config: Config, data: FluxDataModule, flux: NDArray[np.float32]) -> xr.Dataset:
    """Lay the predictions of the test sites beside what was observed there.

    Parameters
    ----------
    flux : (site, day) in units, see ``predict_days``.
    """
    cube, target = data.cube, data.roles.target
    tested = np.flatnonzero(data.split.members("test", cube["site_id"].to_numpy()))
    dims = ("site", "time")
    observed = cube[target].transpose(*dims).to_numpy()
    variables = {
        "prediction": (dims, flux[tested]),
        "observed": (dims, observed[tested].astype(np.float32)),
        "measured": (dims, data.measured[tested]),
        "convention": (dims, data.convention[tested]),
        "cluster": ("site", data.cluster[tested]),
        "fold": ("site", np.full(len(tested), data.split.fold)),
    }
    if target + EXPECTED_SUFFIX in cube:
        expected = cube[target + EXPECTED_SUFFIX].transpose(*dims).to_numpy()
        variables["expected"] = (dims, expected[tested].astype(np.float32))
    for name in CLASSES:
        if name in cube:
            variables[name] = ("site", cube[name].to_numpy()[tested].astype(str))
    coordinates = {
        "site_id": ("site", cube["site_id"].to_numpy()[tested].astype(str)),
        "lat": ("site", cube["lat"].to_numpy()[tested].astype(np.float64)),
        "lon": ("site", cube["lon"].to_numpy()[tested].astype(np.float64)),
        "time": cube["time"].to_numpy(),
    }
    if config.data.quality == "published":
        del variables["convention"]
    attributes = {
        "target": target,
        "units": TARGETS[target].unit,
        "model": config.model.name,
        "experiment": config.experiment,
        "pair": config.data.pair,
        "quality": config.data.quality,
        "min_scored_days": config.data.split.min_scored_days,
        "odd_sites": json.dumps(list(config.data.odd_sites)),
        "split": config.data.split.kind,
        "source": str(cube.attrs.get("title", "")),
        "source_licence": str(cube.attrs.get("licence", "")),
    }
    return xr.Dataset(variables, coordinates, attributes)
