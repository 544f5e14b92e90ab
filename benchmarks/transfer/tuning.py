"""Choose each technique's hyper-parameters: the same number of configurations for all, scratch among them."""

import csv
import shlex
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from raciflux.atomic import replacing

from ..accuracy.work import Cell
from .runs import run_of
from .studies import STUDIES
from .study import Study

CANDIDATES = Path(__file__).parent / "candidates.yaml"
COLUMNS = ("technique", "candidate", "overrides", "validation", "seeds", "chosen")


@dataclass(frozen=True)
class Trial:
    """One configuration of a technique, and its cell with each seed."""

    technique: str
    number: int
    overrides: tuple[str, ...]
    cells: tuple[Cell, ...]

    def validation(self) -> float | None:
        """Mean validation score over the seeds; None where one is not finished."""
        left = [cell.run.done(cell.folder) for cell in self.cells]
        known = [one["validation"] for one in left if one is not None]
        return statistics.mean(known) if len(known) == len(left) else None


def candidates() -> dict[str, list[list[str]]]:
    """Read the configurations of each technique, as overrides."""
    tried: dict[str, list[list[str]]] = yaml.safe_load(CANDIDATES.read_text())
    return tried


def trials(name: str, study: Study, folder: Path, techniques: Sequence[str]) -> list[Trial]:
    """List the trials: first fold, every seed, first network, in the condition that is tuned in."""
    assert study.tuned_in is not None
    fold, network = study.folds[0] if study.folds else 0, study.networks[0]
    place = folder / f"transfer_{name}" / "tuning"
    return [
        Trial(
            technique,
            number,
            tuple(overrides),
            tuple(
                Cell(
                    run_of(name, study, study.tuned_in, network, technique, seed, overrides),
                    fold,
                    place / f"{technique}{number}-s{seed}" / f"fold{fold}",
                )
                for seed in study.drawn(study.seeds)
            ),
        )
        for technique, of_technique in candidates().items()
        if technique in study.techniques and (not techniques or technique in techniques)
        for number, overrides in enumerate(of_technique)
    ]


def write_tuning(tried: Sequence[Trial], table: Path) -> None:
    """Write the trials of every technique all of whose trials ended, and its choice; others keep the rows they have."""
    rows = _rows(table)
    for technique in {trial.technique: None for trial in tried}:
        of_technique = [trial for trial in tried if trial.technique == technique]
        scores = [score for trial in of_technique if (score := trial.validation()) is not None]
        if len(scores) < len(of_technique):
            continue
        best = scores.index(min(scores))
        rows = [row for row in rows if row["technique"] != technique] + [
            {
                "technique": technique,
                "candidate": str(trial.number),
                "overrides": shlex.join(trial.overrides),
                "validation": f"{score:.4f}",
                "seeds": str(len(trial.cells)),
                "chosen": str(int(number == best)),
            }
            for number, (trial, score) in enumerate(zip(of_technique, scores, strict=True))
        ]
    with replacing(table) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def chosen(name: str, output: Path) -> dict[str, tuple[str, ...]]:
    """Return the hyper-parameters of each technique in a study; empty where none were chosen."""
    study = STUDIES[name]
    rows = _rows(tuning_table(study.tuned_by or name, output))
    return {row["technique"]: tuple(shlex.split(row["overrides"])) for row in rows if row["chosen"] == "1"}


def tuning_table(name: str, output: Path) -> Path:
    """Path of a study's trials."""
    return output / f"{name}_tuning.csv"


def _rows(table: Path) -> list[dict[str, str]]:
    if not table.exists():
        return []
    with table.open(newline="") as file:
        return list(csv.DictReader(file))
