"""Predicting with a finished run: any cube that has its drivers, targets not needed."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..config.compose import compose, from_yaml
from ..config.schema import Config
from ..datamodules import PAIRS
from ..datamodules.base import FluxDataModule
from ..datamodules.gaps import refuse_sites_without
from ..datamodules.scaling import Scaler
from ..datamodules.sources import read
from ..datamodules.splits import Split
from ..errors import UserError
from ..evaluation.run_folder import COORDINATE_ATTRS
from ..geography import tower_clusters
from ..modules import NETWORKS
from ..modules.baselines.site_mean import SiteMean
from ..modules.checkpoints import load_into
from ..retrieval.bank import Bank
from ..variables import TARGETS
from .predictions import predict_days
from .stages import StageFolder, build_module, looks_up


def read_places(run: Path, overrides: Sequence[str]) -> xr.Dataset:
    """Read the cube that ``data=OPTION``, ``data=FILE.yaml`` or ``data=CUBE.zarr`` and ``data.key=value`` name.

    Raises
    ------
    UserError
        If no data are named, or they cannot be read.
    """
    pair = from_yaml(run / "config.yaml").data.pair
    for text in overrides:
        if not text.startswith(("data=", "data.")):
            raise UserError(f"{text!r}: only data=... and data.key=value can be said here; the rest is the run's own")
    chosen = [text.removeprefix("data=") for text in overrides if text.startswith("data=")]
    if len(chosen) != 1:
        raise UserError("say which places to predict: data=OPTION, data=FILE.yaml or data=CUBE.zarr")
    named = list(overrides)
    if chosen[0].endswith(".zarr"):
        cube = Path(chosen[0]).absolute()
        named = [text for text in overrides if not text.startswith("data=")]
        named += [f"data.pair={pair}", "data.simulation=null", f"data.root={cube.parent}"]
        named.append(f"data.source={{kind: cube, path: {json.dumps(cube.name)}}}")
    data = compose([*named, "transfer=scratch"]).data
    return read(pair, data.source, Path(data.root), data.sites)


def predict_cube(run: Path, cube: xr.Dataset) -> xr.Dataset:
    """Predict every site and day of a cube as an unseen site.

    A cross-validated run predicts with the mean of its folds' models and says their spread.

    Parameters
    ----------
    run : a finished run folder.
    cube : drivers, statics and classes of any places.

    Returns
    -------
    Dataset (site, time) with ``prediction`` in the target's canonical unit and, for several folds,
    ``prediction_spread``.

    Raises
    ------
    UserError
        If the run is not finished, or the cube lacks an input of the run.
    """
    config = from_yaml(run / "config.yaml")
    if not (run / "predictions.zarr").exists():
        raise UserError(f"{run}: this run is not finished; go on with python scripts/train.py resume={run}")
    folds = sorted(run.glob("fold*")) or [run]
    members = np.stack([_predict_one(config, fold, cube) for fold in folds])
    target = TARGETS[PAIRS[config.data.pair].pair.target]
    dims = ("site", "time")
    attributes = {"units": target.unit, "long_name": target.long_name}
    variables = {"prediction": (dims, members.mean(0), attributes)}
    if len(folds) > 1:
        spread = {
            "units": target.unit,
            "long_name": f"standard deviation over {len(folds)} models of {target.long_name}",
        }
        variables["prediction_spread"] = (dims, members.std(0), spread)
    coordinates = {name: cube[name].assign_attrs(COORDINATE_ATTRS[name]) for name in COORDINATE_ATTRS}
    described = {
        "Conventions": "CF-1.11",
        "featureType": "timeSeries",
        "target": PAIRS[config.data.pair].pair.target,
        "units": target.unit,
        "model": config.model.name,
        "experiment": config.experiment,
        "pair": config.data.pair,
        "title": f"{target.long_name} by {config.model.name}, run {run.name}",
        "source": str(cube.attrs.get("title", "")),
    }
    return xr.Dataset(variables, coordinates, described)


def _predict_one(config: Config, folder: Path, cube: xr.Dataset) -> NDArray[np.float32]:
    scaler = Scaler.load(folder / "scaler.yaml")
    data = _unseen(config, scaler, cube)
    if config.model.name not in NETWORKS:
        view = data.view()
        flux = SiteMean.load(folder / "site_mean.npz").predict(view, same_cube=False) * view.scale.std + view.scale.mean
        return np.where(data.predictable, flux, np.nan).astype(np.float32)
    bank = Bank.load(folder / "bank.npz") if looks_up(config) else None
    module = build_module(config, config.transfer.finetune, data, bank, same_cube=False)
    load_into(module, StageFolder(folder, "towers").checkpoints / "best.ckpt")
    return predict_days(config, module, data)


def _unseen(config: Config, scaler: Scaler, cube: xr.Dataset) -> FluxDataModule:
    """Put a cube behind the run's roles and scales, with every site to be predicted and no flux known."""
    roles = scaler.roles
    missing = [name for name in roles.fast + roles.static + roles.classes if name != "SW_POT" and name not in cube]
    if missing:
        raise UserError(
            f"the run was trained with {', '.join(missing)}, which this source does not declare; map columns to them"
        )
    refuse_sites_without(cube, PAIRS[config.data.pair].pair)
    sites, days = cube.sizes["site"], cube.sizes["time"]
    no_flux = cube.assign({roles.target: (("site", "time"), np.full((sites, days), np.nan, np.float32))})
    split = Split(0, (), (), tuple(str(name) for name in cube["site_id"].to_numpy()))
    cluster = tower_clusters(cube["lat"].to_numpy(), cube["lon"].to_numpy(), config.data.split.cluster_km)
    data = replace(config.data, quality="published")
    stage = config.transfer.finetune
    return PAIRS[config.data.pair](no_flux, cluster, roles, split, data, stage.batch_size, config.seed, scaler)
