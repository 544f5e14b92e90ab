"""The ceiling as a run: what the truth says of unseen towers, given the hidden properties of the training towers.

It is no model and no entry of any table of models: it reads what the embedded world hides. Its folder holds
predictions like any run's, so that evaluation and comparison read it.
"""

from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from omegaconf import OmegaConf
from raciflux.atomic import write_text
from raciflux.config.schema import Config
from raciflux.config.sources import EmbeddedSource
from raciflux.datamodules.splits import Split
from raciflux.errors import UserError
from raciflux.evaluation.run_folder import write_predictions
from raciflux.simulation.ceiling import DRAWS, kriged_truth
from raciflux.workflow.folder import write_identity
from raciflux.workflow.predictions import Predicted, predictions
from raciflux.workflow.prepare import Prepared, fold_split, tower_data

from .cells import Run
from .grid import CEILING


def write_ceiling(run: Run, prepared: Prepared, fold: int, folder: Path, draws: int = DRAWS) -> None:
    """Write the ceiling of one fold into ``folder``: identity, split, predictions.

    Raises
    ------
    UserError
        If the data are not the towers of an embedded world.
    """
    config = run.config()
    split = fold_split(config, prepared, fold)
    data = tower_data(config, prepared, split, None)
    flux = np.full((*data.test_days.shape, 1), np.nan, np.float32)
    tested = split.members("test", prepared.towers["site_id"].to_numpy())
    flux[tested, :, 0] = _of_tested(config, prepared.towers, split, draws)
    said = predictions(config, data, Predicted(flux, None).where(data.predictable & data.test_days), _target(prepared))
    split.save(folder / "splits.json")
    write_predictions(said, folder / "predictions.zarr")


def write_ceiling_identity(run: Run, folder: Path) -> None:
    """Write what a run folder says of itself: the data's configuration, and in the model's place what this is."""
    config = run.config()
    write_identity(config, folder, run.arguments)
    described = OmegaConf.to_container(OmegaConf.structured(config))
    assert isinstance(described, dict)
    described["model"] = {"name": CEILING, "draws": DRAWS}
    write_text(OmegaConf.to_yaml(OmegaConf.create(described)), folder / "config.yaml")
    command = f"python scripts/benchmark.py accuracy={run.grid} models=[{CEILING}] splits=[{run.split}]"
    write_text(command + "\n", folder / "command.txt")


def _target(prepared: Prepared) -> str:
    if len(prepared.roles.targets) > 1:
        raise UserError(f"{CEILING} is of one flux, not of {', '.join(prepared.roles.targets)}; leave it out")
    return prepared.roles.targets[0]


def embedded_towers(config: Config) -> EmbeddedSource:
    """Return the source of the towers of an embedded world.

    Raises
    ------
    UserError
        If the data are any others: what is hidden in them is not known.
    """
    source = config.data.source
    if not isinstance(source, EmbeddedSource) or source.face != "towers":
        raise UserError(f"{CEILING} is known of the towers of an embedded world alone; leave it out of this benchmark")
    return source


def _of_tested(config: Config, towers: xr.Dataset, split: Split, draws: int) -> NDArray[np.float64]:
    """Flux (tested, day) given the training towers of a fold."""
    source = embedded_towers(config)
    site_id = towers["site_id"].to_numpy()
    lat, lon = (towers[name].to_numpy().astype(np.float64) for name in ("lat", "lon"))
    tested, bank = split.members("test", site_id), split.members("train", site_id)
    return kriged_truth(config.data.pair, source, lat[tested], lon[tested], lat[bank], lon[bank], draws)
