"""How well a run did on its validation sites: what chooses among models before any test number is seen."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from ...errors import UserError
from ..run_folder import RunFolder

STAGE = "towers"  # scores of pretraining are those of simulated sites
LOGGED = (
    "val/score",
    "val/mean_rmse",
)  # the former is scaled by the flux's spread; runs of version 0.1.0 have the latter


class ValidationScore(NamedTuple):
    """A score, smaller is better, and what it measures: scores of two measures are not compared."""

    measure: str
    value: float


def validation_score(folder: RunFolder) -> ValidationScore | None:
    """Return the best validation score of a run, averaged over its folds; None where a fold has none.

    It is ``score`` of ``validation.json``, or the smallest logged one of the stage on towers.

    Raises
    ------
    UserError
        If ``validation.json`` is not what training writes.
    """
    folds = sorted(path for path in folder.path.glob("fold*") if path.is_dir()) or [folder.path]
    curves = folder.learning_curves()
    found = [_stored(path) or _logged(curves, path.name if path != folder.path else "") for path in folds]
    known = [score for score in found if score is not None]
    if len(known) < len(found) or len({score.measure for score in known}) > 1:
        return None
    return ValidationScore(known[0].measure, sum(score.value for score in known) / len(known))


def mean_score(folders: Sequence[RunFolder]) -> ValidationScore | None:
    """Average the validation scores of one model's runs; None where one has none."""
    scores = [validation_score(folder) for folder in folders]
    known = [score for score in scores if score is not None]
    if len(known) < len(scores) or len({score.measure for score in known}) != 1:
        return None
    return ValidationScore(known[0].measure, sum(score.value for score in known) / len(known))


def _stored(folder: Path) -> ValidationScore | None:
    file = folder / "validation.json"
    if not file.is_file():
        return None
    try:
        value = float(json.loads(file.read_text(encoding="utf-8"))["score"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f'{file}: expected {{"score": number}}; delete it or run the training again') from error
    return ValidationScore(LOGGED[0], value) if math.isfinite(value) else None


def _logged(curves: Mapping[str, pl.DataFrame], fold: str) -> ValidationScore | None:
    table = curves.get("/".join(filter(None, [fold, STAGE])))
    for measure in LOGGED:
        if table is not None and measure in table.columns:
            logged = table[measure].cast(pl.Float64, strict=False).drop_nulls().drop_nans()
            if logged.len():
                return ValidationScore(measure, float(logged.to_numpy().min()))
    return None
