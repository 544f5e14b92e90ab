import resource
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import xarray as xr
import zarr
from raciflux.errors import UserError
from raciflux.evaluation.run_folder import RunFolder, write_json, write_predictions

from .fabricated import fabricate_predictions, fabricate_targets, with_distance, with_uncertainty


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
        predictions = predictions.transpose("time", "site", ...)
    if how == "twice":
        predictions = predictions.isel(site=[0, 1, 1])
    if how == "day twice":
        predictions = predictions.isel(time=[0, 1, 1])
    if how == "infinite":
        predictions["prediction"][1, 5] = np.inf
    if how == "infinite bound":
        predictions["upper"][1, 5] = np.inf
    if how == "crossed":
        predictions["lower"][2, 7] = predictions["upper"][2, 7] + 1
    if how == "one bound":
        predictions = predictions.drop_vars("lower")
    if how == "no method":
        del predictions.attrs["interval_method"]
    if how == "level":
        predictions.attrs["interval_level"] = 90
    if how == "levels":
        predictions = predictions.assign_coords(quantile=predictions["quantile"].to_numpy()[::-1])
    if how == "level of 1":
        predictions = predictions.assign_coords(quantile=np.linspace(0.1, 1, predictions.sizes["quantile"]))
    if how == "no levels":
        predictions = predictions.drop_vars("quantile")
    if how == "quantile dims":
        predictions["prediction_quantile"] = predictions["prediction_quantile"].transpose("site", "time", "quantile")
    if how == "question":
        predictions.attrs["question"] = "new_sites"
    if how == "causal":
        predictions.attrs["causal"] = "yes"
    if how == "infinite distance":
        predictions["dissimilarity_fast"][1] = np.inf
    if how == "negative distance":
        predictions["dissimilarity_slow"][2] = -0.1
    if how == "one role":
        predictions = predictions.drop_vars("dissimilarity_slow")
    if how == "no threshold":
        del predictions["dissimilarity_fast"].attrs["threshold"]
    if how == "no flag":
        predictions = predictions.drop_vars("inside_area")
    if how == "flag":
        predictions["inside_area"][0] = 2
    if how == "distance dims":
        predictions["inside_area"] = predictions["inside_area"].expand_dims(time=predictions["time"])
    return predictions


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("attribute", "min_scored_days"),
        ("quality", "'good' is unknown"),
        ("variable", "'convention' is missing"),
        ("dims", "has dims"),
        ("twice", "'XX-S01' stands there more than once"),
        ("day twice", "day 2005-01-02 stands there more than once"),
        ("infinite", "infinite prediction at site 'XX-S01'"),
        ("infinite bound", "infinite upper at site 'XX-S01'"),
        ("crossed", "'lower' is above 'upper' at site 'XX-S02'"),
        ("one bound", "'lower' is missing"),
        ("no method", "interval_method"),
        ("level", "interval_level"),
        ("levels", "expected them to increase"),
        ("level of 1", "expected them to increase"),
        ("no levels", "'quantile' is missing"),
        ("quantile dims", "'prediction_quantile' has dims"),
        ("question", "'new_sites' is unknown"),
        ("causal", "'causal' is 'yes'"),
        ("infinite distance", "infinite dissimilarity_fast at site 'XX-S01': it may see nothing"),
        ("negative distance", "negative dissimilarity_slow at site 'XX-S02'"),
        ("one role", "'dissimilarity_slow' is missing"),
        ("no threshold", "'dissimilarity_fast' has no attribute 'threshold'"),
        ("no flag", "'inside_area' is missing"),
        ("flag", "other values than 0 and 1"),
        ("distance dims", "'inside_area' has dims"),
    ],
)
def test_predictions_that_break_the_contract_are_not_written(tmp_path: Path, how: str, says: str):
    with pytest.raises(UserError, match=says) as caught:
        whole = with_distance(with_uncertainty(fabricate_predictions(sites=3)))
        write_predictions(spoil(whole, how), tmp_path / "predictions.zarr")
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
    assert {"step", "train/loss", "val/score"} <= set(curves["fold0/pretrain"].columns)


def test_neighbours_of_all_folds_are_one_table(run: Path):
    pl.DataFrame([]).write_parquet(run / "fold0" / "neighbours.parquet")
    before = pl.read_parquet(run / "fold1" / "neighbours.parquet")
    assert RunFolder(run).neighbours().equals(before)


def test_context_and_seasons_are_those_of_the_target(tmp_path: Path):
    run = fabricate_targets(tmp_path / "run")
    for name in ("context", "neighbour_seasons"):
        for fold in range(2):
            file = run / f"fold{fold}" / f"{name}.parquet"
            own = pl.read_parquet(file)
            pl.concat([own, own.with_columns(target=pl.lit("NEE")).head(2)]).write_parquet(file)
    gpp, nee = (RunFolder(run, target) for target in ("GPP", "NEE"))
    for read in (RunFolder.context, RunFolder.neighbour_seasons):
        assert read(nee).height == 4 and set(read(nee)["target"]) == {"NEE"} and set(read(gpp)["target"]) == {"GPP"}
    for file in run.glob("fold*/context.parquet"):
        pl.read_parquet(file).filter(target="GPP").write_parquet(file)
    assert nee.context() is None and RunFolder(run / "baselines" / "lstm", "GPP").context() is None


def test_a_broken_table_is_named(run: Path):
    (run / "fold1" / "neighbours.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(UserError, match=r"neighbours\.parquet: cannot be read"):
        RunFolder(run).neighbours()


def test_uncertainty_comes_back_as_written_and_says_what_it_is(tmp_path: Path):
    written = with_uncertainty(fabricate_predictions(sites=3)).assign_attrs(question="new_years", causal=0, seed=3)
    write_predictions(written, tmp_path / "predictions.zarr")
    stored = RunFolder(tmp_path).predictions()
    for name in ("lower", "upper", "prediction_quantile", "prediction_spread"):
        np.testing.assert_array_equal(stored[name], written[name])
        assert stored[name].attrs["units"] == "gC m-2 d-1" and stored[name].attrs["long_name"]
    np.testing.assert_array_equal(stored["quantile"], written["quantile"])
    assert stored["prediction"].attrs["ancillary_variables"] == "lower upper"
    assert (stored.attrs["interval_level"], stored.attrs["question"], stored.attrs["seed"]) == (0.9, "new_years", 3)


def test_the_distance_to_a_bank_comes_back_as_written(tmp_path: Path):
    written = with_distance(fabricate_predictions(sites=3))
    written["dissimilarity_slow"][1] = np.nan
    write_predictions(written, tmp_path / "predictions.zarr")
    stored = RunFolder(tmp_path).predictions()
    for name in ("dissimilarity_slow", "dissimilarity_fast", "inside_area"):
        np.testing.assert_array_equal(stored[name], written[name])
        assert stored[name].dtype == written[name].dtype
    assert stored["dissimilarity_slow"].attrs["threshold"] == 0.9 and stored["inside_area"].dtype == np.int8
    assert stored["inside_area"].attrs["flag_meanings"] == "outside inside"


def test_an_interval_may_be_missing_on_some_days(tmp_path: Path):
    predictions = with_uncertainty(fabricate_predictions(sites=3))
    predictions["lower"][0], predictions["upper"][0] = np.nan, np.nan
    write_predictions(predictions, tmp_path / "predictions.zarr")


def test_each_target_of_a_run_has_its_own_numbers_and_shares_its_identity(tmp_path: Path):
    run = fabricate_targets(tmp_path / "run")
    write_predictions(fabricate_predictions(), run / "baselines" / "alone" / "targets" / "GPP" / "predictions.zarr")
    write_predictions(fabricate_predictions(), run / "baselines" / "single" / "predictions.zarr")
    assert RunFolder(run).targets() == ("GPP", "NEE")
    folder = RunFolder(run, "NEE")
    assert folder.scored_path == run / "targets" / "NEE" and folder.predictions().attrs["target"] == "NEE"
    write_json({"r2": 1}, folder.scored_path / "metrics.json")
    assert folder.metrics() == {"r2": 1} and RunFolder(run, "GPP").metrics() is None
    assert folder.command() == RunFolder(run).command() != "" and folder.neighbours() is not None
    assert [(model.path.name, model.target) for model in folder.baselines()] == [("lstm", "NEE")]
    assert [model.path.name for model in RunFolder(run, "GPP").baselines()] == ["alone", "lstm"]


@pytest.mark.parametrize("target", [None, "CH4"])
def test_a_target_must_be_one_of_the_run(tmp_path: Path, target: str | None):
    run = fabricate_targets(tmp_path / "run")
    with pytest.raises(UserError, match="GPP, NEE") as caught:
        RunFolder(run, target).predictions()
    assert "\n" not in str(caught.value)
