"""Pages of a benchmark: ``README.md`` with the models' table of each split, and one page a split with the rest."""

import shlex
import time
from collections.abc import Sequence
from pathlib import Path

from raciflux.atomic import write_text
from raciflux.evaluation.scores.tables import summary
from raciflux.evaluation.wording import LABELS

from .cells import Run
from .collect import of_targets
from .grids import Grid
from .interval_page import interval_table
from .split_page import compare_split, models_table, write_split_page
from .work import cells_of, pooled

HOUSE = "raci"
TUNED = (
    "* hyper-parameters were tuned on the validation clusters of fold 0 of the spatial split: every one of these sites "
    "is tested in another fold, and many in the temporal split; likewise for what is called best on validation"
)


def write_pages(name: str, grid: Grid, runs: Sequence[Run], folder: Path, draws: int, output: Path) -> None:
    """Write the tables of every split and target, from the runs whose folds are all finished.

    ``output/README.md`` says what was run and shows the models of each split under its stricter score;
    ``output/SPLIT.md`` has their sizes, both scores and every comparison.
    """
    lines = [f"# Accuracy: {name}", "", grid.about, "", *_how(name, grid, runs, folder)]
    whole = list(pooled(runs, folder))
    for split in grid.splits:
        # The model of the house first: the others are its baselines, and one of them is the best on validation.
        of_split = sorted((one for one in whole if one[0].split == split), key=lambda one: one[0].model != HOUSE)
        if not of_split:
            continue
        comparisons = compare_split(of_split, HOUSE, folder, draws)
        write_split_page(name, grid, of_split, comparisons, folder, output / f"{split}.md")
        lines += ["", f"## Split: {split}", "", f"Sizes, both scores and each comparison: [{split}.md]({split}.md)."]
        lines += [*interval_table(of_split), *_ceiling(of_split[0][1])]
        for comparison in comparisons:
            lines += models_table(comparison, comparison.scores[0])
    lines += ["", "## Cells", *_missing(grid, runs, folder)]
    write_text("\n".join(lines) + "\n", output / "README.md")


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
