"""``README.md`` of a benchmark: tables with intervals, what was run with what, and which cells are missing."""

import importlib.metadata
import json
import platform
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

from .cells import DONE, Run
from .collect import of_targets
from .grids import Grid
from .interval_page import interval_table
from .markdown import markdown
from .work import cells_of, pooled

PACKAGES = ("raciflux", "torch", "lightning", "lightgbm", "numpy", "polars", "xarray")
BOUNDS = " ({})"  # how an interval follows its number


def write_page(name: str, grid: Grid, runs: Sequence[Run], folder: Path, draws: int, path: Path) -> None:
    """Write the tables of every split and target, from the runs whose folds are all finished."""
    lines = [f"# Accuracy: {name}", "", grid.about, "", *_how(name, grid, runs, folder)]
    whole = list(pooled(runs, folder))
    for split in grid.splits:
        of_split = [(run, place) for run, place in whole if run.split == split]
        if not of_split:
            continue
        lines += ["", f"## Split: {split}", *_sizes(grid, [run for run, _ in of_split], folder)]
        lines += [*interval_table(of_split), *_ceiling(of_split[0][1])]
        if len({run.model for run, _ in of_split}) < 2:
            continue
        compared = compare_folders([place for _, place in of_split], reference="best_baseline", draws=draws)
        for comparison in compared.values():
            lines += _tables(comparison)
    lines += ["", "## Cells", *_missing(grid, runs, folder)]
    write_text("\n".join(lines) + "\n", path)


def _how(name: str, grid: Grid, runs: Sequence[Run], folder: Path) -> list[str]:
    """Say what made the page: command, versions, machine, date, minutes."""
    done = [json.loads((fold / DONE).read_text()) for run in runs for fold in run.folds(folder)]
    minutes = sum(cell["minutes"] for cell in done)
    versions = ", ".join(f"{package} {importlib.metadata.version(package)}" for package in PACKAGES)
    return [
        f"* made by `python scripts/benchmark.py accuracy={name}`, {time.strftime('%Y-%m-%d')}: {len(done)} cells, "
        f"{minutes:.0f} minutes of single-core processes on a machine that did other work as well",
        f"* {versions}; Python {platform.python_version()}, {platform.system()} {platform.machine()}, no GPU",
        f"* every cell: {shlex.join(grid.regime) or 'the defaults of the recipe'}, the same split file, the same early "
        "stopping on validation clusters, one core, seeds 0, 1, ... paired over models; hyper-parameters as chosen in "
        "`tuning.csv` where there is one",
        *(["* tuning reads fold 0's validation clusters, some of which other folds test"] if grid.tuned_on else []),
        "* `results.csv` holds every site's numbers; intervals resample clusters of towers and seeds",
    ]


def _sizes(grid: Grid, runs: Sequence[Run], folder: Path) -> list[str]:
    """Table of sizes, chosen hyper-parameters and training time of each model."""
    lines = ["", "| model | trained numbers | minutes a fold | hyper-parameters |", "|---|---|---|---|"]
    for run in {run.model: run for run in runs}.values():
        cells = [json.loads((fold / DONE).read_text()) for fold in run.folds(folder)]
        chosen = [text for text in run.overrides if text not in grid.regime and not text.startswith("data.")]
        numbers = f"{cells[0]['parameters']:,}" if cells[0]["parameters"] else "–"
        minutes = statistics.median(cell["minutes"] for cell in cells)
        lines.append(f"| {run.model} | {numbers} | {minutes:.1f} | {shlex.join(chosen) or 'defaults'} |")
    return lines


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
            finished = sum((cell.folder / DONE).exists() for cell in cells)
            counts.append(f"{finished} of {len(cells)}" + ("" if finished == len(cells) else " **missing**"))
        lines.append(f"| {model} | {' | '.join(counts)} |")
    return lines
