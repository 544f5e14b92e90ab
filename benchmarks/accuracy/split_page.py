"""The page of one split: sizes of the models, both scores, and each model against the best baseline."""

import shlex
import statistics
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from raciflux.atomic import write_text
from raciflux.evaluation.comparison.compare import BEST
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
from .grid import Grid
from .markdown import markdown

BOUNDS = " ({})"  # how an interval follows its number


def compare_split(grid: Grid, of_split: Sequence[tuple[Run, Path]], draws: int) -> list[Comparison]:
    """Hold the runs of a split against one of them, one comparison a target; none of one model.

    It is the grid's reference, or else the best baseline on validation. Variants of the model of the house are no
    baselines, and the ceiling is no model: it is left out.
    """
    entering = [(run, place) for run, place in of_split if not run.oracle]
    models = list(dict.fromkeys(run.model for run, _ in entering))
    if len(models) < 2:
        return []
    baselines = [model for model in models if model in grid.baselines]
    places = [place for _, place in entering]
    reference = reference_among(grid, models)
    return list(compare_folders(places, reference=reference, baselines=baselines, draws=draws).values())


def reference_among(grid: Grid, models: Collection[str]) -> str | None:
    """Say what these models are held against: the grid's reference where it is one of them, else the best baseline.

    None, the first of them, where no baseline is among them.
    """
    return grid.reference if grid.reference in models else BEST if set(models) & set(grid.baselines) else None


def write_split_page(
    name: str,
    grid: Grid,
    left: Mapping[Run, Sequence[Mapping[str, Any]]],
    comparisons: Sequence[Comparison],
    path: Path,
) -> None:
    """Write sizes, from what the cells of each run of a split left, then each target's tables under each score."""
    split = next(iter(left)).split
    lines = [f"# Accuracy: {name}, split {split}", "", f"What was run, with what: [{grid.page}]({grid.page})."]
    lines += sizes_table(grid, left)
    for comparison in comparisons:
        lines += comparison_tables(comparison)
    write_text("\n".join(lines) + "\n", path)


def models_table(comparison: Comparison, compared: ScoreComparison) -> list[str]:
    """Return the models' table of one target under one score, best median R2 first."""
    order = sorted(range(len(compared.models)), key=lambda i: _median_r2(compared.models[i]), reverse=True)
    rows = model_rows(compared, BOUNDS)
    return ["", f"### {title(comparison, compared)}", "", *markdown(MODEL_HEADER, [rows[i] for i in order])]


def sizes_table(grid: Grid, left: Mapping[Run, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Return the table of sizes, chosen hyper-parameters, validation and training time of each model.

    Parameters
    ----------
    left : what each finished cell of a run left.
    """
    header = ("model", "trained numbers", "minutes a fold", "validation RMSE / spread", "hyper-parameters")
    rows = []
    for model in {run.model: None for run in left}:
        of_model = [run for run in left if run.model == model]
        cells = [cell for run in of_model for cell in left[run]]
        if not cells:  # worlds pooled: each says its own
            continue
        common = (*grid.regime, *grid.splits[of_model[0].split])
        chosen = [text for text in of_model[0].overrides if text not in common]
        validation = [cell["validation"] for cell in cells if cell["validation"] is not None]
        rows.append(
            (
                model,
                f"{cells[0]['parameters']:,}" if cells[0]["parameters"] else "–",
                f"{statistics.median(cell['minutes'] for cell in cells):.1f}",
                f"{statistics.mean(validation):.3f}" if validation else "–",
                shlex.join(chosen) or "defaults",
            )
        )
    return ["", *markdown(header, rows)] if rows else []


def comparison_tables(comparison: Comparison) -> list[str]:
    """Return the tables of one target: models, best median R2 first, and each against the best baseline."""
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
