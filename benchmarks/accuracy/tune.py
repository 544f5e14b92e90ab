"""Choose hyper-parameters: a few configurations a model, judged on the validation sites of a few folds."""

import csv
import shlex
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from raciflux.atomic import replacing
from raciflux.errors import UserError

from .cells import hyper_parameters, run_of
from .grid import Grid
from .grids import GRIDS
from .work import Cell

CANDIDATES = Path(__file__).parent / "candidates.yaml"
COLUMNS = ("model", "candidate", "overrides", "validation", "minutes", "parameters", "chosen")
AT_MOST = 8  # configurations a model


def candidates(grid: Grid) -> dict[str, list[list[str]]]:
    """Read what a benchmark tries of each model, as overrides; its own file goes before the common one.

    Raises
    ------
    UserError
        If a model has more than ``AT_MOST`` configurations.
    """
    tried: dict[str, list[list[str]]] = yaml.safe_load(CANDIDATES.read_text())
    if grid.candidates:
        tried |= yaml.safe_load(CANDIDATES.with_name(grid.candidates).read_text())
    for model, of_model in tried.items():
        if len(of_model) > AT_MOST:
            raise UserError(
                f"{CANDIDATES.name}: {model} has {len(of_model)} configurations; at most {AT_MOST} are tried"
            )
    return tried


def tuning_cells(name: str, grid: Grid, folder: Path, models: Sequence[str]) -> list[Cell]:
    """List the cells of every candidate, one after the other: the folds that are tuned on, seed 0 of that split."""
    assert grid.tuned_on is not None
    cells: list[Cell] = []
    for model, of_model in candidates(grid).items():
        if model not in grid.models or model in grid.shares or (models and model not in models):
            continue
        for number, overrides in enumerate(of_model):
            run = run_of(name, grid, grid.tuned_on, model, 0, overrides)
            place = folder / name / "tuning" / model / str(number)
            cells += [Cell(run, fold, place / f"fold{fold}") for fold in grid.tuning_folds]
    return cells


def write_tuning(grid: Grid, cells: Sequence[Cell], table: Path) -> None:
    """Write the trials of every model all of whose trials ended, and the choice: the smallest mean validation score.

    Other models keep the rows that the table has.
    """
    rows = {row["model"]: [] for row in _rows(table)} | {cell.run.model: [] for cell in cells}
    for row in _rows(table):
        rows[row["model"]].append(row)
    tried = candidates(grid)
    for model in {cell.run.model: None for cell in cells}:
        left = [cell.run.done(cell.folder) for cell in cells if cell.run.model == model]
        ended = [cell for cell in left if cell is not None]
        folds = len(grid.tuning_folds)
        if len(ended) == len(tried[model]) * folds:
            of_candidate = [ended[i : i + folds] for i in range(0, len(ended), folds)]
            scores = [statistics.mean(cell["validation"] for cell in of_folds) for of_folds in of_candidate]
            best = scores.index(min(scores))
            rows[model] = [
                {
                    "model": model,
                    "candidate": number,
                    "overrides": shlex.join(tried[model][number]),
                    "validation": scores[number],
                    "minutes": round(sum(cell["minutes"] for cell in of_folds), 2),
                    "parameters": of_folds[0]["parameters"],
                    "chosen": int(number == best),
                }
                for number, of_folds in enumerate(of_candidate)
            ]
    with replacing(table) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for of_model in rows.values() for row in of_model)


def _rows(table: Path) -> list[dict[str, Any]]:
    if not table.exists():
        return []
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def chosen(table: Path) -> dict[str, tuple[str, ...]]:
    """Read the choices of a committed tuning table; empty where there is none, and defaults are used."""
    return {row["model"]: tuple(shlex.split(row["overrides"])) for row in _rows(table) if row["chosen"] == "1"}


def tuned_for(name: str, tables: Path) -> dict[str, tuple[str, ...]]:
    """Return the hyper-parameters of a benchmark's models, as overrides.

    Its own choice goes before those of ``tuned_by``, later ones before earlier; a model whose cells are shared has what
    the benchmark has that it shares them with.
    """
    grid = GRIDS[name]
    found: dict[str, tuple[str, ...]] = {}
    for other in (*grid.tuned_by, name):
        found |= _own_choice(other, tables)
    for model, home in grid.shares.items():
        found[model] = hyper_parameters(GRIDS[home], model, tuned_for(home, tables))
    return found


def _own_choice(name: str, tables: Path) -> dict[str, tuple[str, ...]]:
    grid = GRIDS[name]
    return chosen(tables / (grid.folder or name) / grid.file("tuning.csv"))
