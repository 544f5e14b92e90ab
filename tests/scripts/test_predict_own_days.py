"""Predictions in the light of what a user has measured: a gap is filled, a few days are gone on from."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from raciflux.datamodules.cube import write_zarr
from raciflux.errors import UserError

from worlds import carbon_cube

from .conftest import load_script
from .test_predict_uncertainty import trained

GAP = slice(300, 330)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = [
        "model=raci",
        "model.hidden=8",
        "model.first_guess.trees.rounds=20",
        "compare=[climatology]",
        "data.split.folds=3",
        "data.split.fold=0",
    ]
    return trained(tmp_path_factory.mktemp("own"), "terrestrial_carbon", carbon_cube(), *models)


def asked(run: Path, cube: xr.Dataset, folder: Path, name: str, *more: str) -> xr.Dataset:
    write_zarr(cube, folder / f"{name}.zarr")
    load_script("predict").main([str(run), f"data={folder / name}.zarr", *more, f"output={folder}/{name}_out.zarr"])
    with xr.open_zarr(folder / f"{name}_out.zarr") as made:
        return made.load()


def with_gap(cube: xr.Dataset, fill: float) -> xr.Dataset:
    """Nothing of the gap is measured; what stands there instead must not matter."""
    changed = cube.copy(deep=True)
    for name in ("GPP", "NEE"):
        changed[name][{"time": GAP}] = fill
        changed[f"{name}_measured"][{"time": GAP}] = 0.0
    return changed


def test_own_days_bring_a_gap_nearer_to_its_truth(run: Path, tmp_path: Path) -> None:
    cube = carbon_cube()
    cube["GPP"] = cube["GPP"] + 5.0  # sites unlike any that was trained on
    truth = cube["GPP"].to_numpy()[:, GAP]
    alone = asked(run, with_gap(cube, np.nan), tmp_path, "alone")
    shown = asked(run, with_gap(cube, np.nan), tmp_path, "shown", "own_days=true")
    error = {
        name: np.nanmean(np.abs(made["prediction_GPP"].transpose("site", "time").to_numpy()[:, GAP] - truth))
        for name, made in (("alone", alone), ("shown", shown))
    }
    assert error["shown"] < 0.5 * error["alone"]
    assert "own_days" in shown.attrs and "own_days" not in alone.attrs
    filled = asked(run, with_gap(cube, 99.0), tmp_path, "filled", "own_days=true")
    np.testing.assert_array_equal(filled["prediction_GPP"], shown["prediction_GPP"])


def test_a_target_that_was_never_measured_here_is_predicted_all_the_same(run: Path, tmp_path: Path) -> None:
    cube = carbon_cube().drop_vars(["NEE", "NEE_qc", "NEE_measured"])
    made = asked(run, cube, tmp_path, "one", "own_days=true")
    assert np.isfinite(made["prediction_NEE"]).any()


def test_days_that_are_not_there_and_models_that_do_not_look_are_refused(run: Path, tmp_path: Path) -> None:
    cube = carbon_cube()
    write_zarr(cube.drop_vars([name for name in cube if name.startswith(("GPP", "NEE"))]), tmp_path / "none.zarr")
    for place, said in ((run, "no measured day of GPP or NEE"), (run / "baselines" / "climatology", "does not look")):
        with pytest.raises(UserError, match=said):
            load_script("predict").main([str(place), f"data={tmp_path}/none.zarr", "own_days=true"])
    with pytest.raises(UserError, match="say true or false"):
        load_script("predict").main([str(run), f"data={tmp_path}/none.zarr", "own_days=yes"])
