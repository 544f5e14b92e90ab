"""Pages of a benchmark: ``README.md`` with the models' table of each split, and one page a split with the rest."""

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from raciflux.atomic import write_text

from .ceiling_page import ceiling_r2, closed_table, noise_ceiling
from .cells import Run, of_shared_seeds
from .ensembles import ensembles_table
from .grid import HOUSE, Grid
from .interval_page import interval_table
from .split_page import compare_split, models_table, write_split_page
from .trust_table import trust_table
from .work import Cell, cells_of, pooled
from .worlds import pooled_worlds

SEE = "Sizes, both scores and each comparison: [{page}]({page})."
TUNED = (
    "* hyper-parameters were tuned on the validation clusters of {} of the split {}: every one of these sites is "
    "tested in another fold; likewise for what is called best on validation"
)


def write_pages(name: str, grid: Grid, runs: Sequence[Run], folder: Path, draws: int, output: Path) -> None:
    """Write the tables of every split and target, from the runs whose folds are all finished.

    ``output/README.md`` says what was run and shows the models of each split under its stricter score;
    ``output/SPLIT.md`` has their sizes, both scores and every comparison. A grid with a ``stem`` calls them after it.
    """
    done = [left for run in runs for fold in run.folds(folder) if (left := run.done(fold))]
    lines = [f"# Accuracy: {name}", "", grid.about, "", *how_made(name, grid, done)]
    places = list(pooled(runs, folder))
    shared = of_shared_seeds(runs, [run for run, _ in places])
    whole = [(run, place) for run, place in places if run in shared]
    whole += pooled_worlds(whole, grid.pools, folder)
    for split in (*grid.pools, *grid.splits):
        # The model of the house first: the others are its baselines, and one of them is the best on validation.
        of_split = sorted((one for one in whole if one[0].split == split), key=lambda one: one[0].model != HOUSE)
        if not of_split:
            continue
        comparisons = compare_split(grid, of_split, draws)
        page = grid.file(f"{split}.md")
        left = {run: [left for fold in run.folds(folder) if (left := run.done(fold))] for run, _ in of_split}
        write_split_page(name, grid, left, comparisons, output / page)
        lines += ["", f"## Split: {split}", "", SEE.format(page=page)]
        lines += [
            *interval_table(of_split),
            *trust_table(of_split),
            *noise_ceiling(of_split[0][1]),
            *closed_table(ceiling_r2(of_split), comparisons),
        ]
        for comparison in comparisons:
            lines += models_table(comparison, comparison.scores[0])
        lines += ensembles_table(grid, of_split, folder, draws)
    lines += [
        "",
        "## Cells",
        *missing(grid, cells_of(runs, folder), lambda cell: cell.run.done(cell.folder) is not None),
    ]
    write_text("\n".join(lines) + "\n", output / grid.page)


def how_made(name: str, grid: Grid, done: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what made the page: command, commit, versions, machine, date, minutes; all as the cells say it."""
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
        f"`{grid.file('tuning.csv')}` where there is one"
        + "".join(f", else as accuracy={other} chose" for other in reversed(grid.tuned_by)),
        *([f"* only folds {', '.join(map(str, grid.folds))}"] if grid.folds else []),
        *(f"* cells of {model} are those of accuracy={home}" for model, home in grid.shares.items()),
        *([TUNED.format(_folds(grid.tuning_folds), grid.tuned_on)] if grid.tuned_on else []),
        f"* `{grid.table}` holds every site's numbers; intervals resample clusters of towers and seeds",
    ]


def _folds(numbers: Sequence[int]) -> str:
    *but_last, last = map(str, numbers)
    return f"folds {', '.join(but_last)} and {last}" if but_last else f"fold {last}"


def missing(grid: Grid, cells: Sequence[Cell], finished: Callable[[Cell], bool]) -> list[str]:
    """Table of finished and wanted cells, model by split, so that what is missing is seen."""
    lines = ["", f"| model | {' | '.join(grid.splits)} |", f"|---|{'---|' * len(grid.splits)}"]
    for model in grid.models:
        counts = []
        for split in grid.splits:
            wanted = [cell for cell in cells if (cell.run.model, cell.run.split) == (model, split)]
            there = sum(map(finished, wanted))
            counts.append(f"{there} of {len(wanted)}" + ("" if there == len(wanted) else " **missing**"))
        lines.append(f"| {model} | {' | '.join(counts)} |")
    return lines
