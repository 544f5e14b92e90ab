"""Stacking and residual learning by the simulation's own series, where it ran at the towers."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from raciflux.config.models import LightGbmConfig
from raciflux.config.raci import RaciConfig, RetrievalConfig
from raciflux.config.schema import Config
from raciflux.config.sources import CubeSource
from raciflux.config.trainings import pretrainings
from raciflux.datamodules import PAIRS
from raciflux.datamodules.cube import write_zarr
from raciflux.datamodules.roles import choose
from raciflux.datamodules.scaling import Scaler
from raciflux.datamodules.sources import read
from raciflux.errors import UserError
from raciflux.workflow.apply import finished_run, predict_cube
from raciflux.workflow.blocks import predict_in_blocks
from raciflux.workflow.learn import Learned, learn
from raciflux.workflow.prepare import Prepared, prepare
from raciflux.workflow.progress import RunProgress
from raciflux.workflow.simulated_series import places_at, with_series
from raciflux.workflow.train import run_all, total_steps
from raciflux.workflow.trained_folds import trained_folds
from two_domains import CONFIG, PAIR, prepared_of, simulated_cube, transferred

from worlds import balance_cube, carbon_cube, tiny_cube, tiny_split

DAYS = 400  # of the towers' 731 that the simulation covers
RACI = RaciConfig(hidden=6, regime=4, embedding=3, retrieval=RetrievalConfig(neighbours=2, width=3))
RACI.first_guess.trees.rounds = 5
MODELS = {
    "lstm": CONFIG,
    "raci": replace(CONFIG, model=RACI),
    "trees": replace(CONFIG, model=LightGbmConfig(rounds=20)),
}


def at_towers(change: Callable[[np.ndarray], np.ndarray] = np.asarray) -> xr.Dataset:
    """A simulation at the towers' places, its fluxes (site, day) changed."""
    cube = simulated_cube(tiny_cube(), 12)
    return cube.assign(GPP=(("site", "time"), change(cube["GPP"].to_numpy()), cube["GPP"].attrs))


def perfect(change: Callable[[np.ndarray], np.ndarray] = np.asarray) -> xr.Dataset:
    """A simulation that says what was observed, on every day of the towers, its fluxes (site, day) changed."""
    towers = tiny_cube()
    flux = change(np.nan_to_num(towers["GPP"].to_numpy(), nan=3.0))
    return towers.drop_vars(["GPP_qc", "GPP_measured"]).assign(GPP=(("site", "time"), flux, towers["GPP"].attrs))


def learned(folder: Path, simulation: xr.Dataset, name: str = "stacking", **keys: Any) -> Learned:
    return transferred(folder, simulation=simulation, name=name, simulated_flux="series", **keys)


def sites_of_the_test() -> np.ndarray:
    towers = tiny_cube()
    return tiny_split(towers).members("test", towers["site_id"].to_numpy())


def test_the_driver_is_the_simulated_series_day_by_day():
    towers, simulation = tiny_cube(), at_towers()
    later = simulation.isel(time=slice(30, None), site=slice(None, None, -1))
    said = with_series(towers, later, PAIRS[PAIR].pair)["GPP_simulated"].to_numpy()
    np.testing.assert_array_equal(said[:, 30:DAYS], simulation["GPP"].to_numpy()[:, 30:])
    assert np.isnan(said[:, :30]).all() and np.isnan(said[:, DAYS:]).all()


def places(lat: list[float], lon: list[float], names: list[str] | None = None, **size: float) -> xr.Dataset:
    named = names or [f"p{i}" for i in range(len(lat))]
    coordinates = {"site_id": ("site", np.array(named)), "lat": ("site", np.array(lat)), "lon": ("site", np.array(lon))}
    sizes = {name: ("site", np.full(len(lat), degrees)) for name, degrees in size.items()}
    return xr.Dataset(coords=coordinates | sizes)


@pytest.mark.parametrize(
    ("simulation", "stands"),
    [
        (places([10.0, 10.02, 10.005], [179.9, 179.9, 179.9]), [0]),  # of two within a kilometre the nearer
        (places([10.0, 10.0, 10.0], [179.9] * 3, ["T-m0", "T-m1", "U"]), [0, 1, 2]),  # an ensemble
        (places([10.0, 10.0], [179.9] * 2, ["lue.U", "lue.T"]), [1]),  # two towers of one place
        (places([10.02, 9.98], [179.9] * 2, ["T", "U"]), []),  # 2 km off
        (places([10.4, 10.4], [-179.75, -178.75], cell_height=1.0, cell_width=1.0), [0]),  # across the date line
        (places([10.4, 10.4], [-179.75, -178.75]), []),  # places, no cells
        (places([11.4], [179.9], cell_height=1.0, cell_width=1.0), []),
    ],
)
def test_the_places_that_stand_for_a_tower(simulation, stands):
    (found,) = places_at(simulation, places([10.0], [179.9], ["T"]))
    assert found.tolist() == stands


def test_members_of_an_ensemble_are_averaged_over_those_that_know_the_day():
    towers, first = tiny_cube(), at_towers()
    gappy = np.where(np.arange(DAYS) < 100, np.nan, first["GPP"].to_numpy() + 2.0).astype(np.float32)
    second = first.assign(GPP=(("site", "time"), gappy, first["GPP"].attrs))
    second = second.assign_coords(site_id=("site", np.array([f"second{i}" for i in range(12)])))
    both = xr.concat([first, second], "site", combine_attrs="override")
    said = with_series(towers, both, PAIRS[PAIR].pair)["GPP_simulated"].to_numpy()[:, :DAYS]
    expected = first["GPP"].to_numpy() + np.where(np.arange(DAYS) < 100, 0.0, 1.0)
    np.testing.assert_allclose(said, expected, rtol=1e-6)


def test_each_target_has_its_own():
    cube = carbon_cube()
    said = with_series(cube, cube, PAIRS["terrestrial_carbon"].pair)
    for target in ("GPP", "NEE"):
        np.testing.assert_array_equal(said[f"{target}_simulated"], cube[target])


@pytest.mark.parametrize(("name", "align"), [("stacking", "moments"), ("residual", "units")])
def test_no_flux_of_a_tested_or_validating_tower_is_in_it(tmp_path, name, align):
    towers = tiny_cube()
    trained = tiny_split(towers).members("train", towers["site_id"].to_numpy())
    flux = towers["GPP"].to_numpy().copy()
    flux[~trained] = flux[~trained] * 40 - 7
    said = []
    for folder, cube in (("as_is", towers), ("absurd", towers.assign(GPP=(("site", "time"), flux)))):
        data = learned(tmp_path / folder, at_towers(), name, align=align, towers=cube).data
        said.append(data.cube["GPP_simulated"].to_numpy())
    np.testing.assert_array_equal(*said)
    assert (tmp_path / "as_is" / "simulated_flux.json").read_text() == (
        tmp_path / "absurd" / "simulated_flux.json"
    ).read_text()


def test_aligned_it_has_the_moments_of_the_observed_flux_and_in_units_its_own(tmp_path):
    simulation, moments = at_towers(), {}
    for align in ("moments", "units"):
        data = learned(tmp_path / align, simulation, align=align).data
        series = data.cube["GPP_simulated"].to_numpy()
        counted = data.trainable[..., 0] & np.isfinite(series)
        observed = data.cube["GPP"].to_numpy()[counted]
        moments[align] = series[counted].mean() - observed.mean(), series[counted].std() / observed.std()
        if align == "units":
            np.testing.assert_array_equal(series[:, :DAYS], simulation["GPP"].to_numpy())
    assert moments["moments"] == pytest.approx((0.0, 1.0), abs=1e-4)
    assert moments["units"][0] > 4.0  # as simulated, 5 gC m-2 d-1 too high


@pytest.mark.parametrize("model", MODELS)
def test_a_stacked_model_reads_it_and_nothing_is_pretrained(tmp_path, model):
    plain = learned(tmp_path / "plain", perfect(), config=MODELS[model])
    assert Scaler.load(tmp_path / "plain" / "scaler.yaml").roles.fast[-1] == "GPP_simulated"
    assert not list(tmp_path.glob("**/emulator")) and not (tmp_path / "pretrained").exists()
    turned = perfect(lambda flux: np.where(sites_of_the_test()[:, None], flux[:, ::-1], flux))
    other = learned(tmp_path / "turned", turned, config=MODELS[model])
    moved = np.abs(plain.predicted.flux - other.predicted.flux)[sites_of_the_test()]
    assert np.nanmax(moved) > 1e-3
    assert plain.score == other.score  # nothing of a tested tower is in the training


@pytest.mark.parametrize("model", MODELS)
def test_a_command_that_reads_it_counts_and_waits_for_no_pretraining(model):
    told = replace(MODELS[model], transfer=replace(CONFIG.transfer, name="stacking", simulated_flux="series"))
    assert pretrainings(told) == ()
    assert total_steps(told, 1) == (0 if model == "trees" else CONFIG.transfer.finetune.steps)


def test_days_that_it_does_not_cover_are_a_missing_driver(tmp_path):
    data = learned(tmp_path / "run", at_towers()).data
    known = data.view().fast_mask[..., data.roles.fast.index("GPP_simulated")]
    assert known[:, :DAYS].all() and not known[:, DAYS:].any()


@pytest.mark.parametrize("model", ["lstm", "trees"])
def test_the_rest_starts_from_it(tmp_path, model):
    """What a tested tower is simulated to have more, it is predicted to have more; no other tower hears of it."""
    plain, raised = (
        learned(tmp_path / folder, at_towers(change), "residual", align="units", config=MODELS[model])
        for folder, change in (
            ("plain", np.asarray),
            ("raised", lambda flux: flux + np.where(sites_of_the_test()[:, None], 5.0, 0.0).astype(np.float32)),
        )
    )
    more = (raised.predicted.flux - plain.predicted.flux)[sites_of_the_test(), :, 0]
    asked = np.isfinite(more)
    assert asked[:, :DAYS].any() and asked[:, DAYS:].any()
    np.testing.assert_allclose(more[:, :DAYS][asked[:, :DAYS]], 5.0, atol=1e-4)
    np.testing.assert_allclose(more[:, DAYS:][asked[:, DAYS:]], 0.0, atol=1e-4)
    assert raised.score == plain.score


@pytest.mark.parametrize("align", ["units", "moments"])
def test_where_it_is_missing_the_rest_starts_from_its_mean(tmp_path, align):
    data = learned(tmp_path / "run", at_towers(), "residual", align=align).data
    of = json.loads((tmp_path / "run" / "simulated_flux.json").read_text())["GPP"]
    assert data.base[:, DAYS:] == pytest.approx(of["observed_mean" if align == "moments" else "simulated_mean"])
    assert of["observed_mean"] < of["simulated_mean"] - 4.0


@pytest.mark.parametrize("model", ["lstm", "trees"])
def test_fluxes_in_balance_start_from_a_balance_and_keep_it(tmp_path, model):
    """The simulation counts fires to its net exchange and knows RECO of fewer days than GPP."""
    towers, pair = balance_cube(), PAIRS["carbon_balance"].pair
    simulation = towers.assign(NEE=towers["NEE"] + 0.7).isel(time=slice(DAYS))
    config = replace(MODELS[model], data=replace(CONFIG.data, pair=pair.name), output=str(tmp_path))
    series = {"name": "residual", "simulated_flux": "series", "align": "units"}
    config = replace(config, transfer=replace(config.transfer, **series))
    prepared = replace(prepared_of(towers, simulation), roles=choose(pair, [towers]))
    prepared = replace(prepared, towers=with_series(towers, simulation, pair), simulation=None)
    flux = learn(config, prepared, tiny_split(towers), tmp_path, RunProgress(1, False, speaks=False)).predicted.flux
    gpp, reco, nee = (flux[..., pair.targets.index(name)] for name in ("GPP", "RECO", "NEE"))
    assert np.isfinite(nee).any()
    np.testing.assert_allclose(nee, reco - gpp, atol=1e-5)


@pytest.mark.parametrize("model", ["lstm", "trees"])
def test_the_rest_to_a_perfect_simulation_is_nothing(tmp_path, model):
    said = learned(tmp_path / "run", perfect(), "residual", align="units", config=MODELS[model]).predicted.flux[..., 0]
    truth, asked = perfect()["GPP"].to_numpy(), np.isfinite(said)
    assert asked.any() and np.corrcoef(said[asked], truth[asked])[0, 1] > 0.99


def test_a_fold_without_a_simulated_training_day_is_refused(tmp_path):
    towers = tiny_cube()
    trained = tiny_split(towers).members("train", towers["site_id"].to_numpy())
    only_tested = at_towers(lambda flux: np.where(trained[:, None], np.nan, flux))
    with pytest.raises(UserError, match="no training day of GPP in fold 0 has a simulated flux; take"):
        learned(tmp_path / "run", only_tested)


def stored(folder: Path, simulation: xr.Dataset, name: str = "stacking", **keys: Any) -> Config:
    """The configuration of a run that reads towers and simulation from the disk of ``folder``."""
    folder.mkdir(exist_ok=True)
    write_zarr(tiny_cube().assign_attrs(title="towers"), folder / "towers.zarr")
    write_zarr(simulation, folder / "simulation.zarr")
    data = replace(CONFIG.data, root=str(folder), source=CubeSource(path="towers.zarr"))
    data = replace(data, simulation=CubeSource(path="simulation.zarr"), split=replace(data.split, folds=3, fold=0))
    transfer = replace(CONFIG.transfer, name=name, simulated_flux="series", **keys)
    data = replace(data, window=replace(data.window, scored_days=40))
    return replace(CONFIG, data=data, transfer=transfer, output=str(folder))


def moved(simulation: xr.Dataset, sites: slice) -> xr.Dataset:
    """The simulation with some of its places half a degree off."""
    lat = simulation["lat"].to_numpy().copy()
    lat[sites] += 0.5
    return simulation.assign_coords(lat=("site", lat))


def test_a_tower_without_a_simulated_place_lacks_one_driver_and_that_is_said(tmp_path):
    prepared: Prepared = prepare(stored(tmp_path, moved(at_towers(), slice(2, 4))))
    assert prepared.simulation is None
    known = np.isfinite(prepared.towers["GPP_simulated"].to_numpy()).any(1)
    assert np.flatnonzero(~known).tolist() == [2, 3]
    said = [note for note in prepared.notes if note.startswith("simulation: ")]
    assert said[-1] == "simulation: no day at 2 of 12 towers: XX-T02, XX-T03"
    assert "its flux is missing on" in said[-2]


@pytest.mark.parametrize(
    ("name", "sites", "words"),
    [
        ("residual", slice(2, 4), "at 2 of 12 sites, within 1 km or by the cell that holds them (XX-T02, XX-T03)"),
        ("residual", slice(2, 4), "take transfer=stacking"),
        ("stacking", slice(None), "at 12 of 12 sites"),
        ("stacking", slice(None), "XX-T04, ...); leave them out with data.sites, or take transfer.simulated_flux="),
    ],
)
def test_what_cannot_be_learned_without_it_is_refused_before_training(tmp_path, name, sites, words):
    with pytest.raises(UserError) as caught:
        prepare(stored(tmp_path, moved(at_towers(), sites), name))
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_years_without_towers_are_no_days(tmp_path):
    early = at_towers()
    early = early.assign_coords(
        time=("time", early["time"].to_numpy() - np.timedelta64(4000, "D"), early["time"].attrs)
    )
    with pytest.raises(UserError, match="no day of GPP at 12 of 12 sites"):
        prepare(stored(tmp_path, early))


@pytest.mark.parametrize(("name", "model"), [("stacking", "lstm"), ("residual", "trees")])
def test_a_finished_run_asks_the_simulation_again(tmp_path, name, model):
    config = replace(stored(tmp_path, at_towers(), name), model=MODELS[model].model)
    run = tmp_path / "run"
    run_all(config, prepare(config), run, [], RunProgress(4, False, speaks=False))
    own = xr.open_zarr(run / "predictions.zarr").load()
    towers = read(PAIR, config.data.source, tmp_path).drop_vars(["GPP", "GPP_qc", "GPP_measured"])
    said = predict_cube(finished_run(run), towers)
    here = [towers["site_id"].to_numpy().tolist().index(name) for name in own["site_id"].to_numpy()]
    np.testing.assert_allclose(said["prediction"][here], own["prediction"], rtol=1e-4, atol=1e-4)
    in_blocks = predict_in_blocks(finished_run(run), towers, tmp_path / "said.zarr", 5)
    np.testing.assert_allclose(in_blocks["prediction"], said["prediction"], rtol=1e-5, atol=1e-5)
    if model == "lstm":
        (fold,) = trained_folds(run)
        series = fold.data.cube["GPP_simulated"].to_numpy()
        assert np.nanmean(series) == pytest.approx(np.nanmean(tiny_cube()["GPP"].to_numpy()), abs=1.5)  # aligned
    away = towers.assign_coords(lat=towers["lat"] + 0.5)
    with pytest.raises(UserError, match=r"at 12 of 12 sites.*or train with transfer.simulated_flux=emulator"):
        predict_cube(finished_run(run), away)
    with pytest.raises(UserError, match="trained with TA, which this source does not declare"):
        predict_cube(finished_run(run), towers.drop_vars("TA"))
    (run / "simulated_flux.json").write_text("{}")
    with pytest.raises(UserError, match=r"simulated_flux\.json: no readable moments"):
        predict_cube(finished_run(run), towers)
