"""A run of two fluxes by one model: a scored folder for each, one validation score, and predictions of both."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import xarray as xr
from raciflux.datamodules.cube import write_zarr
from raciflux.errors import UserError
from raciflux.evaluation.run_folder import RunFolder

from worlds import CLUSTER_KM, carbon_cube, clusters

from .conftest import load_script

TARGETS = ("GPP", "NEE")
SMALL = [
    "model=raci",
    "model.hidden=8",
    "model.first_guess.trees.rounds=20",
    "model.retrieval.neighbours=2",
    "compare=[climatology]",
    "transfer=scratch",
    "transfer.finetune.steps=3",
    "transfer.finetune.check_every=2",
    "transfer.finetune.batch_size=8",
    "data.window.warmup_days=30",
    "data.window.scored_days=60",
    "data.split.min_scored_days=30",
    "trainer.progress=false",
    "trainer.threads=1",
    "logger.wandb=disabled",
]


def own_data(folder: Path) -> Path:
    """Write the tiny towers of two fluxes, and the recipe that names them."""
    write_zarr(carbon_cube(), folder / "towers.zarr")
    recipe = folder / "two_fluxes.yaml"
    recipe.write_text(
        f"pair: terrestrial_carbon\nroot: {folder}\nsource: {{kind: cube, path: towers.zarr}}\n"
        f"split: {{folds: 2, cluster_km: {CLUSTER_KM}}}\n"
    )
    return recipe


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network, its folds pooled, with an estimator beside it."""
    folder = tmp_path_factory.mktemp("two")
    load_script("train").main([f"data={own_data(folder)}", *SMALL, "data.split.fold=null", f"output={folder}/runs"])
    (made,) = folder.glob("runs/*/*")
    return made


MODELS = {"raci": "", "climatology": "baselines/climatology"}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("model", "place"), MODELS.items(), ids=MODELS)
def test_each_target_of_each_model_has_a_scored_folder(run: Path, model: str, place: str, target: str) -> None:
    folder = run / place / "targets" / target
    stored = RunFolder(run / place, target).predictions()
    assert (stored.attrs["target"], stored.attrs["model"]) == (target, model)
    assert stored.attrs["units"] == "gC m-2 d-1"
    assert not (run / place / "predictions.zarr").exists(), "no target stands at the top"
    assert json.loads((folder / "metrics.json").read_text())["target"] == target
    names = stored["site_id"].to_numpy().tolist()
    assert sorted(names) == sorted(carbon_cube()["site_id"].to_numpy().tolist()), "the folds are pooled, each site once"
    assert set(stored["fold"].to_numpy().tolist()) == {0, 1}
    for site, name in enumerate(names):
        split = json.loads((run / place / f"fold{int(stored['fold'][site])}" / "splits.json").read_text())
        assert name in split["test"]
    cube = carbon_cube()
    here = [cube["site_id"].to_numpy().tolist().index(name) for name in names]
    np.testing.assert_array_equal(stored["observed"], cube[target].to_numpy()[here])
    assert np.isfinite(stored["prediction"]).any("time").all()


@pytest.mark.parametrize("place", MODELS.values(), ids=MODELS)
def test_the_targets_are_predicted_apart_and_by_their_own_quality(run: Path, place: str) -> None:
    gpp, nee = (RunFolder(run / place, target).predictions() for target in TARGETS)
    assert (gpp["prediction"] != nee["prediction"]).any()
    assert (gpp["measured"] != nee["measured"]).any()
    silent = [name in set(carbon_cube()["site_id"].to_numpy()[::5].tolist()) for name in nee["site_id"].to_numpy()]
    assert not nee["measured"].to_numpy()[silent].any()
    assert np.isfinite(nee["prediction"].to_numpy()[silent]).any(1).all(), "a place that never measured is predicted"


def test_each_target_has_a_report_and_the_run_tells_itself_apart_once(run: Path) -> None:
    for target in TARGETS:
        folder = run / "targets" / target
        assert (folder / "report.html").is_file() and any((folder / "figures").iterdir())
        assert "climatology" in (folder / "report.html").read_text()
    for name in ("config.yaml", "command.txt", "versions.json", "fold0/bank.npz", "fold0/neighbours.parquet"):
        assert (run / name).is_file(), name
        assert not list((run / "targets").rglob(Path(name).name)), name


def test_each_fold_keeps_its_validation_score(run: Path) -> None:
    for place in MODELS.values():
        for fold in ("fold0", "fold1"):
            written = json.loads((run / place / fold / "validation.json").read_text())
            assert set(written) == {"score"} and 0 < written["score"] < 10
    ended = json.loads((run / "fold0" / "checkpoints" / "towers" / "finished.json").read_text())
    assert ended["score"] == json.loads((run / "fold0" / "validation.json").read_text())["score"]


def test_neighbours_are_of_training_clusters(run: Path) -> None:
    cube = carbon_cube()
    cluster = dict(zip(cube["site_id"].to_numpy().tolist(), clusters(cube).tolist(), strict=True))
    for fold in ("fold0", "fold1"):
        split = json.loads((run / fold / "splits.json").read_text())
        shown = pl.read_parquet(run / fold / "neighbours.parquet")
        assert set(shown["site_id"]) == set(split["test"])
        assert set(shown["neighbour_id"]) <= set(split["train"])
        assert all(cluster[a] != cluster[b] for a, b in shown.select("site_id", "neighbour_id").rows())


def test_the_stored_numbers_of_both_targets_are_the_recomputed_ones(run: Path, tmp_path: Path) -> None:
    load_script("evaluate").main([str(run), "--check"])
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    metrics = folder / "targets" / "NEE" / "metrics.json"
    stored = json.loads(metrics.read_text())
    stored["scores"]["measured"]["per_site"]["rmse"]["mean"] += 0.01
    metrics.write_text(json.dumps(stored))
    with pytest.raises(UserError, match=r"NEE.*rmse"):
        load_script("evaluate").main([str(folder), "--check"])


def test_new_places_are_predicted_for_both_targets_with_the_spread_of_the_folds(run: Path, tmp_path: Path) -> None:
    cube = carbon_cube(seed=3).drop_vars([name for name in carbon_cube() if str(name).startswith(TARGETS)])
    renamed = cube.assign_coords(site_id=("site", [f"YY-{i}" for i in range(cube.sizes["site"])]), lat=cube["lat"] - 60)
    write_zarr(renamed, tmp_path / "places.zarr")
    output = tmp_path / "predicted.zarr"
    load_script("predict").main([str(run), f"data={tmp_path / 'places.zarr'}", f"output={output}"])
    predicted = xr.open_zarr(output).load()
    names = [f"{what}_{target}" for target in TARGETS for what in ("prediction", "prediction_spread")]
    assert set(predicted.data_vars) == {*names, "dissimilarity_slow", "dissimilarity_fast", "inside_area"}
    driven = np.isfinite(cube["TA"].to_numpy())
    for name in names:
        assert predicted[name].attrs["units"] == "gC m-2 d-1"
        assert np.isfinite(predicted[name].to_numpy()[driven]).all()
    assert (predicted["prediction_GPP"] != predicted["prediction_NEE"]).any()
    assert (predicted["prediction_spread_GPP"] > 0).any()
    assert predicted.attrs["target"] == "GPP, NEE"


def test_a_run_that_lost_one_target_goes_on_to_the_same_predictions(run: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    before = RunFolder(folder, "NEE").predictions()
    shutil.rmtree(folder / "fold1" / "targets" / "NEE" / "predictions.zarr")
    shutil.rmtree(folder / "targets" / "NEE")
    towers = run.parents[2] / "towers.zarr"
    with pytest.raises(UserError, match="not finished"):
        load_script("predict").main([str(folder), f"data={towers}", f"output={tmp_path}/p.zarr"])
    load_script("train").main([f"resume={folder}"])
    xr.testing.assert_identical(before, RunFolder(folder, "NEE").predictions())


@pytest.mark.parametrize("changed", ["flux", "days", None])
def test_folds_of_other_data_are_not_pooled_with_finished_ones(run: Path, tmp_path: Path, changed: str | None) -> None:
    """A unit that was corrected, or days that were added, between a run and its resumption."""
    copied = Path(shutil.copytree(run, tmp_path / "run"))
    cube = carbon_cube()
    write_zarr(
        cube.assign(NEE=cube["NEE"] * 2) if changed == "flux" else cube.isel(time=slice(1, None)) if changed else cube,
        tmp_path / "towers.zarr",
    )
    for config in copied.rglob("config.yaml"):
        config.write_text(config.read_text().replace(str(run.parents[2]), str(tmp_path)))
    shutil.rmtree(copied / "targets")
    if changed is None:
        load_script("train").main([f"resume={copied}"])
        assert (copied / "targets" / "NEE" / "predictions.zarr").is_dir()
        return
    named = "NEE" if changed == "flux" else "GPP"
    with pytest.raises(UserError, match=f"fold0: was tested on another {named} than the data hold now"):
        load_script("train").main([f"resume={copied}"])
    assert not (copied / "targets").exists()
