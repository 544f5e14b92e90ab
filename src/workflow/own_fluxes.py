"""Own fluxes that a prediction may show: those measured where it asks, or the past that a run split in time knew."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..config.schema import Config
from ..datamodules.base import FluxDataModule
from ..datamodules.cube import DIMS
from ..datamodules.roles import scored_days
from ..errors import UserError
from ..zarr_folder import write_folder
from .known_places import known_sites

STORED = "own_days.zarr"


def keep_own_past(data: FluxDataModule, fold: Path) -> None:
    """Store the own fluxes that the test of a fold was shown, in units; nothing where none were."""
    if not data.shown.any():
        return
    variables = {
        name: (DIMS, np.where(data.shown[..., place], data.cube[name].transpose(*DIMS).to_numpy(), np.nan))
        for place, name in enumerate(data.roles.targets)
    }
    coordinates = {
        "site_id": ("site", data.cube["site_id"].to_numpy().astype(str)),
        "time": data.cube["time"].to_numpy(),
    }
    write_folder(xr.Dataset(variables, coordinates), fold / STORED)


def measured_here(config: Config, cube: xr.Dataset, targets: Sequence[str]) -> NDArray[np.float32]:
    """Return the measured fluxes (site, day, target) of a cube, by the run's own rule of what counts as measured.

    Raises
    ------
    UserError
        If there is none.
    """
    declared = [name for name in targets if name in cube]
    shown = np.full((cube.sizes["site"], cube.sizes["time"], len(targets)), np.nan, np.float32)
    for name in declared:
        measured, _ = scored_days(cube, [name], config.data.quality)
        shown[..., targets.index(name)] = np.where(measured[..., 0], cube[name].transpose(*DIMS).to_numpy(), np.nan)
    if not np.isfinite(shown).any():
        raise UserError(f"own_days=true: no measured day of {' or '.join(targets)} in these data; leave own_days out")
    return shown


def own_past(fold: Path, cube: xr.Dataset, targets: Sequence[str]) -> NDArray[np.float32]:
    """Return what the test of a fold was shown of the sites of a cube (site, day, target), NaN elsewhere.

    Sites are the run's own by name and place (``known_sites``); of others nothing is known.
    """
    shown = np.full((cube.sizes["site"], cube.sizes["time"], len(targets)), np.nan, np.float32)
    if not (fold / STORED).exists():
        return shown
    known = known_sites(fold, targets, (cube["site_id"].to_numpy(), cube["lat"].to_numpy(), cube["lon"].to_numpy()))
    if not known.any():
        return shown
    with xr.open_zarr(fold / STORED) as opened:
        stored = opened.load().set_index(site="site_id").reindex(time=cube["time"].to_numpy())
    for row in np.flatnonzero(known):
        name = str(cube["site_id"].to_numpy()[row])
        if name in stored.indexes["site"]:
            of_site = stored.sel(site=name)
            shown[row] = np.stack([of_site[target].to_numpy() for target in targets], axis=-1)
    return shown


def past_left_out(fold: Path, cube: xr.Dataset, targets: Sequence[str]) -> str:
    """Say of how many known sites a cube lacks days of the past that the test was shown; empty where it lacks none.

    A shown flux tells what the model gets wrong only where the drivers of that day are there as well.
    """
    if not (fold / STORED).exists():
        return ""
    known = known_sites(fold, targets, (cube["site_id"].to_numpy(), cube["lat"].to_numpy(), cube["lon"].to_numpy()))
    with xr.open_zarr(fold / STORED) as opened:
        stored = opened.load()
    shown = np.logical_or.reduce([np.isfinite(stored[name].transpose(*DIMS).to_numpy()) for name in targets])
    names = set(map(str, cube["site_id"].to_numpy()[known]))
    asked = np.array([str(name) in names for name in stored["site_id"].to_numpy()])
    lacking = shown & asked[:, None] & ~np.isin(stored["time"].to_numpy(), cube["time"].to_numpy())
    if not lacking.any():
        return ""
    first = str(stored["time"].to_numpy()[lacking.any(0)][0])[:10]
    return (
        f"; WITHOUT own past of {lacking.any(1).sum()} sites, or part of it: these data lack days of it; give the "
        f"drivers from {first} on, and it counts as in the run"
    )
