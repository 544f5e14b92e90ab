"""Every number of a run comes again from its folder alone."""

import shutil
from pathlib import Path

import pytest
import xarray as xr
from raciflux.errors import UserError
from raciflux.evaluation.run_folder import write_predictions

from .conftest import Finished, Run, load_script


def test_the_stored_numbers_are_the_recomputed_ones(finished: Finished, run_script: Run) -> None:
    done = run_script("evaluate", [str(finished.folder), "--check"])
    assert done.returncode == 0, done.stderr
    assert "site_mean" in done.stdout


def test_a_changed_prediction_is_noticed(finished: Finished, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished.folder, tmp_path / "run"))
    stored = xr.open_zarr(folder / "predictions.zarr").load()
    write_predictions(stored.assign(prediction=stored["prediction"] + 1), folder / "predictions.zarr")
    with pytest.raises(UserError, match="recomputed"):
        load_script("evaluate").main([str(folder), "--check"])
