import resource
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import xarray as xr
import zarr
from raciflux.errors import UserError
from raciflux.evaluation.run_folder import RunFolder, write_json, write_predictions

from .fabricated import fabricate_predictions


def test_predictions_come_back_as_written_and_say_what_they_are(run: Path):
    written, stored = fabricate_predictions(), RunFolder(run).predictions()
    for name in written.variables:
        np.testing.assert_array_equal(stored[name], written[name])
        assert stored[name].dtype.kind == written[name].dtype.kind, name
    assert stored.attrs["featureType"] == "timeSeries" and stored.attrs["Conventions"].startswith("CF-")
    assert stored["site_id"].attrs["cf_role"] == "timeseries_id"
    assert stored["prediction"].attrs["units"] == "gC m-2 d-1"
    assert stored["lat"].attrs["units"] == "degrees_north"
    assert zarr.open_group(run / "predictions.zarr").metadata.zarr_format == 3


def test_writing_again_replaces_and_leaves_nothing_beside(tmp_path: Path):
    for error in (1.0, 2.0):
        write_predictions(fabricate_predictions(sites=3, error=error), tmp_path / "predictions.zarr")
    stored = RunFolder(tmp_path).predictions()
    np.testing.assert_array_equal(stored["prediction"], fabricate_predictions(sites=3, error=2.0)["prediction"])
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.zarr"]


def test_folds_read_with_plain_xarray_pool_into_one_file(tmp_path: Path):
    whole = fabricate_predictions(sites=5)
    for name, sites in (("fold0", [0, 2]), ("fold1", [1, 3, 4])):
        write_predictions(whole.isel(site=sites), tmp_path / f"{name}.zarr")
    folds = [xr.open_zarr(tmp_path / f"fold{fold}.zarr").load() for fold in range(2)]
    write_predictions(xr.concat(folds, "site", combine_attrs="override"), tmp_path / "predictions.zarr")
    pooled = RunFolder(tmp_path).predictions()
    assert pooled["site_id"].to_numpy().tolist() == ["XX-S00", "XX-S02", "XX-S01", "XX-S03", "XX-S04"]
    assert pooled["igbp"].to_numpy().tolist() == whole["igbp"].to_numpy()[[0, 2, 1, 3, 4]].tolist()


@pytest.mark.filterwarnings("error")
def test_writing_and_reading_warn_of_nothing(tmp_path: Path):
    write_predictions(fabricate_predictions(sites=3), tmp_path / "predictions.zarr")
    RunFolder(tmp_path).predictions()


@pytest.mark.parametrize("write", ["predictions", "json"])
def test_a_full_disk_is_one_line_and_leaves_the_former_file(tmp_path: Path, write: str):
    former, path = fabricate_predictions(sites=3), tmp_path / "predictions.zarr"
    write_predictions(former, path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))  # the kernel refuses bytes beyond, as a full disk does
    try:
        with pytest.raises(UserError, match="cannot be written") as caught:
            if write == "predictions":
                write_predictions(fabricate_predictions(sites=3, error=2.0), path)
            else:
                write_json({"long": "x" * 5000}, tmp_path / "metrics.json")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == ["predictions.zarr"]
    np.testing.assert_array_equal(RunFolder(tmp_path).predictions()["prediction"], former["prediction"])


def spoil(predictions: xr.Dataset, how: str) -> xr.Dataset:
    if how == "attribute":
        del predictions.attrs["min_scored_days"]
    if how == "quality":
        predictions.attrs["quality"] = "good"
    if how == "variable":
        predictions = predictions.drop_vars("convention")
    if how == "dims":
        predictions = predictions.transpose("time", "site")
    if how == "twice":
        predictions = predictions.isel(site=[0, 1, 1])
    if how == "infinite":
        predictions["prediction"][1, 5] = np.inf
    return predictions


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("attribute", "min_scored_days"),
        ("quality", "'good' is unknown"),
        ("variable", "'convention' is missing"),
        ("dims", "has dims"),
        ("twice", "'XX-S01' stands there more than once"),
        ("infinite", "infinite prediction at site 'XX-S01'"),
    ],
)
def test_predictions_that_break_the_contract_are_not_written(tmp_path: Path, how: str, says: str):
    with pytest.raises(UserError, match=says) as caught:
        write_predictions(spoil(fabricate_predictions(sites=3), how), tmp_path / "predictions.zarr")
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_json_refuses_nan(tmp_path: Path):
    with pytest.raises(ValueError, match="JSON"):
        write_json({"r2": float("nan")}, tmp_path / "metrics.json")
    assert not list(tmp_path.iterdir())


def test_what_a_run_does_not_have_is_empty(tmp_path: Path):
    folder = RunFolder(tmp_path)
    assert folder.config_text() == "" and folder.metrics() is None and folder.versions() == {}
    assert folder.learning_curves() == {} and folder.neighbours() is None and folder.baselines() == []


def test_learning_curves_go_by_their_folder(run: Path):
    empty = run / "logs" / "started" / "metrics.csv"
    empty.parent.mkdir(parents=True)
    empty.touch()
    curves = RunFolder(run).learning_curves()
    assert list(curves) == ["fold0/pretrain", "fold0/towers", "fold1/pretrain", "fold1/towers"]
    assert {"step", "train/loss", "val/mean_rmse"} <= set(curves["fold0/pretrain"].columns)


def test_neighbours_of_all_folds_are_one_table(run: Path):
    pl.DataFrame([]).write_parquet(run / "fold0" / "neighbours.parquet")
    before = pl.read_parquet(run / "fold1" / "neighbours.parquet")
    assert RunFolder(run).neighbours().equals(before)


def test_a_broken_table_is_named(run: Path):
    (run / "fold1" / "neighbours.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(UserError, match=r"neighbours\.parquet: cannot be read"):
        RunFolder(run).neighbours()
