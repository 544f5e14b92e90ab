"""Tiny towers and a tiny simulation elsewhere, and whole trainings that go from one to the other."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from raciflux.config.schema import Config
from raciflux.config.trainings import reads_series
from raciflux.config.transfer import TransferConfig
from raciflux.datamodules import PAIRS
from raciflux.datamodules.roles import choose, scored_days
from raciflux.datamodules.towers import describe_towers
from raciflux.transfer import JointTraining
from raciflux.workflow.learn import Learned, learn
from raciflux.workflow.prepare import Prepared
from raciflux.workflow.progress import RunProgress
from raciflux.workflow.simulated_series import with_series
from raciflux.workflow.stages import quiet

from worlds import STAGE, TINY_RUN, clusters, tiny_cube, tiny_split

PAIR = "terrestrial_gpp"
CONFIG = replace(TINY_RUN, transfer=TransferConfig(name="finetune", pretrain=STAGE, finetune=STAGE))


def simulated_cube(at: xr.Dataset | None = None, sites: int = 14) -> xr.Dataset:
    """A simulation of GPP on every day; far from the towers, or at the places ``at`` of a cube."""
    cube = tiny_cube(sites, 400, seed=5)
    names = [f"cell{i}" for i in range(sites)]
    lat = cube["lat"] - 60 if at is None else at["lat"][:sites].to_numpy()
    lon = cube["lon"] if at is None else at["lon"][:sites].to_numpy()
    flux = np.nan_to_num(cube["GPP"].to_numpy(), nan=3.0) + 5.0
    cube = cube.drop_vars(["GPP_qc", "GPP_measured"]).assign(GPP=(("site", "time"), flux, cube["GPP"].attrs))
    return cube.assign_coords(
        site_id=("site", np.array(names)), lat=("site", np.asarray(lat)), lon=("site", np.asarray(lon))
    )


def prepared_of(towers: xr.Dataset, simulation: xr.Dataset) -> Prepared:
    roles = choose(PAIRS[PAIR].pair, [towers, simulation])
    measured, _ = scored_days(towers, roles.targets, "measured")
    described = describe_towers(towers, clusters(towers), measured.any(-1))
    return Prepared(towers, clusters(towers), simulation, roles, described, (0, 1, 2), ())


def transferred(
    folder: Path,
    towers: xr.Dataset | None = None,
    simulation: xr.Dataset | None = None,
    fold: int = 0,
    config: Config = CONFIG,
    said: list[str] | None = None,
    **transfer: Any,
) -> Learned:
    """Learn one fold; ``transfer`` are keys of the section, ``said`` takes the lines that a user would read."""
    quiet()
    towers = tiny_cube() if towers is None else towers
    simulation = simulated_cube() if simulation is None else simulation
    config = replace(config, output=str(folder.parent), transfer=replace(config.transfer, **transfer))
    prepared = prepared_of(towers, simulation)
    if reads_series(config):
        prepared = replace(prepared, towers=with_series(towers, simulation, PAIRS[PAIR].pair), simulation=None)
    progress = RunProgress(1, False, speaks=False)
    if said is not None:
        progress.say = said.append  # type: ignore[method-assign]
    folder.mkdir(exist_ok=True)
    return learn(config, prepared, tiny_split(towers, fold), folder, progress)


def broken_off(monkeypatch: pytest.MonkeyPatch, folder: Path, **of_training: Any) -> None:
    """Begin a training as `transferred` does; it is killed on both domains, after the checkpoint of step 2."""
    start = JointTraining.on_train_batch_start

    def killed(self, trainer, module, batch, batch_idx):
        if trainer.global_step == 3:
            raise RuntimeError("killed")
        start(self, trainer, module, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(JointTraining, "on_train_batch_start", killed)
        with pytest.raises(RuntimeError, match="killed"):
            transferred(folder, **of_training)
