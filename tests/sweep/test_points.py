"""How a point runs, ends and is said to stand; training is a script that does what its seed says."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from raciflux.config.compose import compose
from raciflux.errors import UserError
from raciflux.sweep.local import run_local
from raciflux.sweep.plan import plan, write_manifest
from raciflux.sweep.slurm import Told
from raciflux.sweep.status import lines, standings, summary, to_run
from raciflux.sweep.task import own_folder, read_state, run_point

TRAIN = """
import os, signal, sys, time
from pathlib import Path
import yaml

key, _, value = sys.argv[1].partition("=")
run = Path(yaml.safe_load(value))
seed = yaml.safe_load((run / "config.yaml").read_text())["seed"]
with (run / "attempts.txt").open("a") as file:
    file.write(f"{os.getpid()}\\n")
mended = run.parent / "mended"
if seed == 1 and not mended.exists():
    sys.exit("error: sites.csv, row 3: no latitude")
if seed == 2 and not mended.exists():
    os.kill(os.getpid(), signal.SIGKILL)
if seed == 3 and not mended.exists():
    raise ValueError("a defect")
while (run.parent / "wait").exists():
    time.sleep(0.02)
"""


@pytest.fixture
def train(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(TRAIN)
    return script


@pytest.fixture
def sweep(tmp_path):
    made = plan(["seed=0..3", "compare=[site_mean]", f"output='{tmp_path}/a: {{b'"], "trial", lambda config: None)
    write_manifest(made)
    return made


def attempts(sweep, number):
    path = sweep.place(number) / "attempts.txt"
    return path.read_text().split() if path.exists() else []


def test_failures_have_reasons_stop_nobody_and_only_they_run_again(sweep, train):
    said = []
    run_local(sweep, range(4), {}, 2, train, said.append)
    assert len(said) == 4
    stand = standings(sweep, {})
    assert [one.state for one in stand] == ["done", "failed", "failed", "failed"]
    assert stand[1].reason == "sites.csv, row 3: no latitude"
    assert "killed by signal 9" in stand[2].reason
    assert stand[3].reason == "ValueError: a defect"
    assert (summary(stand), to_run(stand)) == ("1 done, 3 failed", [1, 2, 3])
    assert lines(sweep, stand)[1] == "0001-seed1  failed   sites.csv, row 3: no latitude"
    (sweep.folder / "mended").touch()
    run_local(sweep, to_run(stand), {}, 1, train, said.append)
    assert summary(standings(sweep, {})) == "4 done"
    assert [len(attempts(sweep, number)) for number in range(4)] == [1, 2, 2, 2]


def test_a_point_is_made_ready_as_the_run_it_is(sweep, train):
    run_point(sweep, 0, train)
    run = sweep.place(0)
    written = (run / "config.yaml").read_text()
    assert "seed: 0" in written and "resume: null" in written
    for place in (run, run / "baselines" / "site_mean"):
        assert (place / "command.txt").read_text().startswith("python scripts/train.py seed=0 'compare=[site_mean]'")
    assert compose([f"resume={json.dumps(str(run))}"]).seed == 0


def test_a_finished_point_is_left_alone(sweep, train):
    run_point(sweep, 0, train)
    assert run_point(sweep, 0, train) == "finished before"
    assert len(attempts(sweep, 0)) == 1


def test_a_point_goes_on_with_the_configuration_that_it_began_with(sweep, train):
    with pytest.raises(UserError):
        run_point(sweep, 1, train)
    kept = sweep.place(1) / "config.yaml"
    kept.write_text(kept.read_text() + "# kept\n")
    (sweep.folder / "mended").touch()
    run_point(sweep, 1, train)
    assert kept.read_text().endswith("# kept\n")


def test_a_point_whose_recipes_were_changed_says_so(sweep, train, monkeypatch):
    monkeypatch.setattr("raciflux.sweep.plan.settings_of", lambda config: "another")
    with pytest.raises(UserError, match="0000-seed0: the recipes or defaults were changed"):
        run_point(sweep, 0, train)
    assert "recipes" in standings(sweep, {})[0].reason
    assert attempts(sweep, 0) == []


def test_a_point_counts_as_running_while_its_training_lives_and_as_failed_once_both_are_killed(sweep, train):
    (sweep.folder / "wait").touch()
    code = "import sys; from pathlib import Path; from raciflux.sweep.plan import load_sweep\n"
    code += "from raciflux.sweep.task import run_point; run_point(load_sweep(Path(sys.argv[1])), 0, Path(sys.argv[2]))"
    task = subprocess.Popen([sys.executable, "-c", code, str(sweep.folder), str(train)])
    deadline = time.monotonic() + 60
    while not attempts(sweep, 0) and time.monotonic() < deadline:
        time.sleep(0.05)
    task.kill()
    task.wait()
    assert [one.state for one in standings(sweep, {})] == ["running", "missing", "missing", "missing"]
    os.kill(int(attempts(sweep, 0)[0]), signal.SIGKILL)
    while standings(sweep, {})[0].state == "running" and time.monotonic() < deadline:
        time.sleep(0.05)
    stand = standings(sweep, {})
    assert stand[0].state == "failed" and "without a word" in stand[0].reason
    assert to_run(stand) == [0, 1, 2, 3]


def test_who_looks_disturbs_nobody_and_a_second_task_waits(sweep, train):
    own = own_folder(sweep.place(0))
    own.mkdir(parents=True)
    with (own / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_SH)  # as who asks for the state does
        assert standings(sweep, {})[0].state == "missing"
        fcntl.flock(held, fcntl.LOCK_EX)
        assert standings(sweep, {})[0].state == "running"
        release = threading.Timer(0.5, fcntl.flock, (held, fcntl.LOCK_UN))
        release.start()
        assert run_point(sweep, 0, train).startswith("finished")
        release.join()


@pytest.mark.parametrize(
    ("told", "state", "reason"),
    [
        (Told("RUNNING", "7_0", "None"), "running", "Slurm job 7_0"),
        (Told("PENDING", "7_0", "Resources"), "queued", "Slurm job 7_0: Resources"),
        (Told("CANCELLED", "7_0"), "failed", "Slurm job 7_0 ended as CANCELLED"),
        (Told("", "7_0"), "failed", "Slurm job 7_0 ended before the point began"),
        (Told("OUT_OF_MEMORY", "7_0"), "failed", "Slurm job 7_0 ended as OUT_OF_MEMORY"),
    ],
)
def test_slurm_is_heard_of_points_that_left_no_word(sweep, train, told, state, reason):
    stand = standings(sweep, {0: told})
    assert (stand[0].state, stand[0].reason) == (state, reason)
    with pytest.raises(UserError):
        run_point(sweep, 1, train)
    own_word = standings(sweep, {1: Told("FAILED", "7_1")})[1]
    assert own_word.reason == "sites.csv, row 3: no latitude"
    run_point(sweep, 0, train)
    assert standings(sweep, {0: told})[0].state == "done"


def test_a_state_that_cannot_be_read_is_said(sweep):
    own = own_folder(sweep.place(0))
    own.mkdir(parents=True)
    (own / "state.json").write_text("{")
    with pytest.raises(UserError, match=r"state\.json: cannot be read"):
        read_state(sweep.place(0))
