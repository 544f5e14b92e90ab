"""A sweep from the command line: checked before it starts, run here two at a time, one killed, and gone on with."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from raciflux.errors import UserError

from .conftest import CANARY, SCRIPTS, TINY, Run, load_script

GRID = [
    *(text for text in TINY if text.startswith(("data.source", "data.split", "trainer", "report"))),
    "model=site_mean,climatology",
    "data.split.fold=0..1",
    "compare=[]",
    "transfer=scratch",
    "logger.wandb=disabled",
    "data.root='$(touch x); `touch x`'",
    "sweep=four",
]
KILLED = "0001-site_mean-fold1"


@dataclass(frozen=True)
class Swept:
    """A sweep of which one point was killed, and what was printed before and after it was gone on with."""

    folder: Path
    first: str
    status: str
    again: str
    before: dict[str, float]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, run_script: Run) -> Swept:
    home = tmp_path_factory.mktemp("home")
    folder = home / "runs" / "four"
    command = [sys.executable, str(SCRIPTS / "sweep.py"), *GRID, "--local", "2"]
    environment = os.environ | {"WANDB_API_KEY": CANARY}
    with subprocess.Popen(
        command, cwd=home, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as sweeping:
        _training_of(KILLED, sweeping.pid).kill()
        first, _ = sweeping.communicate(timeout=400)
    assert sweeping.returncode == 2, first
    status = run_script("sweep", ["--status", *GRID], cwd=home)
    before = {path.parent.name: path.stat().st_mtime for path in folder.glob("*/metrics.json")}
    again = run_script("sweep", ["runs/four", "--local", "2"], cwd=home)
    assert again.returncode == 0, again.stderr
    return Swept(folder, first, status.stdout, again.stdout, before)


def _training_of(point: str, parent: int) -> psutil.Process:
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        for child in psutil.Process(parent).children():
            if any(point in word for word in child.cmdline()):
                return child
        time.sleep(0.05)
    raise AssertionError(f"no training of {point} was started")


def test_three_points_end_and_the_status_says_why_the_fourth_did_not(swept: Swept) -> None:
    assert set(swept.before) == {"0000-site_mean-fold0", "0002-climatology-fold0", "0003-climatology-fold1"}
    assert "1 of 4 points failed" in swept.first
    assert f"{KILLED} failed killed by signal 9" in " ".join(swept.status.split())
    assert "3 done, 1 failed" in swept.status


def test_the_same_command_again_runs_only_what_is_missing(swept: Swept) -> None:
    assert swept.again.count("finished in") == 1 and KILLED in swept.again
    after = {path.parent.name: path.stat().st_mtime for path in swept.folder.glob("*/metrics.json")}
    assert len(after) == 4 and swept.before.items() <= after.items()


def test_no_value_is_read_by_a_shell_and_no_key_is_written(swept: Swept) -> None:
    assert not list(swept.folder.parents[1].rglob("x"))
    assert "$(touch x)" in (swept.folder / KILLED / "config.yaml").read_text()
    for path in swept.folder.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path


def test_its_folder_is_compared_as_its_runs_folds_pooled(swept: Swept, capsys: pytest.CaptureFixture[str]) -> None:
    runs = sorted(str(path) for path in swept.folder.glob("0*"))
    tables = []
    for named in ([str(swept.folder)], [*runs, "--output", str(swept.folder / "comparison-of-runs")]):
        load_script("evaluate").main(["compare", *named, "--draws", "100"])
        tables.append(capsys.readouterr().out.partition("tables:")[0])
    assert tables[0] == tables[1]
    assert "site_mean" in tables[0] and "climatology" in tables[0]
    assert "-fold" not in tables[0]  # a line a model, and none a run
    assert (swept.folder / "comparison" / "comparison.csv").is_file()


def test_what_a_sweep_has_not_finished_is_named_beside_the_numbers(
    swept: Swept, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = Path(shutil.copytree(swept.folder, tmp_path / "four"))
    shutil.rmtree(sweep / "0003-climatology-fold1")
    state = sweep / KILLED / "sweep" / "state.json"
    state.write_text('{"state": "failed", "reason": "sites.csv, row 3: no [latitude]"}')
    load_script("evaluate").main(["compare", str(sweep), "--draws", "100"])
    printed = " ".join(capsys.readouterr().out.split())
    for said in (f"{KILLED}, failed: sites.csv, row 3: no [latitude]", "0003-climatology-fold1, missing"):
        assert f"left out, not finished: {said}" in printed
        assert said in (sweep / "comparison" / "comparison.json").read_text()
    shutil.rmtree(sweep / "0000-site_mean-fold0")
    state.write_text('{"state": "finished"}')  # now one fold of each model, and not the same
    with pytest.raises(UserError, match=r"perhaps for 2 points: left out, not finished: 0000-site_mean-fold0, missing"):
        load_script("evaluate").main(["compare", str(sweep)])
    for path in sweep.glob("0*"):
        shutil.rmtree(path)
    with pytest.raises(UserError, match=r"no point of this sweep is finished; see sweep.py --status"):
        load_script("evaluate").main(["compare", str(sweep)])


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model=lstm,raci", "sed=0..4", "--local", "2"], "point 0 (model=lstm sed=0): no key 'sed'"),
        (["seed=0..1", "cluster=nowhere"], "no cluster 'nowhere'"),
        (["seed=0..1", "cluster=example", "--local", "2"], "exclude each other"),
        (["seed=0..1", "--local", "0"], "--local 0"),
        (["seed=0..1", "sweep=a", "sweep=b", "--local", "1"], "sweep is given twice"),
        (
            ["seed=0..1", "trainer.num_nodes=1,2", "cluster=example"],
            "point 1 (seed=0 trainer.num_nodes=2): trainer.num",
        ),
        (["--status", "seed=0..1"], "manifest.json: cannot be read"),
        (["--status", "nowhere"], "manifest.json: cannot be read"),
    ],
)
def test_a_mistake_starts_nothing(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        load_script("sweep").main(arguments)
    assert said in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_without_a_place_to_run_the_points_are_listed_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    load_script("sweep").main(["model=lstm,raci", "seed=0..1", "sweep=mine"])
    printed = capsys.readouterr().out
    assert "0003-raci-seed1\n" in printed and "4 valid points for runs/mine" in printed
    assert not list(tmp_path.iterdir())
