"""A run that is asked to stop: it keeps what it has, ends soon, and can be gone on with.

SIGTERM and SIGUSR1 are what a cluster sends before it takes a machine back, SIGINT is Ctrl-C. While a stage takes its
steps a signal is only remembered, and the next step boundary acts on it; anywhere else it ends the command at once, and
what was finished is kept. Nothing is written by the handler itself.
"""

import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
# Exit statuses. 75 is "try again later" of sysexits.h; 76 is ours: asked to stop before anything new could be kept.
TO_BE_GONE_ON_WITH, NOTHING_NEW = 75, 76


class Stopped(BaseException):
    """The command was asked to stop and ends; not an ``Exception``, as nothing that catches those may keep it going.

    Attributes
    ----------
    by : the signal.
    kept : whether this session kept anything that it did not start with.
    """

    def __init__(self, by: signal.Signals, kept: bool, run: str) -> None:
        left = "what was done is kept" if kept else "nothing new was kept"
        super().__init__(f"stopped by {by.name}, {left}; go on with: python scripts/train.py resume={run}")
        self.by, self.kept = by, kept


@dataclass
class _Session:
    """What this process was asked; signals belong to a process, and so does this."""

    asked: signal.Signals | None = None
    waits: bool = False  # for a step boundary
    raised: bool = False  # by the handler, wherever the process was
    kept: bool = False
    run: str = "RUN"


_session = _Session()


def name_run(folder: Path) -> None:
    """Name the run folder, for the line that says how to go on."""
    _session.run = shlex.quote(str(folder))


@contextmanager
def listening() -> Iterator[None]:
    """Take the signals for as long as the body runs, but for those that the shell has this process ignore.

    Raises
    ------
    Stopped
        Also where a library met what the handler raised, and made an error of its own of it.
    """
    vars(_session).update(vars(_Session()))  # what was kept before this command does not count
    taken = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, _heard) for number in taken}
    try:
        yield
    except (Stopped, KeyboardInterrupt):
        raise
    except BaseException:
        if _session.raised:
            stop()
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        vars(_session).update(vars(_Session()))


@contextmanager
def waiting_for_a_boundary() -> Iterator[None]:
    """Have a signal wait until the body calls ``stop``, or is done.

    Raises
    ------
    Stopped
        A signal came, and the body is done.
    """
    _session.waits = True
    try:
        yield
    finally:
        _session.waits = False
    if is_asked():
        stop()


def is_asked() -> bool:
    """Whether a signal has come."""
    return _session.asked is not None


def keep() -> None:
    """Tell that something was finished or saved that a later session need not do again."""
    _session.kept = True


def stop(by: signal.Signals = signal.SIGTERM) -> NoReturn:
    """End the command.

    Parameters
    ----------
    by : the signal, where another process heard it.

    Raises
    ------
    Stopped
        Always.
    """
    raise Stopped(_session.asked or by, _session.kept, _session.run)


@contextmanager
def held_back() -> Iterator[None]:
    """Have processes that the body starts never hear these signals; those that come meanwhile are heard after it."""
    asked, waits = is_asked(), _session.waits
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    _session.waits = True  # the kernel may hand a signal to another thread, which blocks nothing
    try:
        yield
    finally:
        _session.waits = waits
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if is_asked() and not asked and not waits:
        _act(_session.asked)


def _heard(number: int, frame: FrameType | None) -> None:
    """Remember the first signal; a cluster may send it twice, and a second Ctrl-C is meant."""
    again, _session.asked = is_asked(), _session.asked or signal.Signals(number)
    if (not _session.waits and not again) or (again and number == signal.SIGINT):
        _act(number)


def _act(number: int | None) -> NoReturn:
    """End the command wherever it is."""
    _session.raised = True
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    stop()
