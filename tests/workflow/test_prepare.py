"""What is wrong with data or split is said before anything starts."""

import itertools
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import xarray as xr
from raciflux.config.compose import compose
from raciflux.config.schema import Config
from raciflux.config.sources import EmbeddedSource
from raciflux.datamodules.cube import write_zarr
from raciflux.datamodules.sources import read
from raciflux.datamodules.split_files import SplitFile, write_split_file
from raciflux.errors import UserError
from raciflux.geography import haversine_km
from raciflux.workflow.prepare import fold_split, prepare, simulation_data, tower_data

from worlds import carbon_cube

WORLD = {
    "data.source.places": "16",
    "data.source.years": "2",
    "data.simulation.places": "60",
    "data.simulation.years": "1",
    "data.split.folds": "3",
    "data.split.min_scored_days": "30",
}


def config(*overrides: str) -> Config:
    chosen = WORLD | dict(override.split("=", 1) for override in overrides)
    return compose([f"{key}={value}" for key, value in chosen.items()])


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["data.split.folds=17"], "clusters"),
        (["data.split.min_scored_days=5000"], "no test site has 5000 scored days"),
        (["data.sites=[TW-999]"], "TW-999"),
        (["data.sites=[TW-001,TW-002]"], "cannot give training, validation and test"),
        (["data.drop_inputs=[TA]"], "needs the driver TA"),
        (["data.drop_inputs=[TQ]"], "TQ.*no input"),
        (["data.split.cluster_km=20000"], "cluster"),
    ],
)
def test_an_impossible_split_or_choice_is_refused(overrides: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        prepare(config(*overrides))


def test_a_term_of_knowledge_without_its_driver_is_refused() -> None:
    asked = ("data.pair=cropland_gpp", "knowledge.light=1")
    prepare(config(*asked))
    with pytest.raises(UserError, match=r"^knowledge.light needs the driver SW or PPFD, .*map a column to SW, or take"):
        prepare(config(*asked, "data.drop_inputs=[SW]"))


def test_sites_without_a_scored_day_are_left_out_and_said(tmp_path: Path) -> None:
    towers = read("wetland_ch4", EmbeddedSource(places=16, years=2), Path())
    silent = str(towers["site_id"].to_numpy()[3])
    towers["FCH4"][{"site": 3}] = np.nan
    write_zarr(towers, tmp_path / "towers.zarr")
    kept = prepare(
        compose(
            [
                "data.pair=wetland_ch4",
                "data.source={kind: cube, path: towers.zarr}",
                f"data.root={tmp_path}",
                "transfer=scratch",
                "data.split.folds=3",
                "data.split.min_scored_days=30",
            ]
        )
    )
    assert silent not in kept.towers["site_id"].to_numpy() and kept.towers.sizes["site"] == 15
    assert len(kept.cluster) == 15
    assert any(silent in note for note in kept.notes)


def two_fluxes(folder: Path, cube: xr.Dataset, *overrides: str) -> Config:
    """The configuration of a run of two fluxes over a stored cube."""
    write_zarr(cube, folder / "towers.zarr")
    source = ["data.pair=terrestrial_carbon", "data.source={kind: cube, path: towers.zarr}", "data.simulation=null"]
    source += [f"data.root={folder}", "transfer=scratch"]
    return compose([*source, "data.split.folds=3", "data.split.min_scored_days=30", *overrides])


def test_of_two_fluxes_a_site_needs_one(tmp_path: Path) -> None:
    cube = carbon_cube()
    cube["NEE"][{"site": 1}] = np.nan
    cube["GPP"][{"site": 2}] = np.nan
    for flux in ("GPP", "NEE"):
        cube[flux][{"site": 3}] = np.nan
    prepared = prepare(two_fluxes(tmp_path, cube))
    names = cube["site_id"].to_numpy()
    assert prepared.towers["site_id"].to_numpy().tolist() == np.delete(names, 3).tolist()
    assert prepared.roles.targets == ("GPP", "NEE")
    assert any(f"want of a scored day of GPP or NEE: {names[3]}" in note for note in prepared.notes)
    assert prepared.described.labelled.any(1).all()


@pytest.mark.parametrize("lost", ["GPP", "NEE"])
def test_a_flux_that_the_source_lacks_is_named(tmp_path: Path, lost: str) -> None:
    names = [lost, f"{lost}_qc", f"{lost}_measured"]
    with pytest.raises(UserError, match=f"data.pair=terrestrial_carbon predicts {lost}, which this source"):
        prepare(two_fluxes(tmp_path, carbon_cube().drop_vars(names)))


def test_enough_scored_days_of_one_flux_are_enough(tmp_path: Path) -> None:
    few = carbon_cube()
    few["NEE"][{"time": slice(20, None)}] = np.nan
    assert prepare(two_fluxes(tmp_path, few)).folds == (0,)
    few["GPP"][{"time": slice(20, None)}] = np.nan
    with pytest.raises(UserError, match="no test site has 30 scored days"):
        prepare(two_fluxes(tmp_path / "few", few))


CALIBRATED = ["calibration.kind=cross_conformal", "calibration.parts=2", "calibration.level=0.5"]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            ["calibration.level=0.95"],
            r"calibration\.level=0\.95 needs 19 calibration sites with scored days",
        ),
        (["calibration.parts=9"], "calibration.parts=9, but the labelled training sites of fold 0 form"),
        (["data.split.label_share=0.01", "calibration.level=0.9"], "needs 9 calibration sites .* there are 4;"),
    ],
)
def test_a_calibration_that_the_sites_cannot_give_is_refused_before_training(overrides: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        prepare(config(*CALIBRATED, *overrides))


def test_each_target_needs_its_sites_for_the_level(tmp_path: Path) -> None:
    cube = carbon_cube()
    prepare(two_fluxes(tmp_path / "both", cube, *CALIBRATED))
    cube["NEE"][{"site": slice(0, 11)}] = np.nan  # sites that have but a GPP
    cube["NEE"][{"site": 11, "time": slice(20, None)}] = np.nan
    prepare(two_fluxes(tmp_path / "without", cube))
    with pytest.raises(UserError, match=r"needs 1 calibration sites .* there are 0"):
        prepare(two_fluxes(tmp_path / "one", cube, *CALIBRATED))


def test_a_split_file_in_time_cannot_be_calibrated(tmp_path: Path) -> None:
    cube = carbon_cube(days=1826)
    in_time = two_fluxes(tmp_path, cube, "data.split.kind=temporal")
    split = fold_split(in_time, prepare(in_time), 0)
    write_split_file(SplitFile("years", ("by hand",), 50.0, (split,)), tmp_path / "years.json")
    chosen = f"data.split.file={tmp_path}/years.json"
    assert prepare(two_fluxes(tmp_path / "plain", cube, chosen)).folds == (0,)
    with pytest.raises(UserError, match="needs a split over sites, and this one is in time"):
        prepare(two_fluxes(tmp_path / "calibrated", cube, chosen, *CALIBRATED))


def test_a_split_in_time_has_one_fold_and_each_site_s_own_periods(tmp_path: Path) -> None:
    chosen = two_fluxes(tmp_path, carbon_cube(days=1826), "data.split.kind=temporal", "data.split.fold=null")
    prepared = prepare(chosen)
    assert prepared.folds == (0,)
    split = fold_split(chosen, prepared, 0)
    data = tower_data(chosen, prepared, split, None)
    assert split.question == "new_years" and set(split.periods) == set(split.train) == set(split.test)
    parts = [data.trainable, data.stopping, data.measured & data.test_days[..., None]]
    assert all(part.any((0, 1)).all() for part in parts)
    assert sum(part.astype(int) for part in parts).max() == 1
    for earlier, later in itertools.pairwise(part.any(-1) for part in parts):
        last = earlier.shape[1] - 1 - earlier[:, ::-1].argmax(1)
        assert (last < later.argmax(1)).all()


def test_pretraining_keeps_away_from_test_clusters() -> None:
    chosen = config("data.split.cluster_km=800")
    prepared = prepare(chosen)
    split = fold_split(chosen, prepared, 0)
    data = simulation_data(chosen, prepared, split)
    used = np.isin(data.cube["site_id"].to_numpy(), [*data.split.train, *data.split.validation])
    tested = split.members("test", prepared.towers["site_id"].to_numpy())
    lat, lon = prepared.towers["lat"].to_numpy()[tested], prepared.towers["lon"].to_numpy()[tested]
    cells = data.cube["lat"].to_numpy(), data.cube["lon"].to_numpy()
    km = haversine_km(cells[0][:, None], cells[1][:, None], lat[None], lon[None]).min(1)
    assert (km < 800).any(), "the world has cells near test towers, or this test shows nothing"
    assert not (used & (km < 800)).any()


def test_towers_keep_the_simulations_input_scale_and_their_own_target_scale() -> None:
    chosen = config()
    prepared = prepare(chosen)
    split = fold_split(chosen, prepared, 0)
    simulation = simulation_data(chosen, prepared, split)
    towers = tower_data(chosen, prepared, split, simulation.scaler)
    alone = tower_data(chosen, prepared, split, None)
    assert towers.scaler.inputs == simulation.scaler.inputs
    assert towers.scaler.targets == alone.scaler.targets != simulation.scaler.targets


def test_a_source_without_quality_columns_must_be_declared_published(tmp_path: Path) -> None:
    days = pl.date_range(pl.date(2001, 1, 1), pl.date(2001, 12, 31), eager=True)
    table = pl.concat(
        pl.DataFrame({"site": name, "date": days, "t": np.arange(365.0), "f": np.arange(365.0)}) for name in "ABC"
    )
    table.write_csv(tmp_path / "daily.csv")
    pl.DataFrame({"site": ["A", "B", "C"], "lat": [10.0, 20.0, 30.0], "lon": [0.0, 0.0, 0.0]}).write_csv(
        tmp_path / "sites.csv"
    )
    (tmp_path / "map.yaml").write_text(Path(__file__).with_name("no_quality.yaml").read_text())
    (tmp_path / "data.yaml").write_text(
        f"pair: wetland_ch4\nroot: {tmp_path}\n"
        f"source: {{kind: table, columns: {tmp_path}/map.yaml, path: daily.csv, sites: sites.csv}}\n"
        "split: {kind: leave_site_out, min_scored_days: 30}\n"
    )
    chosen = [f"data={tmp_path}/data.yaml", "transfer=scratch"]
    with pytest.raises(UserError, match="quality"):
        prepare(compose(chosen))
    assert len(prepare(compose([*chosen, "data.quality=published"])).folds) == 3
