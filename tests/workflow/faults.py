"""Faults that a machine may have, brought about in a process of their own, and counted."""

import os
import resource
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from raciflux.stopping import Stopped

COUNT: Counter[str] = Counter()  # of the faults that were brought about, by their kind
WHOLE, FAILED, STOPPED = 0, 1, 2  # exit status of a session that came to its end, met an error, or was asked to stop
Step = tuple[Any, str]  # where a function is found, and its name
WRITING: tuple[Step, ...] = ((Path, "write_bytes"), (os, "fsync"), (Path, "rename"))


def session(work: Callable[[], object], before: Callable[[], object] = lambda: None) -> int:
    """Run a session in a copy of this process, and return its exit status; of one that was killed, minus the signal."""
    sys.stdout.flush(), sys.stderr.flush()
    child = os.fork()
    if child == 0:
        status = FAILED
        try:
            before()
            work()
            status = WHOLE
        except Stopped:
            status = STOPPED
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at(number: int) -> Callable[[], None]:
    """Return what has a process killed before its ``number``-th step of writing a file; a write, when half is done."""
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

    def begin() -> None:
        for where, name in WRITING:
            watched(where, name)

    return begin


def killed_after(seconds: float) -> Callable[[], None]:
    """Return what has a process killed by the kernel after some time, whatever it is doing."""

    def begin() -> None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)

    return begin


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
