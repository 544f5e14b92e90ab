"""Predicting any number of places and years: block after block of sites, in memory that neither of them grows.

A block holds all days of its sites: what is said of a site (its windows, its neighbours, the climate that they are
found by) depends on its own record alone, so blocks change nothing. The more days, the fewer sites a block has.
"""

import gc
import hashlib
import importlib.metadata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from ..contracts import WindowLayout
from ..datamodules import PAIRS
from ..datamodules.cube import loaded, validate
from ..datamodules.gaps import refuse_sites_without
from ..evaluation.run_folder import COORDINATE_ATTRS
from .apply import FinishedRun, predict_cube
from .partial_store import growing

SITE_DAYS = 500_000  # of a block: about 1 GB at fifteen drivers
PADDING = 1 / 7  # of the memory of a day: what a day costs that only pads a window
ALIKE = 64  # blocks are multiples of it where they can be: descriptors are made of so many sites at once
# what of a run folder its predictions are made of
MODELS = ("config.yaml", "scaler.yaml", "bank.npz", "splits.json", "best.ckpt", "own_prior.json", "own_residuals.json")
FOLDERS = ("estimator", "first_guess", "calibration", "emulator", "simulated_flux.json", "own_days.zarr")


@dataclass(frozen=True)
class Blocks:
    """Sites in blocks of ``size``, in their order."""

    sites: int
    size: int

    def __iter__(self) -> Iterator[slice]:
        for first in range(0, self.sites, self.size):
            yield slice(first, min(first + self.size, self.sites))

    def __len__(self) -> int:
        return -(-self.sites // self.size)


def blocks_of(run: FinishedRun, cube: xr.Dataset, size: int = 0) -> Blocks:
    """Cut the sites of a cube into blocks: of ``size``, or by default as many as memory holds of so many days.

    Own days are shown to all sites at once: whether any are measured is asked of all together.
    """
    sites, days = cube.sizes["site"], cube.sizes["time"]
    if run.own_days or size:
        return Blocks(sites, size or sites)
    window = run.config.data.window
    layout = WindowLayout(window.warmup_days, window.scored_days, window.block_days, window.history_blocks)
    padding = 2 * layout.days + layout.history * layout.block_days
    held = max(1, int(SITE_DAYS / (days + PADDING * padding)))
    return Blocks(sites, min(sites, held - held % ALIKE if held >= ALIKE else held))


def predict_in_blocks(run: FinishedRun, cube: xr.Dataset, output: Path, size: int = 0) -> xr.Dataset:
    """Predict a cube into the Zarr folder ``output``, and return it opened.

    What an interrupted call has written is gone on with.

    Parameters
    ----------
    cube : its daily values may still be on disk; see ``predict_cube``.
    size : sites of a block; 0 chooses.

    Raises
    ------
    UserError
        As ``predict_cube`` and ``growing``.
    """
    inputs, blocks = run.inputs(cube), blocks_of(run, cube, size)
    with _progress(cube.sizes["time"], len(inputs["site_id"])) as (checking, predicting):
        made_of = {
            "run": _digest_of_run(run),
            "data": _survey(run, inputs, blocks, checking),
            "block": str(blocks.size),
            "own_days": str(run.own_days),
            "version of raciflux": importlib.metadata.version("raciflux"),
        }
        with growing(output, blocks.sites, made_of) as store:
            try:
                for number, sites in enumerate(blocks):
                    if number not in store.done:
                        store.write(number, sites, predict_cube(run, loaded(inputs.isel(site=sites))))
                        _forget()
                    predicting(sites)
            finally:
                gc.unfreeze()
            store.finish(output, run.asked(cube))
    made: xr.Dataset = xr.open_zarr(output, chunks=None)
    return made


def _forget() -> None:
    """Free the arrays of a block: trainer, module and data refer to each other in a ring, which keeps them.

    What outlives it, above all the objects of the libraries, is not looked through again after the next block.
    """
    gc.collect()
    gc.freeze()


def _survey(run: FinishedRun, inputs: xr.Dataset, blocks: Blocks, seen: Callable[[slice], None]) -> str:
    """Read all inputs once, so that a mistake is said before the first block is predicted; return their digest."""
    pair, digests = PAIRS[run.config.data.pair].pair, {name: _hashed(inputs[name]) for name in COORDINATE_ATTRS}
    for sites in blocks:
        part = validate(loaded(inputs.isel(site=sites)))
        if all(name in part for name in pair.required):
            refuse_sites_without(part, pair)
        for name in map(str, part.data_vars):
            digests[name] = _hashed(part[name], digests.get(name))
        seen(sites)
    return _digest([f"{name} {digests[name].hexdigest()}" for name in sorted(digests)])


def _hashed(values: xr.DataArray, before: "hashlib.blake2b | None" = None) -> "hashlib.blake2b":
    """Hash values in the order of sites, after those of the sites before."""
    made = before or hashlib.blake2b(digest_size=16)
    array = values.to_numpy()
    if array.dtype.kind == "U":
        made.update("\0".join([*array.tolist(), ""]).encode())
    else:
        made.update(np.ascontiguousarray(array).view(np.uint8).data)
    return made


def _digest(parts: Iterable[str]) -> str:
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


def _digest_of_run(run: FinishedRun) -> str:
    """Hash what the run's folds predict with."""
    places = {path for place in {run.folder, *run.folds} for path in place.rglob("*") if path.is_file()}
    inside = {path.relative_to(run.folder): path for path in places}
    read = sorted(name for name in inside if name.name in MODELS or set(name.parts) & set(FOLDERS))
    return _digest(f"{name} {hashlib.blake2b(inside[name].read_bytes()).hexdigest()}" for name in read)


class _Rate(ProgressColumn):
    """Sites times days a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} sites x days/s")


@contextmanager
def _progress(days: int, sites: int) -> Iterator[tuple[Callable[[slice], None], Callable[[slice], None]]]:
    """Show a bar on a terminal; give what is told of each block that is checked, and of each that is predicted."""
    console = Console(stderr=True)
    columns = (TextColumn("  {task.description}"), BarColumn(), _Rate(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        checked, predicted = (bar.add_task(name, total=days * sites) for name in ("checking", "predicting"))

        def checking(block: slice) -> None:
            bar.advance(checked, days * (block.stop - block.start))

        def predicting(block: slice) -> None:
            bar.advance(predicted, days * (block.stop - block.start))

        yield checking, predicting
