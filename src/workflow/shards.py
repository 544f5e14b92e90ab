"""Prediction by several ranks: each predicts its share of the sites into a shard, and rank zero merges the shards.

A value is found by its key, site and time. The merge takes each key exactly once or nothing, and what it gives is
written whole, so that a run that is killed meanwhile predicts anew.
"""

import hashlib
import shutil
from collections import Counter
from copy import copy
from functools import partial
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from ..config.schema import Config
from ..datamodules.base import FluxDataModule
from ..datamodules.cube import DIMS
from ..errors import UserError
from ..modules.flux_module import FluxModule
from ..zarr_folder import with_text_as, write_folder
from .predictions import Predicted, predict_days, predict_sites, sites_asked
from .rank import Rank
from .ranks import beside_other_ranks
from .stages import accelerator

FOLDER = "predictions.shards"


def predict_among_ranks(config: Config, module: FluxModule, data: FluxDataModule, folder: Path) -> Predicted:
    """Predict every test day once, as `predict_days` does, shared among the ranks of the run.

    Parameters
    ----------
    folder : run folder of the fold; shards stand in it until they are merged.

    Raises
    ------
    UserError
        If another rank is gone, or the shards do not hold each key exactly once.
    """
    shards = folder / FOLDER
    shutil.rmtree(shards, ignore_errors=True)  # of a session that was killed; it may have had other weights
    with beside_other_ranks(partial(write_shard, config, *_bare(module, data), shards), config.trainer) as rank:
        if rank is None:
            return predict_days(config, module, data)
        write_shard(config, module, data, shards, rank)
    predicted = merged(shards, rank.world, data, weights_of(module))
    shutil.rmtree(shards)
    return predicted


def _bare(module: FluxModule, data: FluxDataModule) -> tuple[FluxModule, FluxDataModule]:
    """Return both without what a training left in them: its trainer, which stays where it is, and its penalties."""
    module, data = copy(module), copy(data)
    module.trainer, module.penalties, module.domains, data.trainer = None, {}, None, None
    vars(module).pop("forward", None)  # of the original, and put there by Lightning's DDP
    return module, data


def write_shard(config: Config, module: FluxModule, data: FluxDataModule, shards: Path, rank: Rank) -> None:
    """Predict a rank's share of the sites into its shard."""
    sites = np.array_split(sites_asked(data), rank.world)[rank.rank]
    device = torch.device("cuda", rank.local) if accelerator(config) == "cuda" else torch.device("cpu")
    said = predict_sites(module, data, sites, device)
    variables: dict[str, tuple[tuple[str, ...], NDArray[np.float32]]] = {"flux": ((*DIMS, "target"), said.flux[sites])}
    if said.quantiles is not None:
        variables["quantiles"] = ((*DIMS, "target", "level"), said.quantiles[sites])
    keys = {"site_id": ("site", data.cube["site_id"].to_numpy()[sites].astype(str)), "time": data.cube["time"]}
    identity = {"weights": weights_of(module)}
    write_folder(xr.Dataset(variables, keys, identity), shards / f"rank{rank.rank}.zarr")


def merged(shards: Path, world: int, data: FluxDataModule, weights: str) -> Predicted:
    """Lay the shards on the sites and days of the cube.

    Parameters
    ----------
    world : number of ranks. weights : identity of the weights that must have predicted.

    Raises
    ------
    UserError
        If a shard is missing, is of other weights or days, or a site is in none or in two.
    """
    asked, site_id = sites_asked(data), data.cube["site_id"].to_numpy().astype(str)
    parts = [_read(shards / f"rank{rank}.zarr", weights, data) for rank in range(world)]
    held = np.concatenate([part["site_id"].to_numpy() for part in parts])
    times = Counter(held.tolist())
    for site in {*times, *site_id[asked].tolist()}:
        expected = int(site in site_id[asked])
        if times[site] != expected:
            raise UserError(
                f"{shards}: site {site} is there {times[site]} times instead of {expected}; go on with resume=RUN"
            )
    row = {name: place for place, name in enumerate(site_id.tolist())}
    rows = [[row[name] for name in part["site_id"].to_numpy().tolist()] for part in parts]
    said = {}
    for name in parts[0].data_vars:
        values = np.full((len(site_id), *parts[0][name].shape[1:]), np.nan, np.float32)
        for part, of_part in zip(parts, rows, strict=True):
            if of_part:  # with more ranks than sites some say nothing
                values[of_part] = part[name]
        said[name] = values
    return Predicted(said["flux"], said.get("quantiles"))


def weights_of(module: FluxModule) -> str:
    """Hash the weights of a trained network."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _read(path: Path, weights: str, data: FluxDataModule) -> xr.Dataset:
    try:
        part = with_text_as(np.str_, xr.open_zarr(path).load())
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: no readable shard ({error}); go on with resume=RUN") from error
    if part.attrs.get("weights") != weights or not np.array_equal(part["time"], data.cube["time"]):
        raise UserError(f"{path}: was predicted by other weights or for other days; go on with resume=RUN")
    return part
