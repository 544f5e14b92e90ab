"""Full-size grids of X-MethaneWet to a cube on disk: memory that does not grow with the years, time that does.

Each year is 1.9 GB: five daily files of 360 x 720 x 12 x 31 float32 and a monthly one. One year is written; the others
are links to it, so that the page cache serves them: a disk that is slower than memory adds its own time. A quarter of
the cells is land.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import netCDF4
import numpy as np
from raciflux.datamodules.sources.xmethanewet.layout import (
    CARBON_DIOXIDE_IN_AIR,
    CODES,
    DAILY,
    EMISSION,
    GRIDS,
    METHANE_IN_AIR,
    PRODUCTION,
    STATICS,
    Grid,
)
from raciflux.errors import UserError

from .settings import Settings
from .timing import Bar, Row, Spread

FIRST = 1979  # as convert_once.py
ROWS, COLUMNS, MONTHS, DAYS = 360, 720, 12, 31
LAND = 0.25  # of the cells
SHORT, LONG, WHOLE = 2, 6, 40  # years
MEMORY = Bar(2.5, at_least=False)  # GB
GROWTH = Bar(1.05, at_least=False)  # peak memory of six years over that of two
PROCESS = Path(__file__).with_name("convert_once.py")


def measure(settings: Settings, threads: int) -> list[Row]:
    """Measure two and six years, each in a fresh process."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        _write(folder / "X-MethaneWet" / GRIDS, settings.seed)
        short, long = (_convert(folder, years, threads) for years in (SHORT, LONG))
    a_year = (long["seconds"] - short["seconds"]) / (LONG - SHORT)
    fixed = short["seconds"] - SHORT * a_year
    cells = f"{long['cells']:,.0f} cells"
    growth = long["peak_gb"] / short["peak_gb"]
    return [
        Row(f"{SHORT} years, {cells}: seconds", threads, short["seconds"], None, "s"),
        Row(f"{LONG} years: seconds", threads, long["seconds"], None, "s"),
        Row("each further year: seconds", threads, a_year, None, "s"),
        Row(f"{WHOLE} years would take", threads, (fixed + WHOLE * a_year) / 60, None, "min"),
        Row(f"peak memory, {SHORT} years", threads, short["peak_gb"], None, "GB", bar=MEMORY),
        Row(
            f"peak memory, {LONG} years", threads, long["peak_gb"], short["peak_gb"], "GB",
            ratio=Spread(growth, growth, growth), bar=GROWTH,
        ),
    ]  # fmt: skip


def _convert(folder: Path, years: int, threads: int) -> dict[str, float]:
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "POLARS_MAX_THREADS": str(threads)}
    command = [sys.executable, str(PROCESS), str(folder), str(folder / f"pool{years}"), str(years)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise UserError(f"speed=grids: {done.stderr.strip().splitlines()[-1]}")
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def _write(folder: Path, seed: int) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    land = rng.random((ROWS, COLUMNS)) < LAND
    for grid in (*STATICS, *CODES):
        values = rng.integers(1, 6, land.shape).astype(np.float32)
        _grid(folder / grid.file, grid, np.where(land, values, -9999))
    lines = "".join(f"{year} 1700\n" for year in range(FIRST, FIRST + WHOLE))
    (folder / METHANE_IN_AIR).write_text(lines)
    (folder / CARBON_DIOXIDE_IN_AIR).write_text(lines.replace("1700", "380"))
    for grid in (*DAILY, EMISSION):
        values = rng.uniform(1, 20, (ROWS, COLUMNS, MONTHS, DAYS)).astype(np.float32)
        values[~land] = -9999
        _grid(folder / grid.file.format(year=FIRST), grid, values)
    monthly = rng.uniform(1, 20, (ROWS, COLUMNS, MONTHS)).astype(np.float32)
    _grid(folder / PRODUCTION.file.format(year=FIRST), PRODUCTION, monthly)
    for grid in (*DAILY, EMISSION, PRODUCTION):
        for year in range(FIRST + 1, FIRST + LONG):
            os.link(folder / grid.file.format(year=FIRST), folder / grid.file.format(year=year))


def _grid(path: Path, grid: Grid, values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
    names = ("lat", "lon", "month", "day")[: values.ndim]
    with netCDF4.Dataset(path, "w") as file:
        for name, length in zip(names, values.shape, strict=True):
            file.createDimension(name, length)
        variable = file.createVariable(grid.name, "f4", names, fill_value=np.float32(-9999))
        variable[:] = values
