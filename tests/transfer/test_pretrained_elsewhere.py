"""A pretraining of one run starts the training on other towers in another, which has no simulation at hand."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from raciflux.config.compose import compose
from raciflux.config.schema import Config
from raciflux.datamodules.cube import write_zarr
from raciflux.datamodules.scaling import Scaler
from raciflux.errors import UserError
from raciflux.modules.checkpoints import network_weights
from raciflux.workflow.learned_from import LearnedFrom
from raciflux.workflow.prepare import fold_split, prepare, simulation_data
from raciflux.workflow.progress import RunProgress
from raciflux.workflow.stages import quiet
from raciflux.workflow.train import run_all
from two_domains import simulated_cube

from worlds import tiny_cube

STAGE = Path("checkpoints", "pretrain")
TINY = (
    *("data=terrestrial_gpp", "model=lstm", "model.hidden=6", "compare=[]", "data.source.kind=cube"),
    *("data.split.folds=3", "data.split.fold=0", "data.split.min_scored_days=30", "transfer=finetune"),
    *("data.window.warmup_days=20", "data.window.scored_days=40", "data.window.block_days=15"),
    *("data.window.history_blocks=3", "trainer.accelerator=cpu", "trainer.progress=false", "logger.wandb=disabled"),
    *(f"transfer.{stage}.{key}" for stage in ("pretrain", "finetune") for key in ("steps=4", "check_every=2")),
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Towers of two owners, and a simulation that runs far from all of them but for a cell near one at home."""
    folder, away, home = tmp_path_factory.mktemp("data"), tiny_cube(days=500), tiny_cube(days=500, seed=9)
    names = np.array([f"HO-M{i:02d}" for i in range(12)])
    home = home.assign_coords(site_id=("site", names), lat=home["lat"] + 10.0)
    simulation = simulated_cube()
    lat, lon = simulation["lat"].to_numpy().copy(), simulation["lon"].to_numpy().copy()
    lat[0], lon[0] = float(home["lat"][0]) + 0.2, float(home["lon"][0])  # 22 km
    simulation = simulation.assign_coords(lat=("site", lat), lon=("site", lon))
    for name, cube in (("away", away), ("home", home), ("simulation", simulation)):
        write_zarr(cube, folder / f"{name}.zarr")
    pl.DataFrame({name: home[name].to_numpy() for name in ("site_id", "lat", "lon")}).write_csv(folder / "home.csv")
    return folder


def config(root: Path, towers: str, output: Path, *overrides: str) -> Config:
    simulation = ("data.simulation.kind=cube", "data.simulation.path=simulation.zarr")
    own = simulation if towers == "away" else ("data.simulation=null",)
    here = [f"data.root={root}", f"data.source.path={towers}.zarr", f"output={output}", *own]
    last = {text.partition("=")[0]: text for text in [*TINY, *here, *overrides]}
    return compose(list(last.values()))


def trained(chosen: Config, folder: Path) -> list[str]:
    """Run the command into a folder; return what it said."""
    quiet()
    said: list[str] = []
    progress = RunProgress(1, False, speaks=False)
    progress.say = lambda line, *style: said.append(line)  # type: ignore[method-assign]
    folder.mkdir(parents=True)
    run_all(chosen, prepare(chosen), folder, [], progress)
    return said


@pytest.fixture(scope="module")
def made(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pretraining of a run on the towers of the other owner, which kept away from those at home."""
    output = tmp_path_factory.mktemp("cluster")
    trained(config(root, "away", output, f"transfer.leave_out_near={root / 'home.csv'}"), output / "run")
    (pretraining,) = (output / "pretrained").iterdir()
    return pretraining


def same_weights(one: Path, other: Path) -> bool:
    first, second = (network_weights(folder / STAGE / "best.ckpt") for folder in (one, other))
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_other_towers_are_trained_on_from_it_without_the_simulation(root: Path, made: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    said = trained(config(root, "home", tmp_path, f"transfer.pretrained={made}"), run)
    assert any(f"taken from {made}, as transfer.pretrained says" in line for line in said)
    assert json.loads((run / "pretraining.json").read_text())["taken_from"] == str(made)
    fate = json.loads((run / "transfer.json").read_text())
    assert fate["taken_from"] == str(made) and set(fate["tensors"].values()) == {"loaded"}
    assert same_weights(run, made) and not (tmp_path / "pretrained").exists()
    simulated, towers = Scaler.load(made / STAGE / "scaler.yaml"), Scaler.load(run / "scaler.yaml")
    assert towers.inputs == simulated.inputs and towers.targets != simulated.targets
    assert (run / "predictions.zarr").exists()
    again = config(root, "home", tmp_path, f"transfer.pretrained={run}")  # a run's own copy is as good
    assert prepare(again).roles == simulated.roles


def test_it_is_what_the_training_starts_from(root: Path, made: Path, tmp_path: Path) -> None:
    held = ("transfer.freeze=[fast_encoder]", f"transfer.pretrained={made}")
    trained(config(root, "home", tmp_path, *held), tmp_path / "run")
    trained_on = network_weights(tmp_path / "run" / "checkpoints" / "towers" / "best.ckpt")
    for name, value in network_weights(made / STAGE / "best.ckpt").items():
        assert torch.equal(trained_on[name], value) == name.startswith("fast_encoder"), name


@pytest.mark.parametrize("technique", ["stacking", "residual"])
def test_it_is_an_emulator_elsewhere(root: Path, made: Path, tmp_path: Path, technique: str) -> None:
    trained(config(root, "home", tmp_path, f"transfer={technique}", f"transfer.pretrained={made}"), tmp_path / "run")
    assert same_weights(tmp_path / "run" / "emulator", made)
    assert json.loads((tmp_path / "run" / "emulator" / "pretraining.json").read_text())["taken_from"] == str(made)


# --- what is refused --------------------------------------------------------------------------------------------------


def changed(made: Path, tmp_path: Path, change: Callable[[Path], object]) -> Path:
    tmp_path.mkdir(exist_ok=True)
    copy = tmp_path / "copy"
    shutil.copytree(made, copy)
    change(copy)
    return copy


def rescaled(folder: Path) -> None:
    record = json.loads((folder / "pretraining.json").read_text())
    (folder / "pretraining.json").write_text(json.dumps(record | {"scaled_by": "towers"}))


def wrapped(folder: Path) -> None:
    """What a user of a run with several folds might name."""
    inside = folder.with_name("fold0")
    folder.rename(inside)
    folder.mkdir()
    inside.rename(folder / "fold0")


DAMAGED = {
    "no folder": (shutil.rmtree, "no pretraining.json there, so it is no pretraining; take output/pretrained/ID"),
    "a run of folds": (wrapped, "no pretraining.json there, so it is no pretraining; take .*fold0"),
    "unfinished": (lambda folder: (folder / STAGE / "finished.json").unlink(), "is not finished; go on with its run"),
    "no places": (lambda folder: (folder / STAGE / "places.parquet").unlink(), r"places\.parquet: no readable places"),
    "places torn": (lambda folder: (folder / STAGE / "places.parquet").write_bytes(b"PAR1"), "no readable places"),
    "no scales": (lambda folder: (folder / STAGE / "scaler.yaml").unlink(), r"scaler\.yaml: not a readable scaler"),
    "record torn": (
        lambda folder: (folder / "pretraining.json").write_text("{"),
        "pretraining.json, line 1: is not JSON",
    ),
    "scaled by its towers": (rescaled, "inputs were scaled by the towers of its own run"),
}


@pytest.mark.parametrize(("change", "words"), DAMAGED.values(), ids=DAMAGED)
def test_a_folder_that_is_no_whole_pretraining_is_refused(root, made, tmp_path, change, words):
    with pytest.raises(UserError, match=words) as caught:
        prepare(config(root, "home", tmp_path, f"transfer.pretrained={changed(made, tmp_path, change)}"))
    assert "\n" not in str(caught.value)


OTHERS = {
    "another network": (["model=tcn"], "is of the network lstm, and this run needs one of tcn"),
    "another emulator": (["transfer=stacking", "transfer.emulator=tcn"], "needs one of tcn"),
    "an input less": (["data.drop_inputs=[elevation]"], "reads elevation, which the observations lack or data.drop"),
    "another transform": (["data.asinh_at=2"], "was made with data.asinh_at=null; take the same here"),
}


@pytest.mark.parametrize(("overrides", "words"), OTHERS.values(), ids=OTHERS)
def test_one_that_does_not_fit_the_run_is_refused(root, made, tmp_path, overrides, words):
    with pytest.raises(UserError, match=words):
        prepare(config(root, "home", tmp_path, f"transfer.pretrained={made}", *overrides))


def test_one_of_another_width_is_refused(root, made, tmp_path):
    wide = config(root, "home", tmp_path, f"transfer.pretrained={made}", "model.hidden=7")
    with pytest.raises(UserError, match="tensors do not fit"):
        trained(wide, tmp_path / "run")


def test_one_of_another_flux_is_refused(root, made, tmp_path):
    def renamed(folder: Path) -> None:
        path = folder / STAGE / "scaler.yaml"
        path.write_text(path.read_text().replace("GPP:", "NEE:"))

    with pytest.raises(UserError, match=r"learned NEE, and data\.pair=terrestrial_gpp predicts GPP"):
        prepare(config(root, "home", tmp_path, f"transfer.pretrained={changed(made, tmp_path, renamed)}"))


# --- rule 6 -----------------------------------------------------------------------------------------------------------


def test_the_places_of_a_users_table_are_kept_away_from(root, made, tmp_path):
    chosen = config(root, "away", tmp_path)
    prepared = prepare(chosen)
    everywhere = simulation_data(chosen, prepared, fold_split(chosen, prepared, 0))
    assert "cell0" in LearnedFrom.of(everywhere).places["site_id"]
    kept = LearnedFrom.load(made / STAGE).places["site_id"]
    assert "cell0" not in kept and len(kept) > 6


def near_home(tower: int, cell: float | None) -> Callable[[Path], None]:
    """A pretraining that knows a place 22 km from a tower at home, or 111 km where it is a cell that holds it."""

    def change(folder: Path) -> None:
        home, path = tiny_cube(days=10), folder / STAGE / "places.parquet"
        lat = float(home["lat"][tower]) + 10.0 + (0.2 if cell is None else 1.0)
        place = {"site_id": "near", "lat": lat, "lon": float(home["lon"][tower]), "height": cell, "width": cell}
        others = pl.read_parquet(path).with_columns(height=pl.lit(cell), width=pl.lit(cell))
        pl.concat([others, pl.DataFrame([place], schema=others.schema)], how="vertical_relaxed").write_parquet(path)

    return change


@pytest.mark.parametrize("cell", [None, 2.5])
def test_one_that_has_been_near_a_tested_tower_is_refused_before_anything_is_trained(root, made, tmp_path, cell):
    plain = config(root, "home", tmp_path, f"transfer.pretrained={made}")
    split = fold_split(plain, prepare(plain), 0)
    names = [f"HO-M{i:02d}" for i in range(12)]
    folder = changed(made, tmp_path / "tested", near_home(names.index(split.test[0]), cell))
    words = r"learned from 1 simulated places within 50 km of a tested tower, first near .*transfer\.leave_out_near"
    with pytest.raises(UserError, match=words):
        prepare(config(root, "home", tmp_path, f"transfer.pretrained={folder}"))
    folder = changed(made, tmp_path / "trained", near_home(names.index(split.train[0]), cell))
    prepare(config(root, "home", tmp_path, f"transfer.pretrained={folder}"))
    for stricter in ("data.split.fold=null", "transfer.leave_out=all"):
        with pytest.raises(UserError, match="of a tested tower"):
            prepare(config(root, "home", tmp_path, f"transfer.pretrained={folder}", stricter))
    parts = ("calibration.kind=cross_conformal", "calibration.parts=2", "calibration.level=0.8")  # of training towers
    with pytest.raises(UserError, match="of a tested tower"):
        trained(config(root, "home", tmp_path, f"transfer.pretrained={folder}", *parts), tmp_path / "run")
    assert not list((tmp_path / "run").rglob("best.ckpt"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no readable CSV with columns lat and lon"),
        ("", "no readable CSV with columns lat and lon"),
        ("lat,long\n1,2\n", "no readable CSV with columns lat and lon"),
        ("lat,lon\n1,east\n", "no readable CSV with columns lat and lon"),
        ("lat,lon\n", "the table is empty"),
        ("lat,lon\n1,2\n91,2\n", "row 3 has no latitude and longitude"),
        ("lat,lon\n1,\n", "row 2 has no latitude and longitude"),
    ],
)
def test_a_table_that_says_no_places_is_refused(root, tmp_path, text, words):
    table = tmp_path / "places.csv"
    if text is not None:
        table.write_text(text)
    with pytest.raises(UserError, match=rf"transfer\.leave_out_near=.*{words}") as caught:
        prepare(config(root, "away", tmp_path, f"transfer.leave_out_near={table}"))
    assert "\n" not in str(caught.value)
