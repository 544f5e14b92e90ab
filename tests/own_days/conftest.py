"""One finished run, and others made from it without training."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from raciflux.evaluation.run_folder import RunFolder, write_predictions

from .tiny_run import CALIBRATED, run_in, trained

MadeOnce = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def calibrated(made_once: MadeOnce) -> Path:
    command = ("model=climatology", CALIBRATED, "data.split.fold=null")
    return run_in(made_once("calibrated", lambda output: trained(output, *command)))


@pytest.fixture(scope="session")
def calibrated_mean(calibrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model of another seed, which says a little more on each day."""
    folder = tmp_path_factory.mktemp("mean") / "run"
    shutil.copytree(calibrated, folder)
    for place in folder.rglob("predictions.zarr"):
        said = RunFolder(place.parent).predictions()
        said["prediction"] = said["prediction"] + 2.0
        left = said.drop_vars([name for name in ("lower", "upper") if name in said]).assign_attrs(seed=1)
        write_predictions(left, place)
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("\nseed: 0\n", "\nseed: 1\n"))
    return folder


@pytest.fixture(scope="session")
def raci(made_once: MadeOnce) -> Path:
    sizes = [
        "model.hidden=8",
        "model.first_guess.trees.rounds=20",
        "transfer.finetune.steps=4",
        "transfer.finetune.check_every=4",
    ]
    return run_in(made_once("raci", lambda output: trained(output, "model=raci", "data.split.fold=null", *sizes)))


@pytest.fixture(scope="session")
def plain(calibrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run without out-of-fold predictions."""
    folder = tmp_path_factory.mktemp("plain") / "run"
    shutil.copytree(calibrated, folder, ignore=shutil.ignore_patterns("calibration"))
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("kind: cross_conformal", "kind: none"))
    return folder
