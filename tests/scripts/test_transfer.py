"""Every technique of transfer as a user types it: scores at the end, and places predicted as in the run."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from raciflux.config.sources import EmbeddedSource
from raciflux.datamodules.sources import read
from raciflux.workflow.apply import finished_run, predict_cube

from .conftest import TINY, load_script

OWN = {
    "lstm": ["model.hidden=8"],
    "raci": ["model.hidden=8", "model.first_guess.trees.rounds=5"],
    "lightgbm": ["model.rounds=5", "transfer.emulator=lstm"],
}
TECHNIQUES = [("stacking", "raci"), ("residual", "lightgbm"), ("mixed", "raci"), ("adversarial", "lstm")]


@pytest.mark.parametrize(("technique", "model"), TECHNIQUES)
def test_places_are_predicted_as_in_the_run(tmp_path: Path, technique: str, model: str) -> None:
    kept = [text for text in TINY if not text.startswith("model.")]
    beside = ["compare=[site_mean]", "logger.wandb=disabled", f"output={tmp_path}"]
    load_script("train").main([*kept, f"transfer={technique}", f"model={model}", *OWN[model], *beside])
    (run,) = (tmp_path / "embedded_wetland_ch4").iterdir()
    assert (run / "metrics.json").is_file()
    told = (run / "baselines" / "site_mean" / "emulator").exists()
    assert told == (model == "lightgbm")  # it cannot learn a simulation, and needs a network that does
    stored = xr.open_zarr(run / "predictions.zarr").load()
    towers = read("wetland_ch4", EmbeddedSource(places=16, years=3), Path())
    drivers = towers.drop_vars([name for name in towers.data_vars if str(name).startswith("FCH4")])
    said = predict_cube(finished_run(run), drivers)
    said = said.isel(site=[towers["site_id"].to_numpy().tolist().index(name) for name in stored["site_id"].to_numpy()])
    np.testing.assert_allclose(said["prediction"], stored["prediction"], rtol=1e-4, atol=1e-3)
