"""One run on two nodes of a real Slurm: ranks are killed, it is gone on with, and says what one process says."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from raciflux.sweep.plan import load_sweep
from raciflux.sweep.slurm import told_by_slurm
from raciflux.sweep.status import DONE, LOST, standings
from tiny_run import SCRATCH, SILENT, TINY

pytestmark = pytest.mark.slurm

SCRIPTS = Path(__file__).parents[2] / "scripts"
KILLED = Path(__file__).with_name("killed_train.py")
RUN = [
    *(*TINY, *SCRATCH, SILENT),
    *("model.dropout=0", "trainer.accelerator=cpu", "data.split.fold=0"),
    *("transfer.finetune.steps=30", "transfer.finetune.check_every=10"),
]
ON_TWO_NODES = ["trainer=ddp", "trainer.num_nodes=2"]
# Who is killed, and when: checkpoints are written at steps 10, 20 and 30. Each session goes on from the one before.
FAULTS = [("1", "13"), ("0", "24"), ("0", "merge")]


@dataclass
class Story:
    """A run on two nodes, session by session."""

    folder: Path
    sessions: list["subprocess.CompletedProcess[str]"] = field(default_factory=list)

    def call(self, *command: str, on_nodes: bool = True) -> "subprocess.CompletedProcess[str]":
        srun = ["srun", "--nodes=2", "--ntasks-per-node=1"] if on_nodes else []
        command = (*srun, sys.executable, *command)
        one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, cwd=self.folder, env=one_thread, capture_output=True, text=True, timeout=200)
        self.sessions.append(done)
        return done

    def run_of(self, name: str) -> Path:
        (run,) = (self.folder / name).glob("*/*")
        return run


def said(run: Path) -> xr.Dataset:
    return xr.open_zarr(run / "predictions.zarr").load()


@pytest.fixture(scope="module")
def alone(slurm: None, tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    """What one process says, undisturbed."""
    story = Story(tmp_path_factory.mktemp("alone"))
    done = story.call(str(SCRIPTS / "train.py"), *RUN, "output=one", on_nodes=False)
    assert done.returncode == 0, done.stderr
    return said(story.run_of("one"))


@pytest.fixture(scope="module")
def story(slurm: None, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Train on two nodes; three times a rank is killed, and the run is gone on with each time."""
    told = Story(tmp_path_factory.mktemp("nodes"))
    arguments = [*RUN, *ON_TWO_NODES, "output=two"]
    for rank, when in FAULTS:
        told.call(str(KILLED), rank, when, *arguments)
        arguments = [f"resume={told.run_of('two')}"]
    told.call(str(SCRIPTS / "train.py"), *arguments)
    return told


def test_every_fault_ends_the_whole_step_and_no_traceback_is_shown(story: Story) -> None:
    *disturbed, last = story.sessions
    assert len(disturbed) == len(FAULTS) == 3
    for (rank, when), session in zip(FAULTS, disturbed, strict=True):
        assert session.returncode != 0, (rank, when, session.stderr)
        assert f"task {rank}: Killed" in session.stderr, (rank, when, session.stderr)
        assert "Traceback" not in session.stderr
    assert last.returncode == 0, last.stderr


def test_a_rank_that_is_lost_is_named_in_one_line(story: Story) -> None:
    errors = [line for line in story.sessions[0].stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert errors[0].startswith("error: rank 1 on two of the training is gone: killed") and "resume=RUN" in errors[0]


def test_three_faults_on_two_nodes_leave_what_one_undisturbed_process_leaves(story: Story, alone: xr.Dataset) -> None:
    run = story.run_of("two")
    two = said(run)
    assert two["site_id"].to_numpy().tolist() == alone["site_id"].to_numpy().tolist()
    assert len(set(two["site_id"].to_numpy().tolist())) == two.sizes["site"]  # each key once
    assert two.sizes == alone.sizes and two["time"].equals(alone["time"])
    np.testing.assert_allclose(two["prediction"], alone["prediction"], rtol=1e-5, atol=1e-4)  # of fluxes up to 100
    left = [path.name for path in run.rglob("*") if "shard" in path.name or path.name.startswith(".step")]
    assert left == []


@pytest.mark.slow  # what sbatch and srun are told is held in tests/sweep
def test_a_page_with_two_nodes_starts_a_point_on_both(alone: xr.Dataset, tmp_path: Path) -> None:
    page = tmp_path / "page.yaml"
    page.write_text("nodes: 2\n")
    told = Story(tmp_path)
    done = told.call(*(str(SCRIPTS / "sweep.py"), *RUN, *ON_TWO_NODES, "sweep=pair", f"cluster={page}"), on_nodes=False)
    assert done.returncode == 0, done.stderr
    sweep = load_sweep(tmp_path / "runs" / "pair")
    deadline = time.monotonic() + 200
    while (state := standings(sweep, told_by_slurm(sweep))[0]).state not in (DONE, LOST):
        assert time.monotonic() < deadline, state
        time.sleep(0.5)
    (log,) = (tmp_path / "runs" / "pair" / "slurm").glob("*.txt")
    assert state.state == DONE, (state, log.read_text())
    two = said(sweep.place(0))
    np.testing.assert_allclose(two["prediction"], alone["prediction"], rtol=1e-5, atol=1e-4)
    assert "trainer:\n  accelerator: cpu\n" in (sweep.place(0) / "config.yaml").read_text()
