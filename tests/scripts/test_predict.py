"""Predicting new places with a finished run."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from raciflux.config.sources import EmbeddedSource
from raciflux.datamodules.cube import write_zarr
from raciflux.datamodules.sources import read
from raciflux.errors import UserError
from raciflux.workflow.apply import read_places

from .conftest import Finished, load_script

PLACES = ["data=wetland_ch4", "data.source.places=16", "data.source.years=3"]


@pytest.fixture(scope="module")
def drivers_only() -> xr.Dataset:
    """The towers of the tiny world without any flux."""
    cube = read("wetland_ch4", EmbeddedSource(places=16, years=3), Path())
    return cube.drop_vars([name for name in cube.data_vars if str(name).startswith("FCH4")])


def test_places_are_predicted_without_targets_as_in_the_run_itself(
    finished: Finished, drivers_only: xr.Dataset, tmp_path: Path
) -> None:
    write_zarr(drivers_only, tmp_path / "places.zarr")
    output = tmp_path / "predicted.zarr"
    load_script("predict").main([str(finished.folder), f"data={tmp_path / 'places.zarr'}", f"output={output}"])
    predicted = xr.open_zarr(output).load()
    assert predicted.sizes["site"] == 16
    assert predicted["prediction"].attrs["units"] == "nmol m-2 s-1"
    assert predicted.attrs["Conventions"].startswith("CF-") and predicted["site_id"].attrs["cf_role"] == "timeseries_id"
    tested = xr.open_zarr(finished.folder / "predictions.zarr").load()
    here = [list(predicted["site_id"].to_numpy()).index(name) for name in tested["site_id"].to_numpy()]
    np.testing.assert_allclose(
        predicted["prediction"].to_numpy()[here], tested["prediction"].to_numpy(), rtol=1e-4, atol=1e-4
    )


def test_places_are_told_how_far_they_are_from_the_bank(
    finished: Finished, drivers_only: xr.Dataset, tmp_path: Path
) -> None:
    write_zarr(drivers_only, tmp_path / "places.zarr")
    output = tmp_path / "predicted.zarr"
    load_script("predict").main([str(finished.folder), f"data={tmp_path / 'places.zarr'}", f"output={output}"])
    predicted, tested = (xr.open_zarr(path).load() for path in (output, finished.folder / "predictions.zarr"))
    here = [list(predicted["site_id"].to_numpy()).index(name) for name in tested["site_id"].to_numpy()]
    for name in ("dissimilarity_slow", "dissimilarity_fast"):
        assert predicted[name].dims == ("site",) and predicted[name].attrs["units"] == "1"
        assert predicted[name].attrs["threshold"] == pytest.approx(tested[name].attrs["threshold"])
        np.testing.assert_allclose(predicted[name].to_numpy()[here], tested[name].to_numpy(), rtol=1e-5)
    np.testing.assert_array_equal(predicted["inside_area"].to_numpy()[here], tested["inside_area"].to_numpy())
    assert predicted["inside_area"].dtype == np.int8
    masked = predicted["prediction"].where(predicted["inside_area"] == 1)
    outside = predicted["inside_area"].to_numpy() == 0
    assert np.isnan(masked.to_numpy()[outside]).all() and np.isfinite(masked.to_numpy()[~outside]).any()


def test_a_recipe_names_the_places_too(finished: Finished, tmp_path: Path) -> None:
    output = tmp_path / "predicted.zarr"
    load_script("predict").main([str(finished.folder), *PLACES, "data.source.seed=5", f"output={output}"])
    assert np.isfinite(xr.open_zarr(output)["prediction"].to_numpy()).any()


@pytest.mark.parametrize("lost", ["TA", "VPD", "soil_ph", "wetland"])
def test_a_missing_input_is_refused_by_name(
    finished: Finished, drivers_only: xr.Dataset, tmp_path: Path, lost: str
) -> None:
    write_zarr(drivers_only.drop_vars(lost), tmp_path / "places.zarr")
    with pytest.raises(UserError, match=lost):
        load_script("predict").main(
            [str(finished.folder), f"data={tmp_path / 'places.zarr'}", f"output={tmp_path}/p.zarr"]
        )
    assert not (tmp_path / "p.zarr").exists()


def test_a_place_without_a_required_driver_is_refused(
    finished: Finished, drivers_only: xr.Dataset, tmp_path: Path
) -> None:
    silent = drivers_only.copy(deep=True)
    silent["TA"][{"site": 2}] = np.nan
    write_zarr(silent, tmp_path / "places.zarr")
    with pytest.raises(UserError, match=str(silent["site_id"].to_numpy()[2])):
        load_script("predict").main(
            [str(finished.folder), f"data={tmp_path / 'places.zarr'}", f"output={tmp_path}/p.zarr"]
        )


@pytest.mark.parametrize(
    ("more", "said"), [(["data.sites=[NOPE]"], "NOPE"), (["nonsense=3"], "nonsense"), (["data.stes=[A]"], "data.sites")]
)
def test_what_is_said_beside_a_cube_is_heard(
    finished: Finished, drivers_only: xr.Dataset, tmp_path: Path, more: list[str], said: str
) -> None:
    write_zarr(drivers_only, tmp_path / "places.zarr")
    with pytest.raises(UserError, match=said):
        load_script("predict").main(
            [str(finished.folder), f"data={tmp_path / 'places.zarr'}", *more, f"output={tmp_path}/p.zarr"]
        )


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("bank.npz", "bank"),
        ("scaler.yaml", "scaler"),
        ("checkpoints/towers/best.ckpt", "checkpoint"),
        ("predictions.zarr", "not finished"),
        ("hidden", "do not fit"),
    ],
)
def test_a_broken_run_folder_is_one_line(finished: Finished, tmp_path: Path, broken: str, said: str) -> None:
    folder = Path(shutil.copytree(finished.folder, tmp_path / "run"))
    if broken == "hidden":
        config = folder / "config.yaml"
        config.write_text(config.read_text().replace("hidden: 8", "hidden: 7"))
    elif (folder / broken).is_dir():
        shutil.rmtree(folder / broken)
    else:
        (folder / broken).unlink()
    with pytest.raises(UserError, match=said):
        load_script("predict").main([str(folder), *PLACES, f"output={tmp_path}/p.zarr"])


def test_another_unit_is_refused(finished: Finished, drivers_only: xr.Dataset, tmp_path: Path) -> None:
    kelvin = drivers_only.assign(TA=(drivers_only["TA"] + 273.15).assign_attrs(units="K"))
    write_zarr(kelvin, tmp_path / "places.zarr")
    with pytest.raises(UserError, match=r"TA.*K.*degC"):
        load_script("predict").main(
            [str(finished.folder), f"data={tmp_path / 'places.zarr'}", f"output={tmp_path}/p.zarr"]
        )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{run}"], "say which places"),
        (["data=wetland_ch4"], "first argument is the run folder"),
        (["{run}/nowhere", *PLACES], "nowhere"),
        (["{run}", "data=nothing_like_it"], "nothing_like_it"),
        (["{run}", "data=missing.zarr"], "missing.zarr"),
        (["{run}", *PLACES, "output={run}"], "exists already"),
        (["{run}", "data=cropland_gpp"], "data=cropland_gpp is of data.pair=cropland_gpp, and .* predicts wetland_ch4"),
        (["{run}", *PLACES, "data.pair=cropland_gpp"], "data.pair=cropland_gpp, and .* predicts wetland_ch4"),
    ],
)
def test_a_mistake_is_said(finished: Finished, arguments: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        load_script("predict").main([argument.format(run=finished.folder) for argument in arguments])


def test_data_of_another_pair_are_predicted_where_the_run_s_own_is_asked_for(finished: Finished) -> None:
    wetlands = ["data=cropland_gpp", *PLACES[1:], "data.pair=wetland_ch4"]
    asked = read_places(finished.folder, wetlands)
    assert "wetland" in asked and "FCH4" in asked


def test_an_ensemble_names_its_members(finished: Finished, tmp_path: Path) -> None:
    ensemble = tmp_path / "ensemble"
    shutil.copytree(finished.folder / "predictions.zarr", ensemble / "predictions.zarr")
    shutil.copy(finished.folder / "config.yaml", ensemble)
    (ensemble / "members.json").write_text('["runs/a", "runs/b"]')
    with pytest.raises(UserError, match="this is an ensemble; predict with its members: runs/a, runs/b"):
        load_script("predict").main([str(ensemble), *PLACES, f"output={tmp_path}/p.zarr"])
