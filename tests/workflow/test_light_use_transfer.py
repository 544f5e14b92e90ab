"""The recipe that pretrains on the towers' own weather, on a handful of towers in FLUXNET2015's layout."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import xarray as xr
from raciflux.config.compose import compose
from raciflux.config.schema import Config
from raciflux.datamodules.scaling import Scaler
from raciflux.datamodules.sources import read
from raciflux.errors import UserError
from raciflux.workflow.apply import finished_run, predict_cube
from raciflux.workflow.prepare import fold_split, prepare, simulation_data
from raciflux.workflow.progress import RunProgress
from raciflux.workflow.stages import quiet
from raciflux.workflow.train import run_all

from worlds import carbon_cube

COLUMNS = {"TA": "TA_F", "TA_MIN": "TA_F_MIN", "TA_MAX": "TA_F_MAX", "SW": "SW_IN_F", "VPD": "VPD_F"}
FLUXES = {
    "GPP": "GPP_NT_VUT_REF",
    "NEE": "NEE_VUT_REF",
    "GPP_qc": "NEE_VUT_REF_QC",
    "GPP_measured": "NEE_MEASURED_FRAC",
}
SMALL = [
    "experiment=fluxnet2015_gpp_transfer",
    "compare=[site_mean]",
    "model.hidden=8",
    "model.first_guess.trees.rounds=10",
    "data.odd_sites=[]",
    "data.split.file=null",
    "data.split.folds=3",
    "data.split.fold=0",
    "data.split.min_scored_days=30",
    "data.window.warmup_days=30",
    "data.window.scored_days=60",
    *(f"transfer.{stage}.{key}" for stage in ("pretrain", "finetune") for key in ("steps=2", "check_every=2")),
    "transfer.pretrain.batch_size=8",
    "transfer.finetune.batch_size=8",
    "trainer.accelerator=cpu",
    "trainer.progress=false",
    "logger.wandb=disabled",
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_tables(with_extremes(carbon_cube(days=500)), folder)
    return folder


def with_extremes(cube: xr.Dataset) -> xr.Dataset:
    return cube.assign(TA_MIN=cube["TA"] - 4.0, TA_MAX=cube["TA"] + 4.0)


def write_tables(cube: xr.Dataset, folder: Path) -> None:
    """Write a cube as the files that the column map ``fluxnet2015`` reads."""
    sites, days = cube.sizes["site"], cube.sizes["time"]
    daily = {"site_id": np.repeat(cube["site_id"].to_numpy(), days), "date": np.tile(cube["time"].to_numpy(), sites)}
    daily |= {column: cube[name].to_numpy().ravel() for name, column in (COLUMNS | FLUXES).items()}
    table = pl.DataFrame(daily | {"VPD_F_MAX": daily["VPD_F"] * 1.5}).with_columns(pl.col("date").cast(pl.Date))
    (folder / "fluxnet2015").mkdir(parents=True)
    table.fill_nan(None).write_parquet(folder / "fluxnet2015" / "daily.parquet")
    fixed = {"elevation_m": "elevation", "mat_c": "mat", "IGBP": "igbp", "koppen_main": "koppen"}
    places = {name: cube[name].to_numpy() for name in ("site_id", "lat", "lon")}
    places |= {column: cube[name].to_numpy() for column, name in fixed.items()}
    rest = {"map_mm": np.full(sites, 700.0), "root_zone_whc_mm": np.full(sites, 150.0), "c3c4": np.full(sites, "C3")}
    pl.DataFrame(places | rest).fill_nan(None).write_csv(folder / "fluxnet2015" / "sites.csv")


def config(root: Path, *overrides: str) -> Config:
    return compose([*SMALL, f"data.root={root}", *overrides])


def test_no_tower_of_a_test_cluster_is_pretrained_on(root: Path) -> None:
    chosen = config(root)
    prepared = prepare(chosen)
    assert prepared.simulation is not None
    split = fold_split(chosen, prepared, 0)
    data = simulation_data(chosen, prepared, split)
    used = {*data.split.train, *data.split.validation}
    assert used and used <= {f"lue.{name}" for name in (*split.train, *split.validation)}
    here = np.isin(data.cube["site_id"].to_numpy(), list(used))
    assert not (data.training_days | data.stopping.any(-1))[~here].any()
    assert "TA_MIN" in prepared.roles.fast
    assert any("simulation: run on TA_MIN, VPD, SW" in note for note in prepared.notes)


def test_towers_without_a_flux_are_simulated_all_the_same(tmp_path: Path) -> None:
    cube = with_extremes(carbon_cube(days=500))
    cube["GPP"][{"site": 4}] = np.nan
    write_tables(cube, tmp_path)
    prepared = prepare(config(tmp_path))
    assert prepared.simulation is not None
    assert "XX-T04" not in prepared.towers["site_id"].to_numpy()
    assert "lue.XX-T04" in prepared.simulation["site_id"].to_numpy()


def test_towers_that_lack_a_driver_are_refused_before_training(tmp_path: Path) -> None:
    cube = with_extremes(carbon_cube(days=500))
    cube["SW"][:] = np.nan
    write_tables(cube, tmp_path)
    with pytest.raises(UserError, match="light_use_efficiency: no site has a day with TA_MIN, VPD and light"):
        prepare(config(tmp_path))
    assert prepare(config(tmp_path, "transfer=scratch")).simulation is None


@pytest.mark.parametrize("transfer", ["finetune", "scratch"])
def test_the_recipe_trains_with_and_without_it(root: Path, tmp_path: Path, transfer: str) -> None:
    quiet()
    chosen = config(root, f"transfer={transfer}", f"output={tmp_path}")
    run_all(chosen, prepare(chosen), tmp_path, [], RunProgress(6, False))
    assert (tmp_path / "checkpoints" / "pretrain").is_dir() == (transfer == "finetune")
    ended = json.loads((tmp_path / "checkpoints" / "towers" / "finished.json").read_text())
    assert ended["steps"] == 2
    said = xr.open_zarr(tmp_path / "predictions.zarr")["prediction"].load()
    assert said.notnull().mean() > 0.8 and said.std() > 0


def test_its_own_series_is_told_in_training_and_elsewhere(root: Path, tmp_path: Path) -> None:
    """Trees beside a network read it too; elsewhere it runs on the weather of the places that are asked about."""
    quiet()
    told = ["transfer=stacking", "transfer.simulated_flux=series", "model=lightgbm", "model.rounds=20"]
    kept = [text for text in SMALL if not text.startswith("model.")]
    chosen = compose([*kept, f"data.root={root}", *told, f"output={tmp_path}", "data.drop_inputs=[TA_MIN]"])
    prepared = prepare(chosen)
    assert "simulation: run on TA_MIN, VPD, SW" in "\n".join(prepared.notes)
    run_all(chosen, prepared, tmp_path, [], RunProgress(6, False))
    assert "GPP_simulated" in Scaler.load(tmp_path / "scaler.yaml").roles.fast
    own = xr.open_zarr(tmp_path / "predictions.zarr").load()
    towers = read("terrestrial_gpp", chosen.data.source, root)
    run = finished_run(tmp_path)
    drivers = run.inputs(towers)
    assert "TA_MIN" in drivers and "TA_MIN" not in prepared.roles.fast  # read by the simulation, not by the model
    assert "GPP" not in drivers
    said = predict_cube(run, drivers)
    here = [towers["site_id"].to_numpy().tolist().index(name) for name in own["site_id"].to_numpy()]
    np.testing.assert_allclose(said["prediction"][here], own["prediction"], rtol=1e-4, atol=1e-4)
