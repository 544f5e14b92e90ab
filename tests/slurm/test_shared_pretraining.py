"""Points that share a pretraining on a real Slurm: one makes it, the others wait in the queue and not on a node."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from raciflux.sweep.plan import load_sweep
from raciflux.sweep.slurm import told_by_slurm
from raciflux.sweep.status import Standing, standings
from tiny_run import SILENT, TINY

pytestmark = pytest.mark.slurm

SCRIPT = Path(__file__).parents[2] / "scripts" / "sweep.py"
STAGES = ["transfer.finetune.steps=2", "transfer.pretrain.steps=2", "transfer.pretrain.batch_size=8"]
GRID = [
    *(*TINY, SILENT),
    "model=lstm",
    "seed=0..2",
    "transfer=finetune",
    "transfer.pretrain_seed=0",
    *STAGES,
    "data.simulation.places=24",
    "data.simulation.years=2",
    "data.split.fold=0",
    "sweep=three",
]


def stood(folder: Path) -> list[Standing]:
    sweep = load_sweep(folder)
    return standings(sweep, told_by_slurm(sweep))


def test_one_point_makes_the_pretraining_and_the_others_wait_for_its_job(slurm: None, tmp_path: Path) -> None:
    folder, page = tmp_path / "runs" / "three", tmp_path / "page.yaml"
    page.write_text("cpus: 1\n")
    command = [sys.executable, str(SCRIPT), *GRID, f"cluster={page}"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert said.returncode == 0, said.stderr
    assert "2 of them wait for the pretraining of another" in said.stdout
    deadline, together = time.monotonic() + 300, False
    stand = stood(folder)
    while {"queued", "running"} & {one.state for one in stand}:
        assert time.monotonic() < deadline, stand
        if stand[0].state in ("queued", "running"):
            assert [one.state for one in stand[1:]] == ["queued"] * 2, stand
            together |= all(one.reason.endswith(": Dependency") for one in stand[1:])
        time.sleep(0.3)
        stand = stood(folder)
    assert together
    assert [one.state for one in stand] == ["done"] * 3, stand
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("000*/pretraining.json"))]
    assert len({record["id"] for record in records}) == 1 and len(records) == 3
    assert [record["taken_from"] is None for record in records] == [True, False, False]
    assert len(json.loads((folder / "jobs.json").read_text())["jobs"]) == 1
