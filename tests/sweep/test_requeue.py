"""A task that is asked to make room, with programs that stand in for Slurm's and for training."""

import os
import signal
import threading
import time

import pytest
from raciflux.errors import UserError
from raciflux.sweep.plan import plan, write_manifest
from raciflux.sweep.requeue import run_task
from raciflux.sweep.slurm import Told
from raciflux.sweep.status import standings, to_run

TRAIN = """
import os, signal, sys, time
from pathlib import Path
here = Path(__file__).parent
ends = (here / "ends.txt").read_text().split()
(here / "ends.txt").write_text(" ".join(ends[1:]))
if ends[0] == "waits":
    def heard(number, frame):
        (here / "heard.txt").write_text(str(number))
        sys.exit(75)
    signal.signal(signal.SIGUSR1, heard)
    (here / "listens").touch()
    time.sleep(60)
if int(ends[0]) < 0:
    os.kill(os.getpid(), -int(ends[0]))
sys.exit(int(ends[0]))
"""


@pytest.fixture
def sweep(tmp_path):
    made = plan([f"output={tmp_path}"], "trial", lambda config: None)
    write_manifest(made)
    return made


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Slurm's programs, of which squeue says that the task runs; and what it is called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "7")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    stand_in(folder, "squeue", "echo RUNNING")
    stand_in(folder, "scontrol", f'echo "$@" >> {folder}/asked.txt')
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}
    yield folder
    for number, handler in kept.items():
        signal.signal(number, handler)


def stand_in(folder, name, line):
    (folder / name).write_text(f"#!/bin/bash\n{line}\n")
    (folder / name).chmod(0o755)


def asked(programs):
    path = programs / "asked.txt"
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def train(tmp_path):
    """Return what makes a training that ends, session by session, with these statuses."""

    def make(*ends):
        (tmp_path / "ends.txt").write_text(" ".join(map(str, ends)))
        script = tmp_path / "train.py"
        script.write_text(TRAIN)
        return script

    return make


@pytest.mark.parametrize("status", [75, 76, -15, -10])  # the last two: before it listened
def test_a_stopped_point_is_queued_up_again_and_goes_on(sweep, programs, train, status):
    script = train(status, 0)
    assert run_task(sweep, 0, script) == "asked to stop, and queued up again"
    assert asked(programs) == ["requeue 7_0"]
    assert standings(sweep, {0: Told("PENDING", "7_0", "BeginTime")})[0].state == "queued"
    assert standings(sweep, {})[0].reason.startswith("asked to stop") and to_run(standings(sweep, {})) == [0]
    assert run_task(sweep, 0, script).startswith("finished in")
    assert standings(sweep, {})[0].state == "done" and len(asked(programs)) == 1


def test_what_is_cancelled_is_not_queued_up_again(sweep, programs, train):
    stand_in(programs, "squeue", "echo CANCELLED")
    assert "the same command goes on" in run_task(sweep, 0, train(75))
    assert asked(programs) == []


def test_a_slurm_that_does_not_take_it_again_is_a_failure(sweep, programs, train):
    stand_in(programs, "scontrol", "echo Requested operation is presently disabled >&2; exit 1")
    with pytest.raises(UserError, match="does not queue it up again: Requested operation"):
        run_task(sweep, 0, train(75))
    assert standings(sweep, {0: Told("FAILED", "7_0")})[0].reason.endswith("presently disabled")


def test_a_point_that_never_keeps_anything_new_is_not_queued_for_ever(sweep, programs, train):
    script = train(76, 76, 75, 76, 76, 76, 0)
    for _ in range(5):
        run_task(sweep, 0, script)
    with pytest.raises(UserError, match="asked to stop 3 times in a row before it could keep anything new"):
        run_task(sweep, 0, script)
    assert len(asked(programs)) == 5
    assert "give it more time" in standings(sweep, {})[0].reason
    assert run_task(sweep, 0, script).startswith("finished in"), "submitted again it begins to count anew"


def test_a_signal_is_handed_to_the_training(sweep, programs, train, tmp_path):
    def ask():
        while not (tmp_path / "listens").exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGUSR1)

    asking = threading.Thread(target=ask)
    asking.start()
    assert run_task(sweep, 0, train("waits")) == "asked to stop, and queued up again"
    asking.join()
    assert (tmp_path / "heard.txt").read_text() == str(int(signal.SIGUSR1))
