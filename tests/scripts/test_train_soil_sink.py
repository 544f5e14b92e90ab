"""Methane uptake by soils, learned from real chambers."""

import json

import pytest
import xarray as xr

from .conftest import load_script


@pytest.mark.data
def test_uptake_by_soils_can_be_learned(data_root, tmp_path):
    load_script("train").main(
        [
            "experiment=soil_sink_ch4", "model=lightgbm", "model.rounds=20", "compare=[site_mean]", "data.split.fold=0",
            f"data.root={data_root}", f"output={tmp_path}", "trainer.progress=false", "logger.wandb=disabled",
        ]
    )  # fmt: skip
    (run,) = tmp_path.glob("*/*-s[0-9]*")
    predicted = xr.open_zarr(run / "predictions.zarr")["prediction"]
    assert predicted.notnull().sum() > 300
    assert json.loads((run / "metrics.json").read_text())["scores"]["measured"]["sites"] > 0
