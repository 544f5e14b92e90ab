"""A training on two devices of which one is killed: nobody waits for the dead, and what is gone on with is the same."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import xarray as xr

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "scripts" / "train.py"
SMALL = [
    *("data.source.places=16", "data.source.years=3", "data.split.folds=3", "data.split.min_scored_days=30"),
    *("model=lstm", "model.hidden=8", "compare=[]", "transfer=scratch", "transfer.finetune.steps=300"),
    *("transfer.finetune.check_every=20", "transfer.finetune.patience=1000", "transfer.finetune.batch_size=8"),
    *("trainer.devices=2", "trainer.accelerator=cpu", "trainer.progress=false", "report=false"),
    "logger.wandb=disabled",
]


def wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 200
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def children(of: int) -> list[int]:
    """Processes below a process, in the order of their start."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout.split()
    parents = dict(zip(map(int, listed[::2]), map(int, listed[1::2]), strict=True))
    own = sorted(pid for pid, parent in parents.items() if parent == of)
    return [*own, *(below for pid in own for below in children(pid))]


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def step(folder: Path) -> int:
    """Time of the last checkpoint, by which one knows that another was made."""
    found = list(folder.glob("**/last.ckpt"))
    return found[0].stat().st_mtime_ns if found else 0


def test_a_killed_rank_and_a_killed_coordinator(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT)]
    subprocess.run([*command, *SMALL, f"output={tmp_path / 'whole'}"], check=True, capture_output=True)
    arguments = [*SMALL, f"output={tmp_path / 'killed'}"]
    for victim in ("rank one", "rank zero", "asked to stop"):
        before = step(tmp_path / "killed")
        run = subprocess.Popen([*command, *arguments], stderr=subprocess.PIPE, text=True)
        wait(lambda since=before: step(tmp_path / "killed") != since)  # type: ignore[misc]
        others = children(run.pid)
        if victim == "asked to stop":
            run.send_signal(signal.SIGTERM)
        else:
            os.kill(others[-1] if victim == "rank one" else run.pid, signal.SIGKILL)
        _, said = run.communicate(timeout=60)
        assert run.returncode == {"rank one": 2, "rank zero": -9, "asked to stop": 75}[victim], said
        wait(lambda of=others: not any(map(alive, of)))  # type: ignore[misc]
        (folder,) = (tmp_path / "killed").glob("*/*")
        arguments = [f"resume={folder}"]
    subprocess.run([*command, *arguments], check=True, capture_output=True)
    whole, killed = (next(tmp_path.glob(f"{name}/*/*/predictions.zarr")) for name in ("whole", "killed"))
    xr.testing.assert_identical(xr.open_zarr(whole).load(), xr.open_zarr(killed).load())
