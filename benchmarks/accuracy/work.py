"""Run the cells of a grid in a few processes of one core each; finished cells are never run again."""

import functools
import json
import multiprocessing
import os
import platform
import shutil
import statistics
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from raciflux.atomic import write_text
from raciflux.config.compose import compose
from raciflux.errors import UserError
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
    return [Cell(run, fold, folder / run.place / f"fold{fold}") for run in runs for fold in _wanted_folds(run)]


def _wanted_folds(run: Run) -> tuple[int, ...]:
    return run.only or _folds_of(run.experiment, _data_overrides(run))


@functools.cache  # a sweep has more worlds than are kept as they were read
def _folds_of(experiment: str, overrides: tuple[str, ...]) -> tuple[int, ...]:
    return prepared_for(experiment, overrides).folds


def work(cells: Sequence[Cell], jobs: int, console: Console) -> list[Cell]:
    """Run what is not finished, and return what is still not: a cell that fails is said, and the rest goes on."""
    todo = [cell for cell in cells if cell.run.done(cell.folder) is None]
    console.print(f"{len(cells) - len(todo)} of {len(cells)} cells are finished; {jobs} at a time", highlight=False)
    started = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _end_with_parent, (os.getpid(),)) as pool:
        waiting = {pool.submit(run_cell, cell): cell for cell in todo}
        for i, future in enumerate(as_completed(waiting), 1):
            cell = waiting[future]
            left = (time.monotonic() - started) / i * (len(todo) - i) / 60
            try:
                said = future.result()
            except BrokenProcessPool:
                said = "its process was killed, perhaps for want of memory; call again with fewer jobs"
            console.print(
                f"{i}/{len(todo)} {cell.run.name}/fold{cell.fold}: {said}; about {left:.0f} min left",
                highlight=False,
                soft_wrap=True,
            )
    return [cell for cell in todo if cell.run.done(cell.folder) is None]


def insist_on(unfinished: Sequence[Cell]) -> None:
    """Refuse to go on while cells are not finished.

    Raises
    ------
    UserError
        If there is one.
    """
    if unfinished:
        raise UserError(
            f"{len(unfinished)} cells are not finished, the first {unfinished[0].folder}; call again to go on with them"
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
    """Train, predict and mark one cell; return what to say of it.

    The mark, ``cell.json``, says what the cell was made with (commit, versions, processor; the settings stand in
    ``config.yaml``), minutes of its last session, trained numbers and validation score.
    """
    # Imported in the worker: the parent only counts.
    import torch
    from raciflux.workflow.folder import locked
    from raciflux.workflow.stages import quiet

    quiet()
    torch.set_num_threads(1)
    started = time.monotonic()
    cell.folder.mkdir(parents=True, exist_ok=True)
    try:
        prepared = prepared_for(cell.run.experiment, _data_overrides(cell.run))
        with locked(cell.folder):
            if cell.run.done(cell.folder):
                return "finished by another process"
            _clear_other(cell)
            _write_identity(cell.run, cell.folder)
            _fill(cell, prepared)
            write_text(json.dumps(_mark(cell, (time.monotonic() - started) / 60), indent=1) + "\n", cell.folder / DONE)
    except Exception:
        write_text(traceback.format_exc(), cell.folder / FAILED)
        return f"failed, see {cell.folder / FAILED}"
    (cell.folder / FAILED).unlink(missing_ok=True)
    done = cell.run.done(cell.folder)
    assert done is not None
    score = "" if done["validation"] is None else f", validation {done['validation']:.3f}"
    return f"{done['minutes']:.1f} min{score}"


def _write_identity(run: Run, folder: Path) -> None:
    from raciflux.workflow.folder import write_identity

    from .ceiling import write_ceiling_identity

    if run.oracle:
        write_ceiling_identity(run, folder)
    else:
        write_identity(run.config(), folder, run.arguments)


def _keep_identity(fold: Path, place: Path) -> None:
    """Say of a pooled run what its folds say: they may be older than the code that pools them."""
    for name in ("config.yaml", "command.txt", "versions.json"):
        write_text((fold / name).read_text(), place / name)


def _fill(cell: Cell, prepared: Prepared) -> None:
    """Train and predict, or ask the oracle."""
    from raciflux.workflow.progress import RunProgress
    from raciflux.workflow.train import run_fold

    from .ceiling import write_ceiling

    if cell.run.oracle:
        write_ceiling(cell.run, prepared, cell.fold, cell.folder)
    else:
        config = replace(cell.run.config(), output=str(cell.folder.parents[2]))  # where cells share pretrainings
        run_fold(config, prepared, cell.fold, cell.folder, RunProgress(1, visible=False, speaks=False))


def _clear_other(cell: Cell) -> None:
    """Empty the folder of a fold that was begun under another configuration: nothing of it may be gone on with.

    Raises
    ------
    UserError
        If the cell belongs to another benchmark, which keeps what it has.
    """
    if cell.run.begun(cell.folder):
        return
    if cell.run.home and (cell.folder / "config.yaml").exists():
        raise UserError(
            f"{cell.folder}: {cell.run.home} ran this cell with other settings than {cell.run.grid} asks for; "
            f"run accuracy={cell.run.home} anew, or do not share {cell.run.model}"
        )
    for path in cell.folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != ".lock":
            path.unlink()


def _mark(cell: Cell, minutes: float) -> dict[str, Any]:
    identity = json.loads((cell.folder / "versions.json").read_text())
    return {
        "minutes": round(minutes, 2),
        "parameters": _parameters(cell.folder),
        "validation": mean_validation([cell.folder]),
        "commit": identity["commit"],
        "packages": identity["packages"],
        "processor": processor(),
    }


def mean_validation(folds: Sequence[Path]) -> float | None:
    """Average the validation scores of folds; None where one has none, as of the ceiling."""
    files = [fold / "validation.json" for fold in folds]
    if not all(file.exists() for file in files):
        return None
    return statistics.mean(json.loads(file.read_text())["score"] for file in files)


def processor() -> str:
    """Name of the processor and number of its cores, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} cores, {names[0] if names else platform.processor() or platform.machine()}"


@functools.lru_cache(maxsize=2)
def prepared_for(experiment: str, overrides: tuple[str, ...]) -> Prepared:
    """Read the data of a split once for all its cells."""
    return prepare(compose([f"experiment={experiment}", *REGIME, *overrides]))


def _data_overrides(run: Run) -> tuple[str, ...]:
    """Return the overrides that decide what is read; the technique is one where it reads the simulation's series."""
    series = "transfer.simulated_flux=series" in run.overrides
    read = ("data.", "transfer=", "transfer.simulated_flux=") if series else ("data.",)
    return tuple(text for text in run.overrides if text.startswith(read))


def _parameters(folder: Path) -> int | None:
    """Count the trained numbers of a network; None of a model without gradients."""
    from raciflux.modules.checkpoints import network_weights

    best = folder / "checkpoints" / "towers" / "best.ckpt"
    return sum(value.numel() for value in network_weights(best).values()) if best.exists() else None


def pooled(runs: Sequence[Run], folder: Path) -> Iterator[tuple[Run, Path]]:
    """Pool the folds of every run that has them all, anew if a fold is younger, and yield it with its run folder."""
    from raciflux.workflow.predictions import scored_folders
    from raciflux.workflow.train import pool_folds

    for run in runs:
        prepared = prepared_for(run.experiment, _data_overrides(run))
        folds, targets, place = run.folds(folder), prepared.roles.targets, folder / run.name
        if len(folds) < len(_wanted_folds(run)):
            continue
        _keep_identity(folds[0], place)
        done = [path / "predictions.zarr" for path in scored_folders(place, targets).values()]
        youngest = max((fold / DONE).stat().st_mtime for fold in folds)
        if not all(path.exists() and path.stat().st_mtime > youngest for path in done):
            pool_folds(folds, place, targets)
            if run.home:  # comparison reads the scores of the folds that stand beside the predictions
                write_text(json.dumps({"score": mean_validation(folds)}) + "\n", place / "validation.json")
        yield run, place
