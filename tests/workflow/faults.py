"""Faults that a machine may have, brought about in a process of their own, and counted."""

import os
import resource
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import lightning
import pytest
from raciflux.stopping import Stopped
from raciflux.workflow.seeded_steps import SeededSteps

COUNT: Counter[str] = Counter()  # of the faults that were brought about, by their kind
WHOLE, FAILED, STOPPED = 0, 1, 2  # exit status of a session that came to its end, met an error, or was asked to stop
Step = tuple[Any, str]  # where a function is found, and its name
WRITING: tuple[Step, ...] = ((Path, "write_bytes"), (os, "fsync"), (Path, "rename"))


@dataclass(frozen=True)
class Ended:
    """How a session ended: its exit status, of one that was killed minus the signal, and what its last error said."""

    status: int
    said: str


def session(work: Callable[[], object], before: Callable[[], object] | None = None) -> Ended:
    """Run a session in a process of its own.

    It comes from a server that has only loaded the libraries: in a copy of this process polars would wait for the
    threads of the original. Hence both functions have to be found by their names.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(["raciflux.workflow.train"])
    near, far = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(work, before, far), daemon=True)
    process.start()
    far.close()
    try:
        said = near.recv()
    except EOFError:
        said = ""
    process.join()
    assert process.exitcode is not None
    return Ended(process.exitcode, said)


def _run(work: Callable[[], object], before: Callable[[], object] | None, told: Connection) -> None:
    status, said = WHOLE, ""
    try:
        if before is not None:
            before()
        work()
    except Stopped:
        status = STOPPED
    except BaseException as error:
        status, said = FAILED, str(error)
    told.send(said)
    os._exit(status)


def kill_at(number: int) -> None:
    """Have this process killed before its ``number``-th step of writing a file; a write, when half is done."""
    patch, steps = pytest.MonkeyPatch(), 0

    def watched(where: Any, name: str) -> None:
        original = getattr(where, name)

        def step(*arguments: Any, **keys: Any) -> Any:
            nonlocal steps
            if steps == number:
                if name == "write_bytes":
                    original(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            steps += 1
            return original(*arguments, **keys)

        patch.setattr(where, name, step)

    for where, name in WRITING:
        watched(where, name)


def kill_after(seconds: float) -> None:
    """Have this process killed by the kernel after some time, whatever it is doing."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def before_step(step: int, fault: Callable[[], object]) -> None:
    """Have a fault come before a step of the training."""
    begin = SeededSteps.on_train_batch_start

    def disturbed(self: SeededSteps, trainer: lightning.Trainer, *others: Any) -> None:
        if trainer.global_step == step:
            fault()
        begin(self, trainer, *others)

    pytest.MonkeyPatch().setattr(SeededSteps, "on_train_batch_start", disturbed)


def kill() -> None:
    """Kill this process."""
    os.kill(os.getpid(), signal.SIGKILL)


def fill_the_disk() -> None:
    """Have the kernel refuse this process files beyond a few bytes, as a full disk does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def tear(path: Path) -> None:
    """Leave the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path, place: float) -> None:
    """Flip a bit at a share of the file."""
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 16
    path.write_bytes(content)
