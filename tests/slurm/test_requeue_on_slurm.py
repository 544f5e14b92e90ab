"""Points of a sweep on a real Slurm that are asked to make room: they go on as if nothing had been."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import xarray as xr
from raciflux.sweep.plan import load_sweep
from raciflux.sweep.slurm import told_by_slurm
from raciflux.sweep.status import Standing, standings
from tiny_run import SCRATCH, SILENT, TINY

pytestmark = pytest.mark.slurm

SCRIPT = Path(__file__).parents[2] / "scripts" / "sweep.py"
LONG = [
    *(*TINY, *SCRATCH),
    *("model.hidden=8", "transfer.finetune.steps=400", "transfer.finetune.check_every=20"),
    "transfer.finetune.patience=1000",
]
GRID = [
    *LONG,
    "label=requeued,signalled,undisturbed",  # three times the same training
    "logger.wandb=offline",
    "sweep=three",
]


@dataclass
class Story:
    """The sweep, and what was seen of it."""

    folder: Path
    job: str = ""
    seen: tuple[str, ...] = ()

    def run(self, number: int) -> Path:
        return load_sweep(self.folder).place(number)

    def stand(self) -> list[Standing]:
        sweep = load_sweep(self.folder)
        return standings(sweep, told_by_slurm(sweep))

    def wait(self, until: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 300
        while not until():
            if time.monotonic() > deadline:
                logs = [path.read_text()[-2000:] for path in self.folder.glob("*/sweep/log.txt")]
                pytest.fail(f"{self.stand()} {logs}")
            time.sleep(0.1)

    def in_mid_epoch(self, number: int) -> None:
        """Wait until a point has saved a checkpoint and takes further steps."""
        last = self.run(number) / "checkpoints" / "towers" / "last.ckpt"
        self.wait(last.exists)


@pytest.fixture(scope="module")
def story(slurm: None, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Submit three points; Slurm takes the first back, and asks the second to make room."""
    home = tmp_path_factory.mktemp("requeue")
    page = home / "page.yaml"
    page.write_text("warn: 5\n")
    command = [sys.executable, str(SCRIPT), *GRID, f"cluster={page}"]
    done = subprocess.run(command, cwd=home, env=dict(os.environ), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    told = Story(home / "runs" / "three")
    (told.job,) = json.loads((told.folder / "jobs.json").read_text())["jobs"]
    for number, asked in ((0, ["scontrol", "requeue"]), (1, ["scancel", "--batch", "--signal=USR1"])):
        told.in_mid_epoch(number)
        subprocess.run([*asked, f"{told.job}_{number}"], check=True)
        told.wait(lambda of=number: told.stand()[of].state == "queued")  # type: ignore[misc]
        told.seen += (told.stand()[number].reason,)
    told.wait(lambda: {one.state for one in told.stand()} == {"done"})
    return told


def log(run: Path) -> str:
    return (run / "sweep" / "log.txt").read_text()


def test_they_were_broken_off_in_mid_epoch_and_stood_in_the_queue(story: Story) -> None:
    assert [reason.startswith(f"Slurm job {story.job}_{n}") for n, reason in enumerate(story.seen)] == [True, True]
    assert [log(story.run(number)).count(f"{story.run(number)}") > 1 for number in range(3)] == [True, True, False]
    assert "stopped by SIGUSR1, what was done is kept" in log(story.run(1))
    printed = (story.folder / "slurm" / f"{story.job}_1.txt").read_text()
    assert "asked to stop, and queued up again" in printed and "finished in" in printed, printed


def test_they_say_what_the_undisturbed_one_says(story: Story) -> None:
    said = [xr.open_zarr(story.run(number) / "predictions.zarr").load().drop_attrs() for number in range(3)]
    xr.testing.assert_identical(said[0], said[2])
    xr.testing.assert_identical(said[1], said[2])
    ends = {(story.run(number) / "checkpoints/towers/finished.json").read_text() for number in range(3)}
    logged = {(story.run(number) / "logs/towers/metrics.csv").read_text() for number in range(3)}
    assert len(ends) == len(logged) == 1 and '"steps": 400' in ends.pop()


def test_each_goes_on_with_its_own_run_of_wandb(story: Story) -> None:
    for number in range(3):
        run = story.run(number)
        sessions = [path.name.rpartition("-")[2] for path in (run / "wandb").glob("offline-run-*")]
        ids = [(run / name).read_text().strip() for name in ("wandb_id.txt", "wandb_result_id.txt")]
        assert sorted(set(sessions)) == sorted(ids), "one of the training and one of its result"
        assert sessions.count(ids[0]) == (1 if number == 2 else 2)
    assert len(list(story.folder.glob("0*"))) == 3, "no other run folder was made"


@pytest.mark.slow
def test_a_point_on_two_nodes_makes_room_and_goes_on(slurm: None, tmp_path: Path) -> None:
    page = tmp_path / "page.yaml"
    page.write_text("nodes: 2\nwarn: 5\n")
    grid = [*LONG, "trainer=ddp", "trainer.num_nodes=2", "trainer.accelerator=cpu", SILENT, "sweep=pair"]
    command = [sys.executable, str(SCRIPT), *grid, f"cluster={page}"]
    done = subprocess.run(command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    told = Story(tmp_path / "runs" / "pair")
    (told.job,) = json.loads((told.folder / "jobs.json").read_text())["jobs"]
    told.in_mid_epoch(0)
    subprocess.run(["scancel", "--batch", "--signal=USR1", f"{told.job}_0"], check=True)
    told.wait(lambda: told.stand()[0].state == "queued")
    told.wait(lambda: told.stand()[0].state not in ("queued", "running"))
    assert told.stand()[0].state == "done", log(told.run(0))
    assert "stopped by SIGUSR1, what was done is kept" in log(told.run(0)) and "Traceback" not in log(told.run(0))


@pytest.mark.slow
def test_a_point_makes_room_for_a_partition_that_goes_first(slurm: None, tmp_path: Path) -> None:
    page = tmp_path / "page.yaml"
    page.write_text("flags: [--nodelist=one]\n")
    grid = [text.replace("steps=400", "steps=3000") for text in LONG]  # Slurm takes some seconds to decide
    command = [sys.executable, str(SCRIPT), *grid, SILENT, "data.split.fold=0", "sweep=lone", f"cluster={page}"]
    done = subprocess.run(command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    told = Story(tmp_path / "runs" / "lone")
    told.in_mid_epoch(0)
    urgent = ["sbatch", "--partition=urgent", "--nodelist=one", "--output=/dev/null", "--wrap=sleep 2"]
    subprocess.run(urgent, check=True, capture_output=True)
    told.wait(lambda: told.stand()[0].state == "queued")
    told.wait(lambda: told.stand()[0].state == "done")
    assert "stopped by SIGUSR1, what was done is kept" in log(told.run(0)), "at the start of its time of grace"
    assert '"steps": 3000' in (told.run(0) / "checkpoints/towers/finished.json").read_text()
