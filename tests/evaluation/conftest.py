import itertools
import json
from pathlib import Path

import pytest
import xarray as xr
from raciflux.atomic import write_text
from raciflux.evaluation.run_folder import RunFolder, write_predictions

from .fabricated import fabricate_predictions, fabricate_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A fabricated run folder with two baselines, the test's own to break."""
    return fabricate_run(tmp_path / "run")


@pytest.fixture
def written(tmp_path: Path):
    """Write predictions, or made-up ones of a model and a seed, as a run folder."""
    numbers = itertools.count()

    def write(predictions: xr.Dataset | None = None, *, config: str = "", score: float | None = None, **asked):
        if predictions is None:
            seed = asked.pop("seed", 0)
            asked = {"sites": 24, "years": 1, **asked, "error": asked.get("error", 1.0) + seed / 100}
            predictions = fabricate_predictions(**asked).assign_attrs(seed=seed, min_scored_days=60)
        folder = tmp_path / f"run{next(numbers)}"
        write_predictions(predictions, folder / "predictions.zarr")
        write_text(config, folder / "config.yaml")
        if score is not None:
            write_text(json.dumps({"score": score}), folder / "validation.json")
        return RunFolder(folder)

    return write
