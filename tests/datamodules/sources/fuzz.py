"""Runs a reader on damaged files: always a cube or one line, in bounded time and memory."""

import os
import random
import resource
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import xarray as xr
from raciflux.errors import UserError

Damage = Callable[[random.Random], str]

EVERY_DAY, AT_LENGTH = 300, 20_000
SECONDS = 20  # of one file of some kilobytes
MEGABYTES = 600  # that reading may add to the most that the process ever held
SEED = int(os.environ.get("RACIFLUX_FUZZ_SEED", "0"))


class HangsError(BaseException):
    """Reading did not end; no Exception, since readers turn those into lines."""


@contextmanager
def alarm(seconds: int, what: str) -> Iterator[None]:
    """Fail if this lasts longer."""

    def late(*_: object) -> None:
        raise HangsError(what)

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def fuzz(count: int, damage: Damage, read: Callable[[], xr.Dataset], name: str) -> dict[str, int]:
    """Read ``count`` damaged files, and count how many gave a cube and how many a line.

    Parameters
    ----------
    damage : writes a damaged file, and tells what was done to it.
    """
    answers = {"cube": 0, "line": 0}
    faults: list[str] = []
    begun, held, slowest = time.perf_counter(), _held(), 0.0
    for number in range(count):
        rng = random.Random(f"{name} {SEED} {number}")
        where = f"{name} {number} ({damage(rng)})"
        with alarm(SECONDS, where):
            started = time.perf_counter()
            try:
                cube = read()
            except UserError as error:
                message = str(error)
                if "\n" in message or len(message) >= 1200:
                    faults.append(f"{where}: not one line: {message[:1200]}")
                answers["line"] += 1
            except BaseException as error:  # polars tells its own mistakes by one that is no Exception
                if isinstance(error, KeyboardInterrupt):
                    raise
                faults.append(f"{where}: {type(error).__name__}: {error}")
            else:
                if not (cube.sizes["site"] and cube.sizes["time"]):
                    faults.append(f"{where}: an empty cube")
                answers["cube"] += 1
            slowest = max(slowest, time.perf_counter() - started)
    assert not faults, f"{len(faults)} faults: " + "\n".join(faults[:20])
    grown = _held() - held
    assert grown < MEGABYTES, f"{name}: {count} damaged files took {grown} MB"
    print(
        f"{name}: {count:,} damaged files, seed {SEED}: {answers['cube']:,} cubes, {answers['line']:,} lines; "
        f"slowest {slowest:.1f} s, {time.perf_counter() - begun:.0f} s in all, peak memory grew by {grown} MB"
    )
    return answers


def _held() -> int:
    """Megabytes that this process held at most up to now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def one_of(files: Sequence[Path], damage: Callable[[Path, bytes, random.Random], tuple[bytes, str]]) -> Damage:
    """Damage one file at a time, and put the one before right again."""
    sound = {path: path.read_bytes() for path in files}
    touched: list[Path] = []

    def damaged_one(rng: random.Random) -> str:
        for path in touched:
            write(path, sound[path])
        path = rng.choice(files)
        content, done = damage(path, sound[path], rng)
        write(path, content)
        touched[:] = [path]
        return f"{path.name}: {done}"

    return damaged_one


def write(path: Path, content: bytes) -> None:
    """Write a file of its own in place of the one before, which a library may still hold open."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(content)
