"""``README.md`` of a benchmark: tables with intervals, what was run with what, and which cells are missing."""

import shlex
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from raciflux.atomic import write_text
from raciflux.evaluation.comparison.compared import Comparison, ModelLine
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
from raciflux.evaluation.scores.tables import summary
from raciflux.evaluation.wording import LABELS

from .cells import Run
from .collect import of_targets
from .grids import Grid
from .interval_page import interval_table
from .markdown import markdown
from .work import cells_of, pooled

HOUSE = "raci"
TUNED = (
    "* hyper-parameters were tuned on the validation clusters of fold 0 of the spatial split: every one of these sites "
    "is tested in another fold, and many in the temporal split; likewise for what is called best on validation"
)
BOUNDS = " ({})"  # how an interval follows its number


def write_page(name: str, grid: Grid, runs: Sequence[Run], folder: Path, draws: int, path: Path) -> None:
    """Write the tables of every split and target, from the runs whose folds are all finished."""
    lines = [f"# Accuracy: {name}", "", grid.about, "", *_how(name, grid, runs, folder)]
    whole = list(pooled(runs, folder))
    for split in grid.splits:
        # The model of the house first: the others are its baselines, and one of them is the best on validation.
        of_split = sorted((one for one in whole if one[0].split == split), key=lambda one: one[0].model != HOUSE)
        if not of_split:
            continue
        lines += ["", f"## Split: {split}", *_sizes(grid, [run for run, _ in of_split], folder)]
        lines += [*interval_table(of_split), *_ceiling(of_split[0][1])]
        models = {run.model for run, _ in of_split}
        if len(models) < 2:
            continue
        best = _best_on_validation([run for run, _ in of_split if run.model != HOUSE], folder)
        for comparison in compare_folders([place for _, place in of_split], reference=best, draws=draws).values():
            lines += _tables(comparison)
    lines += ["", "## Cells", *_missing(grid, runs, folder)]
    write_text("\n".join(lines) + "\n", path)


def _how(name: str, grid: Grid, runs: Sequence[Run], folder: Path) -> list[str]:
    """Say what made the page: command, commit, versions, machine, date, minutes; all as the cells say it."""
    done = [left for run in runs for fold in run.folds(folder) if (left := run.done(fold))]
    if not done:
        return ["* no cell is finished yet"]
    minutes = sum(cell["minutes"] for cell in done)
    versions = {f"{package} {cell['packages'][package]}" for cell in done for package in cell["packages"]}
    tune = " tune=true" if grid.tuned_on else ""
    return [
        f"* made by `python scripts/benchmark.py accuracy={name}{tune}`, {time.strftime('%Y-%m-%d')}: {len(done)} "
        f"cells, {minutes:.0f} minutes of processes of one core each",
        f"* commit {', '.join(sorted({str(cell['commit']) for cell in done}))}; {', '.join(sorted(versions))}",
        f"* {', '.join(sorted({cell['processor'] for cell in done}))}; no GPU",
        f"* every cell: {shlex.join(grid.regime) or 'the defaults of the recipe'}, the same split file, the same early "
        "stopping on validation clusters, one core, seeds 0, 1, ... paired over models; hyper-parameters as chosen in "
        "`tuning.csv` where there is one",
        *([TUNED] if grid.tuned_on else []),
        "* `results.csv` holds every site's numbers; intervals resample clusters of towers and seeds",
    ]


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


def _ceiling(place: Path) -> list[str]:
    """Say what the truth without noise would score, where it is known: no model can do better."""
    lines = []
    for folder in of_targets(place):
        for score, block in summary(folder.predictions())["scores"].items():
            best = block["noise_ceiling"]
            if best:
                r2, rmse = best["per_site"]["r2"]["median"], best["per_site"]["rmse"]["median"]
                lines.append(f"* noise ceiling, {LABELS[score]}: median R2 {r2:.3f}, median RMSE {rmse:.2f}")
    return ["", *lines] if lines else []


def _tables(comparison: Comparison) -> list[str]:
    """Tables of one target: models, best median R2 first, and each against the best baseline."""
    lines: list[str] = []
    for compared in comparison.scores:
        order = sorted(range(len(compared.models)), key=lambda i: _median_r2(compared.models[i]), reverse=True)
        rows = model_rows(compared, BOUNDS)
        lines += ["", f"### {title(comparison, compared)}", "", *markdown(MODEL_HEADER, [rows[i] for i in order])]
        lines += ["", *markdown(PAIR_HEADER, pair_rows(compared, BOUNDS))]
        header, of_sites = site_rows(compared)
        if of_sites:
            lines += ["", *markdown(header, of_sites)]
    return [*lines, "", *(f"* {note}" for note in comparison_notes(comparison))]


def _median_r2(line: ModelLine) -> float:
    value = line.estimates["median_r2"].value
    return float("-inf") if value is None else value


def _missing(grid: Grid, runs: Sequence[Run], folder: Path) -> list[str]:
    """Table of finished and wanted cells, model by split, so that what is missing is seen."""
    lines = ["", f"| model | {' | '.join(grid.splits)} |", f"|---|{'---|' * len(grid.splits)}"]
    for model in grid.models:
        counts = []
        for split in grid.splits:
            cells = cells_of([run for run in runs if (run.model, run.split) == (model, split)], folder)
            finished = sum(cell.run.done(cell.folder) is not None for cell in cells)
            counts.append(f"{finished} of {len(cells)}" + ("" if finished == len(cells) else " **missing**"))
        lines.append(f"| {model} | {' | '.join(counts)} |")
    return lines
