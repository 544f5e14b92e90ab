"""Scripts run as a user runs them, on a world small enough for a test."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
CANARY = "canary-7f3a9c-never-to-be-written"

TINY = [
    "data.source.places=16",
    "data.source.years=3",
    "data.simulation.places=24",
    "data.simulation.years=2",
    "data.split.folds=3",
    "data.split.min_scored_days=30",
    "model.hidden=8",
    "model.first_guess.trees.rounds=20",
    "transfer.pretrain.steps=4",
    "transfer.pretrain.check_every=2",
    "transfer.finetune.steps=4",
    "transfer.finetune.check_every=2",
    "transfer.pretrain.batch_size=8",
    "transfer.finetune.batch_size=8",
    "trainer.progress=false",
    "trainer.threads=1",
    "report=false",
]


def load_script(name: str) -> ModuleType:
    """Import a script as a module, so that many tests share one interpreter's imports."""
    spec = importlib.util.spec_from_file_location(f"script_{name}", SCRIPTS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Finished:
    """A finished tiny run and what it printed."""

    folder: Path
    printed: str


Run = Callable[..., subprocess.CompletedProcess[str]]
MadeOnce = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def run_script() -> Run:
    """Run a script in a process of its own: ``run_script("train", [...])``."""

    def run(name: str, arguments: Sequence[str], **options: object) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"WANDB_API_KEY": CANARY, "SOME_SECRET": CANARY, "COLUMNS": "160"}
        command = [sys.executable, str(SCRIPTS / f"{name}.py"), *arguments]
        return subprocess.run(  # type: ignore[call-overload, no-any-return]
            command, capture_output=True, text=True, env=environment, timeout=300, **options
        )

    return run


@pytest.fixture(scope="session")
def finished(made_once: MadeOnce, run_script: Run) -> Finished:
    """Train the tiny world once, W&B offline, secrets in the environment."""

    def train(output: Path) -> None:
        whole = [text for text in TINY if text != "report=false"]
        done = run_script("train", [*whole, f"output={output}", "logger.wandb=offline"])
        assert done.returncode == 0, done.stderr
        (output / "printed.txt").write_text(done.stdout + done.stderr)

    output = made_once("finished", train)
    (folder,) = (output / "embedded_wetland_ch4").iterdir()
    return Finished(folder, (output / "printed.txt").read_text())
