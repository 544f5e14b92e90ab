"""A 0.5-degree land grid predicted Zarr to Zarr: cells x days a second beside the floor, and memory that does not grow.

Weather is made up. The LSTM (hidden 64) is asked about all land cells, for one year and for three; RACI, which also
looks up neighbours, about the first ``RACI_CELLS``, without the trees beside it: those run at LightGBM's speed. The
floor of the LSTM counts each predicted day once: bytes read at the rate of a copy in memory, bytes written at that of
the disk, the products of the network at that of a large matrix product. What the windows add to it (days of warm-up,
encoded and not scored) has a line of its own.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from raciflux.config.schema import WindowConfig
from raciflux.datamodules.cube import write_zarr
from raciflux.errors import UserError

from .floor import Machine, lstm_flops
from .made_up_world import WEATHER, land_cells, towers, write_grid
from .settings import Settings
from .timing import Bar, Row, Spread

SHORT, LONG = 1, 3  # years
WIDTH = 64
RACI_CELLS = 2048
MEMORY = Bar(4.0, at_least=False)  # GB
GROWTH = Bar(1.05, at_least=False)  # peak memory of three years over that of one
PROCESS = Path(__file__).with_name("predict_once.py")
TRAIN = Path(__file__).parents[2] / "scripts" / "train.py"
TRAINED = (
    *("data.pair=terrestrial_gpp", "data.source={kind: cube, path: towers.zarr}", "data.simulation=null"),
    *("data.quality=published", "data.split.fold=0", f"model.hidden={WIDTH}", "compare=[]", "transfer=scratch"),
    *("transfer.finetune.steps=20", "transfer.finetune.check_every=20", "report=false", "logger.wandb=disabled"),
    *("trainer.progress=false",),
)
MODELS = {
    "lstm": ("model=lstm",),
    "raci": ("model=raci", "model.first_guess.enabled=false", "model.own_days.enabled=false"),
}


@dataclass(frozen=True)
class Once:
    """One prediction in a process of its own."""

    rate: float  # cells x days a second
    seconds: float
    peak_gb: float


def measure(settings: Settings, threads: Sequence[int]) -> list[Row]:
    """Measure with each number of threads; memory with the first."""
    cells = settings.cells or len(land_cells()[0])
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_zarr(towers(settings.seed), folder / "towers.zarr")
        for years in (SHORT, LONG):
            write_grid(folder / f"grid{years}.zarr", years, settings.seed, cells)
        write_grid(folder / "few.zarr", SHORT, settings.seed, min(cells, RACI_CELLS))
        lstm, raci = (_trained(folder, model) for model in MODELS)
        rows = []
        for count in threads:
            machine = Machine.measured(count, folder)
            short = _predicted(lstm, folder / f"grid{SHORT}.zarr", cells * 365 * SHORT, count)
            rows += _against_floor(short, machine, cells, count)
            beside = _predicted(raci, folder / "few.zarr", min(cells, RACI_CELLS) * 365, count)
            rows += [
                Row(
                    f"RACI without its trees, {min(cells, RACI_CELLS):,} cells x 365 days",
                    count,
                    beside.rate,
                    None,
                    "cells x days/s",
                ),
                Row("RACI without its trees: peak memory", count, beside.peak_gb, None, "GB", bar=MEMORY),
            ]
            if count == threads[0]:
                long = _predicted(lstm, folder / f"grid{LONG}.zarr", cells * 365 * LONG, count)
                growth = long.peak_gb / short.peak_gb
                rows += [
                    Row(f"peak memory, {SHORT} year", count, short.peak_gb, None, "GB", bar=MEMORY),
                    Row(f"peak memory, {LONG} years", count, long.peak_gb, None, "GB", bar=MEMORY),
                    Row("peak memory, three years over one", count, long.peak_gb, short.peak_gb, "GB",
                        ratio=Spread(growth, growth, growth), bar=GROWTH),
                    Row(f"LSTM, {cells:,} cells x {365 * LONG} days", count, long.rate, None, "cells x days/s"),
                ]  # fmt: skip
    return rows


def _against_floor(once: Once, machine: Machine, cells: int, threads: int) -> list[Row]:
    """Compare a prediction of one year with the floor of its days, and with that of all days that windows encode."""
    days, window = 365 * SHORT, WindowConfig()
    windows = -(-days // window.scored_days)
    encoded = windows * (window.warmup_days + window.scored_days)
    flops = lstm_flops(2 * (len(WEATHER) + 1), WIDTH)  # the sun is a driver too, and each has a mask
    read, written = 4.0 * cells * days * len(WEATHER), 4.0 * cells * days
    floors = {
        f"LSTM, {cells:,} cells x {days} days, against the floor of these days": days,
        f"the same, against the floor of the {encoded} days a cell that windows encode": encoded,
    }
    rows = []
    for what, counted in floors.items():
        floor = machine.seconds(cells * counted * flops, read, written)
        share = once.seconds / floor
        rate = cells * days / floor
        rows.append(Row(what, threads, once.rate, rate, "cells x days/s", ratio=Spread(share, share, share)))
    gflops, copied, to_disk = (each / 1e9 for each in (machine.flops, machine.copied, machine.written))
    return [
        *rows,
        Row("this machine: products of matrices", threads, gflops, None, "GFLOP/s"),
        Row("this machine: copies in memory", threads, copied, None, "GB/s"),
        Row("this machine: writes to disk", threads, to_disk, None, "GB/s"),
    ]


def _trained(folder: Path, model: str) -> Path:
    """Train a model a few steps: its speed does not depend on what it has learned."""
    command = [sys.executable, str(TRAIN), *TRAINED, *MODELS[model], f"data.root={folder}", f"output={folder}/{model}"]
    _run(command, os.cpu_count() or 1)
    (run,) = (folder / model).glob("*/*")
    return run


def _predicted(run: Path, cube: Path, site_days: int, threads: int) -> Once:
    output = cube.with_name(f"{run.parent.parent.name}-{cube.name}-{threads}")
    command = [sys.executable, "-P", str(PROCESS), str(run), str(cube), str(output), str(threads)]
    said = json.loads(_run(command, threads).splitlines()[-1])
    return Once(site_days / said["seconds"], said["seconds"], said["peak_gb"])


def _run(command: Sequence[str], threads: int) -> str:
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise UserError(f"speed=global: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout
