"""Choose hyper-parameters: a few configurations a model, judged on the validation sites of one fold."""

import csv
import json
import shlex
from collections.abc import Sequence
from pathlib import Path

import yaml
from raciflux.atomic import write_text
from raciflux.errors import UserError

from .cells import DONE, Run
from .grids import Grid
from .work import Cell

CANDIDATES = Path(__file__).parent / "candidates.yaml"
COLUMNS = ("model", "candidate", "overrides", "validation", "minutes", "parameters", "chosen")
AT_MOST = 8  # configurations a model


def candidates() -> dict[str, list[list[str]]]:
    """Read what is tried of each model, as overrides.

    Raises
    ------
    UserError
        If a model has more than ``AT_MOST`` configurations.
    """
    tried: dict[str, list[list[str]]] = yaml.safe_load(CANDIDATES.read_text())
    for model, of_model in tried.items():
        if len(of_model) > AT_MOST:
            raise UserError(
                f"{CANDIDATES.name}: {model} has {len(of_model)} configurations; at most {AT_MOST} are tried"
            )
    return tried


def tuning_cells(name: str, grid: Grid, folder: Path, models: Sequence[str]) -> list[Cell]:
    """List one cell a candidate: fold 0, seed 0 of the split that is tuned on."""
    assert grid.tuned_on is not None
    cells = []
    for model, of_model in candidates().items():
        if model not in grid.models or (models and model not in models):
            continue
        for number, overrides in enumerate(of_model):
            run = Run(
                name, grid.experiment, grid.tuned_on, model, 0, (*grid.regime, *grid.splits[grid.tuned_on], *overrides)
            )
            cells.append(Cell(run, 0, folder / name / "tuning" / model / str(number) / "fold0"))
    return cells


def write_tuning(name: str, folder: Path, table: Path) -> None:
    """Write every finished trial and the choice: the smallest validation score of a model all of whose trials ended."""
    rows = []
    for model, of_model in candidates().items():
        done = [folder / name / "tuning" / model / str(i) / "fold0" / DONE for i in range(len(of_model))]
        ended = {i: json.loads(path.read_text()) for i, path in enumerate(done) if path.exists()}
        best = min(ended, key=lambda i: ended[i]["validation"]) if len(ended) == len(of_model) else None
        for i, cell in ended.items():
            said = {name: cell[name] for name in ("validation", "minutes", "parameters")}
            row = {"model": model, "candidate": i, "overrides": shlex.join(of_model[i]), **said}
            rows.append(row | {"chosen": int(i == best)})
    lines = [",".join(COLUMNS)]
    lines += [",".join("" if row[name] is None else str(row[name]) for name in COLUMNS) for row in rows]
    write_text("\n".join(lines) + "\n", table)


def chosen(table: Path) -> dict[str, tuple[str, ...]]:
    """Read the choices of a committed tuning table; empty where there is none, and defaults are used."""
    if not table.exists():
        return {}
    with table.open(newline="") as file:
        return {
            row["model"]: tuple(shlex.split(row["overrides"])) for row in csv.DictReader(file) if row["chosen"] == "1"
        }
