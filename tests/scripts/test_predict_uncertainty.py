"""What predictions of new places say of their own doubt, and whose past they may use: as the run itself did."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from raciflux.datamodules.cube import write_zarr

from worlds import CLUSTER_KM, carbon_cube, tiny_cube

from .conftest import load_script

SMALL = [
    "transfer=scratch",
    "transfer.finetune.steps=2",
    "transfer.finetune.check_every=2",
    "transfer.finetune.batch_size=4",
    "data.window.warmup_days=30",
    "data.window.scored_days=60",
    "data.split.min_scored_days=30",
    f"data.split.cluster_km={CLUSTER_KM}",
    "data.simulation=null",
    "trainer.progress=false",
    "report=false",
    "trainer.threads=1",
    "logger.wandb=disabled",
]
UNSURE = ["head.kind=quantile", "calibration.kind=cross_conformal", "calibration.parts=2", "calibration.level=0.6"]


def trained(folder: Path, pair: str, cube: xr.Dataset, *more: str) -> Path:
    write_zarr(cube, folder / "towers.zarr")
    source = [f"data.pair={pair}", f"data.root={folder}", "data.source={kind: cube, path: towers.zarr}"]
    load_script("train").main([*source, *SMALL, *more, f"output={folder}/runs"])
    (run,) = folder.glob("runs/*/*")
    return run


def predicted(run: Path, cube: Path, output: Path, *more: str) -> xr.Dataset:
    load_script("predict").main([str(run), f"data={cube}", f"output={output}", *more])
    with xr.open_zarr(output) as made:
        return made.load()


def at_the_same_sites(predicted: xr.Dataset, stored: xr.Dataset) -> xr.Dataset:
    names = predicted["site_id"].to_numpy().tolist()
    return predicted.isel(site=[names.index(name) for name in stored["site_id"].to_numpy().tolist()])


@pytest.fixture(scope="module")
def one_fold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = ["model=lstm", "model.hidden=8", "compare=[climatology]", "data.split.folds=3", "data.split.fold=0"]
    return trained(tmp_path_factory.mktemp("one"), "terrestrial_gpp", tiny_cube(), *models, *UNSURE)


BOUNDS = ["lower", "upper"]


def assert_blocks_change_nothing(run: Path, cube: Path, folder: Path, whole: xr.Dataset) -> None:
    """Ask again in blocks of five: trees answer to the bit, networks up to the rounding of sums in other batches."""
    parts = predicted(run, cube, folder / "blocks.zarr", "block=5")
    assert parts.attrs == whole.attrs and set(parts.variables) == set(whole.variables)
    for name in whole.variables:
        assert parts[name].dims == whole[name].dims and parts[name].attrs == whole[name].attrs
        if parts[name].dtype.kind == "f":
            np.testing.assert_allclose(parts[name].to_numpy(), whole[name].to_numpy(), rtol=2e-6, atol=2e-6)
        else:
            np.testing.assert_array_equal(parts[name].to_numpy(), whole[name].to_numpy())


@pytest.mark.parametrize(
    ("place", "names"),
    [("", ["prediction", "prediction_quantile", *BOUNDS]), ("baselines/climatology", ["prediction", *BOUNDS])],
    ids=["lstm", "climatology"],
)
def test_quantiles_and_intervals_are_those_of_the_run_at_its_test_sites(
    one_fold: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str, names: list[str]
) -> None:
    run = one_fold / place
    made = predicted(run, one_fold.parents[2] / "towers.zarr", tmp_path / "p.zarr")
    assert set(made.data_vars) == set(names)
    with xr.open_zarr(run / "predictions.zarr") as opened:
        stored = opened.load()
    again = at_the_same_sites(made, stored)
    for name in names:
        assert made[name].attrs["units"] == "gC m-2 d-1"
        np.testing.assert_allclose(again[name].to_numpy(), stored[name].to_numpy(), rtol=1e-4, atol=1e-4)
    for key in ("interval_level", "interval_method"):
        assert made.attrs[key] == stored.attrs[key]
    assert stored.attrs["interval_method"] in capsys.readouterr().out
    assert_blocks_change_nothing(run, one_fold.parents[2] / "towers.zarr", tmp_path, made)
    if "prediction_quantile" in names:
        np.testing.assert_array_equal(made["quantile"], stored["quantile"])
        assert made["prediction_quantile"].dims == ("quantile", "site", "time")


def test_of_several_folds_and_targets_each_fold_s_interval_is_kept(tmp_path: Path) -> None:
    models = ["model=lstm", "model.hidden=8", "compare=[]", "data.split.folds=2", "data.split.fold=null"]
    run = trained(tmp_path, "terrestrial_carbon", carbon_cube(), *models, *UNSURE)
    made = predicted(run, tmp_path / "towers.zarr", tmp_path / "p.zarr")
    assert "2 folds" in made.attrs["interval_method"] and made.attrs["interval_level"] == 0.6
    assert "units" not in made.attrs, "several units are no unit"
    for target in ("GPP", "NEE"):
        with xr.open_zarr(run / "targets" / target / "predictions.zarr") as opened:
            stored = opened.load()
        again = at_the_same_sites(made, stored)
        known = np.isfinite(stored["prediction"].to_numpy())
        assert (again[f"lower_{target}"].to_numpy() <= stored["lower"].to_numpy() + 1e-4)[known].all()
        assert (again[f"upper_{target}"].to_numpy() >= stored["upper"].to_numpy() - 1e-4)[known].all()
        levels = made[f"prediction_quantile_{target}"].to_numpy()
        assert levels.shape[0] == 19 and (np.diff(levels, axis=0)[:, np.isfinite(levels[0])] >= 0).all()
    assert_blocks_change_nothing(run, tmp_path / "towers.zarr", tmp_path, made)


TEMPORAL = ["climatology", "site_mean", "nearest_climatology", "lightgbm", "raci"]


@pytest.fixture(scope="module")
def in_time(tmp_path_factory: pytest.TempPathFactory) -> Path:
    beside = ",".join(name for name in TEMPORAL if name != "climatology")
    models = ["model=climatology", f"compare=[{beside}]", "data.split.kind=temporal"]
    return trained(tmp_path_factory.mktemp("in_time"), "terrestrial_gpp", tiny_cube(8, 1826), *models)


@pytest.mark.parametrize("name", TEMPORAL)
def test_a_site_of_a_run_split_in_time_is_predicted_as_in_the_run(in_time: Path, tmp_path: Path, name: str) -> None:
    run = in_time if name == "climatology" else in_time / "baselines" / name
    made = predicted(run, in_time.parents[2] / "towers.zarr", tmp_path / "p.zarr")
    with xr.open_zarr(run / "predictions.zarr") as opened:
        stored = opened.load()
    asked = np.isfinite(stored["prediction"].to_numpy())
    again = at_the_same_sites(made, stored)["prediction"].to_numpy()
    np.testing.assert_allclose(again[asked], stored["prediction"].to_numpy()[asked], rtol=1e-4, atol=1e-4)
    assert made.attrs["question"] == "new_years" and made.attrs["known_sites"].startswith("8 of 8,")
    assert_blocks_change_nothing(run, in_time.parents[2] / "towers.zarr", tmp_path, made)


@pytest.mark.parametrize("name", ["climatology", "raci"])
def test_new_years_without_the_past_are_said_to_be_told_nothing_of_it(
    in_time: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Own days are read where drivers are; a climatology holds its sites' past itself."""
    run = in_time if name == "climatology" else in_time / "baselines" / name
    write_zarr(tiny_cube(8, 1826).isel(time=slice(1461, None)), tmp_path / "last.zarr")
    made = predicted(run, tmp_path / "last.zarr", tmp_path / "p.zarr")
    lacking = "WITHOUT own past of 8 sites, or part of it"
    assert (lacking in made.attrs["known_sites"]) == (name == "raci") == (lacking in capsys.readouterr().out)
    assert ("drivers from 2003-01-0" in made.attrs["known_sites"]) == (name == "raci")
    whole = predicted(run, in_time.parents[2] / "towers.zarr", tmp_path / "w.zarr")
    assert lacking not in whole.attrs["known_sites"]


def test_a_namesake_elsewhere_is_asked_as_an_unseen_site(
    in_time: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = tiny_cube(8, 1826)
    moved["lat"][{"site": 0}] += 0.02  # 2 km
    write_zarr(moved, tmp_path / "moved.zarr")
    here = predicted(in_time, in_time.parents[2] / "towers.zarr", tmp_path / "here.zarr")
    there = predicted(in_time, tmp_path / "moved.zarr", tmp_path / "there.zarr")
    differs = (here["prediction"].fillna(0) != there["prediction"].fillna(0)).any("time").to_numpy()
    assert differs[0] and not differs[1:].any()
    assert there.attrs["known_sites"].startswith("7 of 8,")
    assert "7 of 8, as in the run" in capsys.readouterr().out
    renamed = moved.assign_coords(site_id=("site", [f"YY-{i}" for i in range(8)]))
    write_zarr(renamed, tmp_path / "renamed.zarr")
    strange = predicted(in_time, tmp_path / "renamed.zarr", tmp_path / "strange.zarr")
    assert strange.attrs["question"] == "unseen" and "known_sites" not in strange.attrs
