"""The page of one split: sizes of the models, both scores, and each model against the best baseline."""

import shlex
import statistics
from collections.abc import Sequence
from pathlib import Path

from raciflux.atomic import write_text
from raciflux.evaluation.comparison.compared import Comparison, ModelLine, ScoreComparison
from raciflux.evaluation.comparison.folders import compare_folders
from raciflux.evaluation.comparison.tables import (
    MODEL_HEADER,
    PAIR_HEADER,
    comparison_notes,
    model_rows,
    pair_rows,
    site_rows,
    title,
)

from .cells import Run
from .grids import Grid
from .markdown import markdown

BOUNDS = " ({})"  # how an interval follows its number


def compare_split(of_split: Sequence[tuple[Run, Path]], house: str, folder: Path, draws: int) -> list[Comparison]:
    """Hold the runs of a split against its best baseline on validation, one comparison a target; none of one model."""
    if len({run.model for run, _ in of_split}) < 2:
        return []
    best = _best_on_validation([run for run, _ in of_split if run.model != house], folder)
    return list(compare_folders([place for _, place in of_split], reference=best, draws=draws).values())


def write_split_page(
    name: str,
    grid: Grid,
    of_split: Sequence[tuple[Run, Path]],
    comparisons: Sequence[Comparison],
    folder: Path,
    path: Path,
) -> None:
    """Write sizes, then each target's tables under each score."""
    runs = [run for run, _ in of_split]
    lines = [f"# Accuracy: {name}, split {runs[0].split}", "", "What was run, with what: [README.md](README.md)."]
    lines += _sizes(grid, runs, folder)
    for comparison in comparisons:
        lines += _tables(comparison)
    write_text("\n".join(lines) + "\n", path)


def models_table(comparison: Comparison, compared: ScoreComparison) -> list[str]:
    """Return the models' table of one target under one score, best median R2 first."""
    order = sorted(range(len(compared.models)), key=lambda i: _median_r2(compared.models[i]), reverse=True)
    rows = model_rows(compared, BOUNDS)
    return ["", f"### {title(comparison, compared)}", "", *markdown(MODEL_HEADER, [rows[i] for i in order])]


def _best_on_validation(runs: Sequence[Run], folder: Path) -> str:
    """Return the model with the smallest validation score, averaged over folds and seeds."""
    scores: dict[str, list[float]] = {}
    for run in runs:
        scores.setdefault(run.model, []).extend(
            left["validation"] for fold in run.folds(folder) if (left := run.done(fold))
        )
    return min(scores, key=lambda model: statistics.mean(scores[model]))


def _sizes(grid: Grid, runs: Sequence[Run], folder: Path) -> list[str]:
    """Table of sizes, chosen hyper-parameters, validation and training time of each model."""
    header = ("model", "trained numbers", "minutes a fold", "validation RMSE / spread", "hyper-parameters")
    rows = []
    for model in {run.model: None for run in runs}:
        of_model = [run for run in runs if run.model == model]
        cells = [left for run in of_model for fold in run.folds(folder) if (left := run.done(fold))]
        chosen = [text for text in of_model[0].overrides if text not in (*grid.regime, *grid.splits[of_model[0].split])]
        rows.append(
            (
                model,
                f"{cells[0]['parameters']:,}" if cells[0]["parameters"] else "–",
                f"{statistics.median(cell['minutes'] for cell in cells):.1f}",
                f"{statistics.mean(cell['validation'] for cell in cells):.3f}",
                shlex.join(chosen) or "defaults",
            )
        )
    return ["", *markdown(header, rows)]


def _tables(comparison: Comparison) -> list[str]:
    """Tables of one target: models, best median R2 first, and each against the best baseline."""
    lines: list[str] = []
    for compared in comparison.scores:
        lines += models_table(comparison, compared)
        lines += ["", *markdown(PAIR_HEADER, pair_rows(compared, BOUNDS))]
        header, of_sites = site_rows(compared)
        if of_sites:
            lines += ["", *markdown(header, of_sites)]
    return [*lines, "", *(f"* {note}" for note in comparison_notes(comparison))]


def _median_r2(line: ModelLine) -> float:
    value = line.estimates["median_r2"].value
    return float("-inf") if value is None else value
