"""Predicting with a finished run: any cube that has its drivers, targets not needed."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from ..modules import TRAINABLE
from ..modules.baselines import ESTIMATORS
from ..modules.checkpoints import load_into
from ..retrieval.bank import Bank
from ..variables import TARGETS
from .learn import in_units
from .predictions import Predicted, predict_days, scored_folders
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
    ``prediction_spread``; of several targets, each as ``prediction_<target>``.

    Raises
    ------
    UserError
        If the run is not finished, or the cube lacks an input of the run.
    """
    config = from_yaml(run / "config.yaml")
    finished = scored_folders(run, PAIRS[config.data.pair].pair.targets).values()
    if not all((folder / "predictions.zarr").exists() for folder in finished):
        raise UserError(f"{run}: this run is not finished; go on with python scripts/train.py resume={run}")
    folds = sorted(run.glob("fold*")) or [run]
    members = np.stack([_predict_one(config, fold, cube).flux for fold in folds])
    targets = PAIRS[config.data.pair].pair.targets
    variables: dict[str, Any] = {}
    for i, target in enumerate(targets):
        variables |= _described(members[..., i], target, "" if len(targets) == 1 else f"_{target}")
    coordinates = {name: cube[name].assign_attrs(COORDINATE_ATTRS[name]) for name in COORDINATE_ATTRS}
    described = {
        "Conventions": "CF-1.11",
        "featureType": "timeSeries",
        "target": ", ".join(targets),
        "units": ", ".join(TARGETS[target].unit for target in targets),
        "model": config.model.name,
        "experiment": config.experiment,
        "pair": config.data.pair,
        "title": f"{', '.join(TARGETS[target].long_name for target in targets)} by {config.model.name}, run {run.name}",
        "source": str(cube.attrs.get("title", "")),
    }
    return xr.Dataset(variables, coordinates, described)


def _described(members: NDArray[np.float32], target: str, suffix: str) -> dict[str, Any]:
    """Mean of the members (member, site, day), and their spread where there are several, as CF variables."""
    dims, variable = ("site", "time"), TARGETS[target]
    named = {"units": variable.unit, "long_name": variable.long_name}
    described: dict[str, Any] = {f"prediction{suffix}": (dims, members.mean(0), named)}
    if len(members) > 1:
        spread = named | {"long_name": f"standard deviation over {len(members)} models of {variable.long_name}"}
        described[f"prediction_spread{suffix}"] = (dims, members.std(0), spread)
    return described


def _predict_one(config: Config, folder: Path, cube: xr.Dataset) -> Predicted:
    scaler = Scaler.load(folder / "scaler.yaml")
    data = _unseen(config, scaler, cube)
    if config.model.name not in TRAINABLE:
        model = ESTIMATORS[config.model.name].load(folder / "estimator")
        flux = in_units(model.predict(data.view(), same_cube=False, wanted=data.predictable), data)
        return Predicted(flux, None).where(data.predictable)
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
    unknown = (("site", "time"), np.full((sites, days), np.nan, np.float32))
    no_flux = cube.assign(dict.fromkeys(roles.targets, unknown))
    split = Split(0, (), (), tuple(str(name) for name in cube["site_id"].to_numpy()))
    cluster = tower_clusters(cube["lat"].to_numpy(), cube["lon"].to_numpy(), config.data.split.cluster_km)
    data = replace(config.data, quality="published")
    stage = config.transfer.finetune
    return PAIRS[config.data.pair](no_flux, cluster, roles, split, data, stage.batch_size, config.seed, scaler)
