"""Whatever happens to a run, gone on with it says what an undisturbed one says, of each site and day once."""

import itertools
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from raciflux import stopping
from raciflux.config.transfer import TransferConfig
from raciflux.datamodules import PAIRS
from raciflux.datamodules.roles import choose, scored_days
from raciflux.datamodules.towers import describe_towers
from raciflux.evaluation.run_folder import RunFolder
from raciflux.modules.checkpoints import load_checkpoint
from raciflux.workflow.prepare import Prepared
from raciflux.workflow.progress import RunProgress
from raciflux.workflow.stages import quiet
from raciflux.workflow.train import run_fold

from worlds import STAGE, TINY_RUN, clusters, tiny_cube

from .faults import (
    COUNT,
    FAILED,
    STOPPED,
    WHOLE,
    before_step,
    fill_the_disk,
    flip,
    kill,
    kill_after,
    kill_at,
    session,
    tear,
)

PAIR = "terrestrial_gpp"
CONFIG = replace(
    TINY_RUN,
    data=replace(TINY_RUN.data, split=replace(TINY_RUN.data.split, folds=3)),
    transfer=TransferConfig(name="scratch", finetune=replace(STAGE, steps=9)),
)
CHECKPOINTS = Path("checkpoints") / "towers"


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    towers = tiny_cube()
    roles = choose(PAIRS[PAIR].pair, [towers])
    measured, _ = scored_days(towers, roles.targets, "measured")
    described = describe_towers(towers, clusters(towers), measured.any(-1))
    return Prepared(towers, clusters(towers), None, roles, described, (0,), ())


def run(prepared: Prepared, folder: Path) -> None:
    quiet()
    folder.mkdir(exist_ok=True)
    run_fold(CONFIG, prepared, 0, folder, RunProgress(1, False, speaks=False))


@pytest.fixture(scope="module")
def undisturbed(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert session(partial(run, prepared, folder)).status == WHOLE
    return RunFolder(folder).predictions().load()


@pytest.fixture(scope="module", autouse=True)
def told(request: pytest.FixtureRequest) -> Iterator[None]:
    """Say how many faults were brought about."""
    yield
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(
            f"\nfaults brought about: {sum(COUNT.values())} ({', '.join(f'{n} {kind}' for kind, n in COUNT.items())})"
        )


def asked_to_stop(prepared: Prepared, folder: Path, after: float) -> None:
    with stopping.listening():
        signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGUSR1))
        signal.setitimer(signal.ITIMER_REAL, after)
        run(prepared, folder)


def check(folder: Path, undisturbed: xr.Dataset) -> None:
    said = RunFolder(folder).predictions().load()
    keys = list(itertools.product(said["site_id"].to_numpy().tolist(), said["time"].to_numpy().tolist()))
    assert len(keys) == len(set(keys)) == undisturbed["prediction"].size
    xr.testing.assert_identical(said, undisturbed)


@pytest.mark.parametrize("share", [30, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_while_it_writes(prepared, undisturbed, tmp_path, share):
    """At every step of every file that a run writes; by default at each thirtieth."""
    for number in itertools.count(share // 2, share):
        folder = tmp_path / str(number)
        if session(partial(run, prepared, folder), partial(kill_at, number)).status == WHOLE:
            break
        COUNT["kill -9 while a file is written"] += 1
        assert session(partial(run, prepared, folder)).status == WHOLE
        check(folder, undisturbed)
    assert 40 < number < 70  # steps of writing that a run has


def moment(rng: np.random.Generator, number: int) -> float:
    """Draw when a session is disturbed, in seconds; later ones are given more, so that a slow machine finishes, too."""
    return float(rng.uniform(0.2, 2.0) * 1.1**number)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_killed_again_and_again_at_any_moment(prepared, undisturbed, tmp_path, seed):
    rng = np.random.default_rng(seed)
    for number in range(100):
        after = moment(rng, number)
        if session(partial(run, prepared, tmp_path / "run"), partial(kill_after, after)).status == WHOLE:
            break
        COUNT["kill -9 at a random moment"] += 1
    check(tmp_path / "run", undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_asked_to_stop_again_and_again_at_any_moment(prepared, undisturbed, tmp_path, seed):
    rng = np.random.default_rng(seed)
    for number in range(100):
        ended = session(partial(asked_to_stop, prepared, tmp_path / "run", moment(rng, number))).status
        if ended == WHOLE:
            break
        assert ended == STOPPED
        COUNT["SIGUSR1 at a random moment"] += 1
    check(tmp_path / "run", undisturbed)


@pytest.mark.parametrize(
    "fault",
    [
        tear,
        lambda path: flip(path, 0.3),
        pytest.param(lambda path: flip(path, 0.7), marks=pytest.mark.slow),
        pytest.param(lambda path: path.write_bytes(b""), marks=pytest.mark.slow),
    ],
)
def test_killed_and_its_checkpoint_damaged(prepared, undisturbed, tmp_path, fault):
    assert session(partial(run, prepared, tmp_path), partial(before_step, 7, kill)).status == -signal.SIGKILL
    fault(tmp_path / CHECKPOINTS / "last.ckpt")
    COUNT.update(["kill -9 in the middle of a step", "checkpoint damaged"])
    assert session(partial(run, prepared, tmp_path)).status == WHOLE
    check(tmp_path, undisturbed)


def test_the_disk_is_full_while_a_checkpoint_is_written(prepared, undisturbed, tmp_path):
    for _ in range(2):  # full still when the run is gone on with
        ended = session(partial(run, prepared, tmp_path), partial(before_step, 5, fill_the_disk))
        assert ended.status == FAILED
        COUNT["disk full"] += 1
        assert "last.ckpt: cannot be written (File too large); make room there" in ended.said
        assert load_checkpoint(tmp_path / CHECKPOINTS / "last.ckpt")["global_step"] == 4
    assert session(partial(run, prepared, tmp_path)).status == WHOLE
    check(tmp_path, undisturbed)
    assert not [path for path in tmp_path.rglob(".*") if path.name != ".lock"], "nothing half written is left"
