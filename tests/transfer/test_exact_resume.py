"""A training that is stopped after every step, and gone on with each time, is the uninterrupted one to the bit."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from raciflux import stopping
from raciflux.config.models import LstmConfig
from raciflux.config.raci import RaciConfig, RetrievalConfig
from raciflux.config.transfer import StageConfig
from raciflux.modules.checkpoints import load_checkpoint
from raciflux.workflow.seeded_steps import SeededSteps
from two_domains import CONFIG, simulated_cube, transferred

from worlds import tiny_cube

RACI = RaciConfig(hidden=6, regime=4, embedding=3, retrieval=RetrievalConfig(neighbours=2, width=3))
RACI.first_guess.trees.rounds = 5
# Validated at 4, 8 and 12; logged at 10, so that a signal there has to wait for 11; the last step is not validated.
LONG = StageConfig(steps=13, check_every=4, batch_size=8, learning_rate=0.02)
SHORT = StageConfig(steps=5, check_every=2, batch_size=8, learning_rate=0.02)
CASES: dict[str, dict[str, Any]] = {
    "lstm": {"model": LstmConfig(hidden=6), "name": "scratch"},
    "raci": {"model": RACI, "name": "scratch"},
    "mixed": {"model": LstmConfig(hidden=6), "name": "mixed"},
    "adversarial": {"model": LstmConfig(hidden=6), "name": "adversarial"},
    "residual by series": {"model": LstmConfig(hidden=6), "name": "residual", "simulated_flux": "series"},
    "finetune, raci": {"model": RACI, "name": "finetune", "reuse": False},
}


def learned(folder: Path, case: str) -> Any:
    keys = dict(CASES[case])
    config, stage = replace(CONFIG, model=keys.pop("model")), LONG if case == "lstm" else SHORT
    folder.parent.mkdir(exist_ok=True)
    simulation = simulated_cube(tiny_cube(), 12) if keys.get("simulated_flux") else None
    return transferred(folder, simulation=simulation, config=config, pretrain=stage, finetune=stage, **keys)


@contextmanager
def signalled(monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> Iterator[None]:
    """Send this process a signal in the middle of every step."""
    start = SeededSteps.on_train_batch_start

    def asked(self: SeededSteps, *arguments: Any) -> None:
        start(self, *arguments)
        os.kill(os.getpid(), number)

    with monkeypatch.context() as patch:
        patch.setattr(SeededSteps, "on_train_batch_start", asked)
        yield


def in_pieces(go_on: Callable[[], Any]) -> tuple[Any, int]:
    """Go on until nothing stops it any more, and return the result and the number of sessions."""
    for sessions in range(1, 100):
        try:
            with stopping.listening():
                return go_on(), sessions
        except stopping.Stopped:
            torch.manual_seed(sessions)  # what another process happens to have drawn
    raise AssertionError("no end")


def same(one: Any, other: Any, where: str = "") -> None:
    """Hold two checkpoints against each other, bit by bit."""
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            same(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for place, (mine, yours) in enumerate(zip(one, other, strict=True)):
            same(mine, yours, f"{where}/{place}")
    elif isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype and torch.equal(one, other), where
    else:
        assert one == other or one != one, where


def the_same_training(straight: Path, pieces: Path) -> None:
    """Hold the stages of two runs against each other: checkpoints, what is logged, how they ended."""
    stages = sorted(path.relative_to(straight).parent for path in straight.glob("**/checkpoints/*/finished.json"))
    assert stages
    for stage in stages:
        assert (straight / stage / "finished.json").read_text() == (pieces / stage / "finished.json").read_text()
        for name in ("last.ckpt", "best.ckpt"):
            one, other = (load_checkpoint(run / stage / name) for run in (straight, pieces))
            one.pop("loops", None), other.pop("loops", None)  # Lightning's counters of what is under way
            same(one, other, f"{stage}/{name}")
        log = Path("logs") / stage.name / "metrics.csv"
        place = stage.parent.parent / log
        assert (straight / place).read_text() == (pieces / place).read_text()


@pytest.mark.parametrize(
    "case", [pytest.param(name, marks=pytest.mark.slow) if name == "finetune, raci" else name for name in CASES]
)
def test_stopped_after_every_step_it_is_the_same_training(tmp_path, monkeypatch, case):
    folders = [tmp_path / name / "run" for name in ("straight", "pieces")]
    straight = learned(folders[0], case)
    with signalled(monkeypatch, signal.SIGUSR1):
        pieces, sessions = in_pieces(lambda: learned(folders[1], case))
    stages = len(list(folders[0].glob("**/finished.json")))
    # At a logged step nothing stops; asked in its last step, a stage ends before the command does.
    assert sessions == stages * (12 if case == "lstm" else 5) + 1
    the_same_training(*folders)
    assert pieces.score == straight.score
    np.testing.assert_array_equal(pieces.predicted.flux, straight.predicted.flux)
