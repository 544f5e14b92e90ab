"""A sweep on a real Slurm: one array, hostile values, a task that is cancelled, and a submission of what is missing."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from raciflux.sweep.plan import load_sweep
from raciflux.sweep.slurm import told_by_slurm
from raciflux.sweep.status import Standing, standings
from tiny_run import SILENT, TINY

pytestmark = pytest.mark.slurm

SCRIPT = Path(__file__).parents[2] / "scripts" / "sweep.py"
CANARY = "canary-51d0-never-to-be-written"
GRID = [
    *(*TINY, SILENT),
    "model=site_mean,lstm",  # a network too: Lightning looks at Slurm's variables
    "seed=0..1",
    "data.root='$(touch x); `touch x` \"; touch x #'",
    "transfer=scratch",
    "transfer.finetune.steps=2",
    "sweep=four",
]


@dataclass
class Story:
    """What happened to one sweep, step by step."""

    folder: Path
    printed: dict[str, str] = field(default_factory=dict)
    stood: dict[str, list[Standing]] = field(default_factory=dict)

    def sweep(self, step: str, arguments: Sequence[str]) -> None:
        """Call the script as a user does, in the folder where a hostile value would leave its file."""
        done = subprocess.run(
            [sys.executable, str(SCRIPT), *arguments],
            cwd=self.folder,
            env=os.environ | {"WANDB_API_KEY": CANARY},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        self.printed[step] = done.stdout

    def look(self, step: str, until: Callable[[list[str]], bool]) -> None:
        """Keep how the points stand, once they stand so."""
        deadline = time.monotonic() + 400
        while time.monotonic() < deadline:
            sweep = load_sweep(self.folder / "runs" / "four")
            self.stood[step] = standings(sweep, told_by_slurm(sweep))
            if until([one.state for one in self.stood[step]]):
                return
            time.sleep(0.5)
        pytest.fail(f"{step}: {self.stood[step]}")

    def states(self, step: str) -> list[str]:
        return [one.state for one in self.stood[step]]


@pytest.fixture(scope="module")
def story(slurm: None, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Submit four points that wait for a release, cancel one, let the others run, and submit again."""
    told = Story(tmp_path_factory.mktemp("sweep"))
    held, page = told.folder / "held.yaml", told.folder / "page.yaml"
    held.write_text("flags: [--hold]\n")
    page.write_text("at_once: 2\nactivate: |\n  source activate.sh\n")
    # A script that is sourced sees the arguments of the one that sources it, unless they are put aside.
    python = Path(sys.executable).parent
    (told.folder / "activate.sh").write_text(f'[ $# -eq 0 ]\nexport PATH="{python}:$PATH"\n')
    told.sweep("submitted", [*GRID, f"cluster={held}"])
    told.look("held", lambda states: states == ["queued"] * 4)
    told.sweep("submitted while it waits", [*GRID, f"cluster={page}"])
    (job,) = json.loads((told.folder / "runs" / "four" / "jobs.json").read_text())["jobs"]
    subprocess.run(["scancel", f"{job}_2"], check=True)
    told.look("cancelled", lambda states: "failed" in states)
    subprocess.run(["scontrol", "release", job], check=True)
    told.look("others", lambda states: not {"queued", "running"} & set(states))
    told.sweep("asked", ["--status", "runs/four"])
    told.sweep("submitted again", ["runs/four", f"cluster={page}"])
    told.look("again", lambda states: not {"queued", "running"} & set(states))
    return told


def test_all_points_are_one_array_and_wait_in_the_queue(story: Story) -> None:
    assert "4 missing" in story.printed["submitted"] and "submitted 4 of them" in story.printed["submitted"]
    assert {one.reason.split(": ")[1] for one in story.stood["held"]} == {"JobHeldUser"}


def test_what_waits_is_not_submitted_again(story: Story) -> None:
    assert "4 queued" in story.printed["submitted while it waits"]
    assert "submitted" not in story.printed["submitted while it waits"]


def test_the_others_run_to_the_end_and_the_cancelled_one_is_shown_with_its_reason(story: Story) -> None:
    assert story.states("cancelled") == ["queued", "queued", "failed", "queued"], story.stood["cancelled"]
    assert story.states("others") == ["done", "done", "failed", "done"], story.stood["others"]
    assert "ended before the point began" in story.stood["cancelled"][2].reason  # or CANCELLED, where accounts are kept
    assert "0002-lstm-seed0 failed Slurm job" in " ".join(story.printed["asked"].split())
    assert "3 done, 1 failed" in story.printed["asked"]


def test_only_what_is_missing_is_submitted_again(story: Story) -> None:
    assert "submitted 1 of them" in story.printed["submitted again"]
    assert story.states("again") == ["done"] * 4, story.stood["again"]
    runs = story.folder / "runs" / "four"
    assert len({(path / "config.yaml").read_text() for path in runs.glob("000*")}) == 4
    assert all((path / "metrics.json").is_file() for path in runs.glob("000*"))
    _, second = jobs = json.loads((runs / "jobs.json").read_text())["jobs"]
    assert jobs[second] == [2]
    assert [path.name for path in (runs / "slurm").glob(f"{second}_*")] == [f"{second}_2.txt"]


def test_no_value_is_read_by_a_shell_and_no_key_is_written(story: Story) -> None:
    assert not list(story.folder.rglob("x"))
    config = (story.folder / "runs" / "four" / "0000-site_mean-seed0" / "config.yaml").read_text()
    assert "$(touch x); `touch x`" in config
    for path in story.folder.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path
