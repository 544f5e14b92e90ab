"""From FLUXNET2015's files to arrays ready for training, in fresh processes: seconds and peak memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

from raciflux.errors import UserError

from .settings import Settings
from .timing import Bar, Row, Spread

TABLE = Path("fluxnet2015") / "daily.parquet"
PROCESS = Path(__file__).with_name("read_once.py")
MEMORY_BAR = Bar(2.0, at_least=False)  # GB
PROCESSES = 3  # at most, however many rounds


def missing(settings: Settings) -> str | None:
    """Return why reading cannot be measured, or None if it can."""
    root = settings.data.root
    if (Path(root) / TABLE).is_file():
        return None
    return f"no {TABLE} in {root}; set data.root or the variable RACIFLUX_DATA"


def measure(settings: Settings, threads: int) -> list[Row]:
    """Measure a few fresh processes; reading uses as many threads as torch and polars are given."""
    processes = [read_once(settings.data.root, threads) for _ in range(min(settings.rounds, PROCESSES))]
    days = f"{processes[0]['site_days']:,.0f} FLUXNET2015 site-days"
    rows = []
    for name, what in (
        ("importing", "importing the packages"),
        ("reading", f"reading {days}"),
        ("preparing", "preparing them: scaled, masked, resident"),
    ):
        rows.append(Row(what, threads, Spread.of([of_one[name] for of_one in processes]).median, None, "s"))
    peak = max(of_one["peak_gb"] for of_one in processes)
    return [*rows, Row("peak memory of that process", threads, peak, None, "GB", bar=MEMORY_BAR)]


def read_once(root: str, threads: int) -> dict[str, float]:
    """Return what a fresh process of ``read_once.py`` measures.

    Raises
    ------
    UserError
        If the data cannot be read.
    """
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "POLARS_MAX_THREADS": str(threads)}
    command = [sys.executable, "-P", str(PROCESS), str(Path(root).resolve())]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise UserError(f"speed=read: {done.stderr.strip().splitlines()[-1]}")
    measured: dict[str, float] = json.loads(done.stdout)
    return measured
