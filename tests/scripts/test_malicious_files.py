"""A run folder from elsewhere whose files would run code: each command refuses them in one line, and runs nothing."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from raciflux.errors import UserError

from .conftest import Finished, load_script

PLACES = ["data=wetland_ch4", "data.source.places=16", "data.source.years=3"]


class Intruder:
    """Pickles as a call that leaves a file behind."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[[], Any], tuple[()]]:
        return (self.trace.touch, ())


@pytest.fixture
def run(finished: Finished, tmp_path: Path) -> Path:
    """A copy of the finished run in which every checkpoint is a trap."""
    copy = Path(shutil.copytree(finished.folder, tmp_path / "run", symlinks=True))
    checkpoints = list(copy.rglob("*.ckpt"))
    assert len(checkpoints) >= 3
    for path in checkpoints:
        torch.save({"state_dict": {"network.a": torch.zeros(1)}, "hook": Intruder(tmp_path / "ran")}, path)
    return copy


def refused(script: str, arguments: list[str], said: str, trace: Path) -> None:
    with pytest.raises(UserError, match=said) as caught:
        load_script(script).main(arguments)
    assert "\n" not in str(caught.value)
    assert not trace.exists()


def test_the_trap_works(run: Path, tmp_path: Path) -> None:
    torch.load(run / "checkpoints" / "towers" / "best.ckpt", weights_only=False)
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("asks", [[], ["own_days=true"]], ids=["predict", "predict own days"])
def test_predict(run: Path, tmp_path: Path, asks: list[str]) -> None:
    output = f"output={tmp_path / 'predicted.zarr'}"
    refused("predict", [str(run), *PLACES, output, *asks], r"best\.ckpt: the checkpoint is damaged", tmp_path / "ran")


@pytest.mark.parametrize("stage", ["pretrain", "towers"])
def test_resume_of_a_stage_that_is_finished_or_broken_off(run: Path, tmp_path: Path, stage: str) -> None:
    shutil.rmtree(run / "predictions.zarr")
    if stage == "towers":
        (run / "checkpoints" / stage / "finished.json").unlink()
    refused("train", [f"resume={run}"], r"\.ckpt: the checkpoint is damaged", tmp_path / "ran")


def test_arrays_of_objects_in_a_bank(finished: Finished, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(finished.folder, tmp_path / "run", symlinks=True))
    with np.load(copy / "bank.npz") as stored:
        arrays = dict(stored)
    arrays["site_id"] = np.array([Intruder(tmp_path / "ran")], dtype=object)
    np.savez(copy / "bank.npz", **arrays, allow_pickle=True)
    refused("predict", [str(copy), *PLACES, f"output={tmp_path / 'x.zarr'}"], r"bank\.npz", tmp_path / "ran")
