"""Every model of the house learns, is scored and beside the others in one command; estimators as the main model too."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from raciflux.config.models import ESTIMATORS, MODELS
from raciflux.evaluation.run_folder import RunFolder

from .conftest import TINY, load_script

OTHERS = ("model.", "data.source.", "data.simulation.", "transfer.pretrain.", "transfer.finetune.batch_size")
WORLD = [
    *(text for text in TINY if not text.startswith(OTHERS)),
    "transfer=scratch",
    "transfer.finetune.batch_size=4",
    "data.window.warmup_days=30",
    "data.window.scored_days=60",
    "logger.wandb=disabled",
]


PLACES = ["data.source.places=12", "data.source.years=2"]


def trained(output: Path, arguments: list[str], places: list[str] = PLACES) -> Path:
    load_script("train").main([*WORLD, *places, *arguments, f"output={output}"])
    (folder,) = output.glob("*/*-s[0-9]*")
    return folder


@pytest.fixture(scope="module")
def everyone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One command that trains every model, RACI first."""
    beside = ",".join(name for name in MODELS if name != "raci")
    return trained(tmp_path_factory.mktemp("everyone"), ["model=raci", f"compare=[{beside}]"])


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_trained_and_scored_on_the_same_days(everyone: Path, name: str) -> None:
    folder = everyone if name == "raci" else everyone / "baselines" / name
    own, main = (xr.open_zarr(run / "predictions.zarr").load() for run in (folder, everyone))
    asked, expected = np.isfinite(own["prediction"]), np.isfinite(main["prediction"])
    np.testing.assert_array_equal(asked, expected)
    assert asked.any("time").all()
    assert own["prediction"].where(asked).std() > 0
    xr.testing.assert_identical(own["measured"], main["measured"])
    assert own.attrs["model"] == name and own.attrs["question"] == "unseen"
    assert own.attrs["causal"] == int(name not in ("itransformer", "pyraformer"))
    score = json.loads((folder / "validation.json").read_text())["score"]
    assert 0 < score < 100
    assert json.loads((folder / "metrics.json").read_text())
    if name in ESTIMATORS:
        assert (folder / "estimator").is_dir() and not (folder / "checkpoints").exists()
    else:
        assert (folder / "checkpoints" / "towers" / "best.ckpt").is_file()


PAIRS = [
    ("wetland_ch4", ["model=random_forest", "model.trees=5", "compare=[nearest_climatology]"]),
    ("cropland_gpp", ["model=lightgbm", "model.rounds=20", "compare=[tcn]"]),
    ("cropland_co2", ["model=climatology", "compare=[moment_lstm]"]),
]


@pytest.mark.parametrize(("pair", "arguments"), PAIRS, ids=[pair for pair, _ in PAIRS])
def test_an_estimator_is_a_main_model_on_every_embedded_pair(
    tmp_path: Path, pair: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = trained(tmp_path / "runs", [f"experiment=embedded_{pair}", *arguments])
    printed = capsys.readouterr().out
    names = [folder, *(folder / "baselines").iterdir()]
    assert len(names) == 2
    for run in names:
        stored = RunFolder(run).predictions()
        assert np.isfinite(stored["prediction"]).any()
        assert stored.attrs["model"] in printed
    place = tmp_path / "predicted.zarr"
    load_script("predict").main([str(folder), f"data={pair}", *PLACES, f"output={place}"])
    tested = xr.open_zarr(folder / "predictions.zarr").load()
    again = xr.open_zarr(place).load()
    here = [again["site_id"].to_numpy().tolist().index(name) for name in tested["site_id"].to_numpy()]
    mine = again["prediction"].to_numpy()[here]
    asked = np.isfinite(tested["prediction"].to_numpy())
    np.testing.assert_allclose(mine[asked], tested["prediction"].to_numpy()[asked], rtol=1e-4, atol=1e-4)


def test_intervals_come_from_models_that_did_not_see_the_clusters_they_are_calibrated_on(tmp_path: Path) -> None:
    calibrated = ["calibration.kind=cross_conformal", "calibration.parts=2", "calibration.level=0.5"]
    folder = trained(tmp_path, ["experiment=embedded_cropland_gpp", "model=climatology", "compare=[]", *calibrated])
    stored = RunFolder(folder).predictions()
    assert stored.attrs["interval_level"] == 0.5
    said = np.isfinite(stored["prediction"].to_numpy())
    lower, upper = stored["lower"].to_numpy(), stored["upper"].to_numpy()
    assert (lower[said] < stored["prediction"].to_numpy()[said]).all() and (upper[said] > lower[said]).all()
    assert not np.isfinite(lower[~said]).any()
    split = json.loads((folder / "splits.json").read_text())
    dealt = []
    for part in ("part0", "part1"):
        inner = xr.open_zarr(folder / "calibration" / part / "predictions.zarr")["site_id"].to_numpy().tolist()
        dealt += inner
        assert set(inner) < set(split["train"])
    assert sorted(dealt) == sorted(split["train"])
    assert (folder / "calibration" / "GPP.json").is_file()


def test_new_years_are_predicted_for_every_site_on_its_test_days_alone(tmp_path: Path) -> None:
    folder = trained(
        tmp_path,
        [
            "experiment=embedded_cropland_gpp",
            "model=nearest_climatology",
            "compare=[lstm]",
            "data.split.kind=temporal",
        ],
        ["data.source.places=8", "data.source.years=5"],
    )
    split = json.loads((folder / "splits.json").read_text())
    for run in (folder, folder / "baselines" / "lstm"):
        stored = xr.open_zarr(run / "predictions.zarr").load()
        assert stored.attrs["question"] == "new_years"
        assert set(stored["site_id"].to_numpy().tolist()) == set(split["periods"]) and stored.sizes["site"] > 4
        for site, name in enumerate(stored["site_id"].to_numpy().tolist()):
            tested = stored["time"].to_numpy() >= np.datetime64(split["periods"][name][1])
            row = stored.isel(site=site)
            assert np.isfinite(row["prediction"].to_numpy()[tested]).any()
            assert not np.isfinite(row["prediction"].to_numpy()[~tested]).any()
            for flag in ("measured", "convention"):
                assert not row[flag].to_numpy()[~tested].any()
            assert np.isfinite(row["observed"].to_numpy()[~tested]).any(), "the past stays, to be drawn"
