"""Run the cells of a grid in a few processes of one core each; finished cells are never run again."""

import functools
import json
import multiprocessing
import os
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from raciflux.atomic import write_text
from raciflux.config.compose import compose
from raciflux.workflow.prepare import Prepared, prepare
from rich.console import Console

from .cells import DONE, REGIME, Run

FAILED = "failed.txt"


@dataclass(frozen=True)
class Cell:
    """One fold of a run, and where it goes."""

    run: Run
    fold: int
    folder: Path  # of the fold


def cells_of(runs: Sequence[Run], folder: Path) -> list[Cell]:
    """List every cell of the runs, in their order."""
    return [
        Cell(run, fold, folder / run.name / f"fold{fold}")
        for run in runs
        for fold in prepared_for(run.experiment, _data_overrides(run)).folds
    ]


def work(cells: Sequence[Cell], jobs: int, console: Console) -> None:
    """Run what is not finished; a cell that fails is said, kept as ``failed.txt``, and the rest goes on."""
    todo = [cell for cell in cells if not (cell.folder / DONE).exists()]
    console.print(f"{len(cells) - len(todo)} of {len(cells)} cells are finished; {jobs} at a time", highlight=False)
    started = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _end_with_parent, (os.getpid(),)) as pool:
        waiting = {pool.submit(run_cell, cell): cell for cell in todo}
        for i, future in enumerate(as_completed(waiting), 1):
            cell = waiting[future]
            left = (time.monotonic() - started) / i * (len(todo) - i) / 60
            console.print(
                f"{i}/{len(todo)} {cell.run.name}/fold{cell.fold}: {future.result()}; about {left:.0f} min left",
                highlight=False,
                soft_wrap=True,
            )


def _end_with_parent(parent: int) -> None:
    """Watch the process that hands out cells: when it is killed, a worker would go on unseen, beside those of the next.

    A cell cut short is simply not finished; its checkpoints let it go on.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run_cell(cell: Cell) -> str:
    """Train, predict and mark one cell; return what to say of it."""
    # Imported in the worker: the parent only counts.
    import torch
    from raciflux.workflow.folder import locked, write_identity
    from raciflux.workflow.progress import RunProgress
    from raciflux.workflow.stages import quiet
    from raciflux.workflow.train import run_fold

    quiet()
    torch.set_num_threads(1)
    started = time.monotonic()
    cell.folder.mkdir(parents=True, exist_ok=True)
    try:
        config = cell.run.config()
        prepared = prepared_for(cell.run.experiment, _data_overrides(cell.run))
        with locked(cell.folder):
            if (cell.folder / DONE).exists():
                return "finished by another process"
            write_identity(config, cell.folder.parent, ["(a cell of scripts/benchmark.py)"])
            run_fold(config, prepared, cell.fold, cell.folder, RunProgress(1, visible=False, speaks=False))
            minutes = (time.monotonic() - started) / 60
            score = json.loads((cell.folder / "validation.json").read_text())["score"]
            done = {"minutes": round(minutes, 2), "parameters": _parameters(cell.folder), "validation": score}
            write_text(json.dumps(done) + "\n", cell.folder / DONE)
    except Exception:
        write_text(traceback.format_exc(), cell.folder / FAILED)
        return f"failed, see {cell.folder / FAILED}"
    (cell.folder / FAILED).unlink(missing_ok=True)
    return f"{minutes:.1f} min, validation {score:.3f}"


@functools.lru_cache(maxsize=2)
def prepared_for(experiment: str, overrides: tuple[str, ...]) -> Prepared:
    """Read the data of a split once for all its cells."""
    return prepare(compose([f"experiment={experiment}", *REGIME, *overrides]))


def _data_overrides(run: Run) -> tuple[str, ...]:
    return tuple(text for text in run.overrides if text.startswith("data."))


def _parameters(folder: Path) -> int | None:
    """Count the trained numbers of a network; None of a model without gradients."""
    from raciflux.modules.checkpoints import network_weights

    best = folder / "checkpoints" / "towers" / "best.ckpt"
    return sum(value.numel() for value in network_weights(best).values()) if best.exists() else None


def pooled(runs: Sequence[Run], folder: Path) -> Iterator[tuple[Run, Path]]:
    """Pool the folds of every run that has them all, and yield it with its run folder."""
    from raciflux.workflow.predictions import scored_folders
    from raciflux.workflow.train import pool_folds

    for run in runs:
        prepared = prepared_for(run.experiment, _data_overrides(run))
        folds, targets, place = run.folds(folder), prepared.roles.targets, folder / run.name
        if len(folds) < len(prepared.folds):
            continue
        done = [path / "predictions.zarr" for path in scored_folders(place, targets).values()]
        if not all(path.exists() for path in done):
            pool_folds(folds, place, targets)
        yield run, place
