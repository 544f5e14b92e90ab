"""How OpenMP's threads wait for each other: as raciflux has them, asleep, spinning, and one thread alone.

A step of an LSTM is measured in a process for each way, with all cores free and with another process busy on one.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from raciflux.threads import VARIABLE, WAITING

from .settings import Settings
from .timing import Row, Spread, paired

PROCESS = Path(__file__).with_name("step_once.py")
BATCHES = (32, 256)
LONG = 3  # rounds last so many times as long as others'
OURS = "as raciflux"
WAYS: dict[str, dict[str, str]] = {
    OURS: WAITING,
    "one thread": {VARIABLE: "1"},
    "asleep (OMP_WAIT_POLICY=PASSIVE)": {"OMP_WAIT_POLICY": "PASSIVE"},
    "spinning, libgomp's default": {},
}


def measure(settings: Settings, threads: int) -> list[Row]:
    """Measure every way once a round, in turn, with the cores free and then not."""
    return [
        row
        for beside, around in (("cores free", nullcontext), ("one core busy", _busy))
        for batch in BATCHES
        for row in _rows(settings, threads, batch, beside, around())
    ]


def _rows(settings: Settings, threads: int, batch: int, beside: str, around: AbstractContextManager[None]) -> list[Row]:
    rounds = max(settings.rounds // LONG, 1)
    with around:
        measured = [{way: _once(batch, threads, told) for way, told in WAYS.items()} for _ in range(rounds)]
    of_way = {way: [each[way] for each in measured] for way in WAYS}
    median = {way: Spread.of(times).median for way, times in of_way.items()}
    return [
        Row(f"LSTM, batch {batch}, {beside}: {way}", threads, median[OURS], median[way], "ms/step",
            paired(of_way[way], of_way[OURS]))
        for way in WAYS if way != OURS
    ]  # fmt: skip


def _once(batch: int, threads: int, told: dict[str, str]) -> float:
    kept = {name: value for name, value in os.environ.items() if name not in (*WAITING, "OMP_WAIT_POLICY")}
    command = [sys.executable, "-P", str(PROCESS), str(batch)]
    environment = kept | {VARIABLE: str(threads)} | told
    milliseconds: float = json.loads(subprocess.check_output(command, env=environment, text=True))
    return milliseconds


@contextmanager
def _busy() -> Iterator[None]:
    """Have a process that never rests beside the body."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()
