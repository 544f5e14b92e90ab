"""The pages of a study whose cells are committed: what each row is worth, or when retrieval pays."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from raciflux.atomic import write_text
from raciflux.evaluation.comparison.compared import PERCENT, Comparison, Pair
from raciflux.evaluation.comparison.tables import estimate_text
from raciflux.evaluation.wording import LABELS

from .ceiling_page import closed_table
from .cells import Run
from .committed import Committed
from .grid import Grid
from .markdown import markdown
from .pages import SEE, how_made, missing
from .split_page import BOUNDS, reference_among, write_split_page
from .sweep_page import write_sweep
from .work import cells_of
from .worlds import pooled_committed


def write_committed_pages(
    name: str, grid: Grid, runs: Sequence[Run], committed: Committed, draws: int, output: Path
) -> None:
    """Write the pages of a study from its committed cells."""
    cells = cells_of(runs, Path())
    folds = {split: sorted({cell.fold for cell in cells if cell.run.split == split}) for split in grid.splits}
    done = [left for cell in cells if (left := committed.cell(cell.run, cell.fold))]
    lines = [f"# Accuracy: {name}", "", grid.about, "", *how_made(name, grid, done)]
    whole = {
        split: committed.whole([run for run in runs if run.split == split], of_split)
        for split, of_split in folds.items()
    }
    if grid.design:
        lines += write_sweep(grid, committed, whole, folds, draws, output)
    else:
        together, pools = pooled_committed(committed, grid.pools, whole)
        for split, of_split in (pools | whole).items():
            of_folds = folds[split] if split in folds else together.folds(split)
            lines += _of_split(name, grid, split, together, of_split, of_folds, draws, output)
    lines += ["", "## Cells", *missing(grid, cells, lambda cell: committed.cell(cell.run, cell.fold) is not None)]
    write_text("\n".join(lines) + "\n", output / grid.page)


def _of_split(
    name: str,
    grid: Grid,
    split: str,
    committed: Committed,
    runs: Sequence[Run],
    folds: Sequence[int],
    draws: int,
    output: Path,
) -> list[str]:
    """Tables of one split in short; sizes and every comparison have a page of their own."""
    lines, entering = ["", f"## Split: {split}"], [run for run in runs if not run.oracle]
    models = {run.model for run in entering}
    if len(models) < 2:
        return [*lines, "", "No two models have finished a seed yet."]
    reference, targets = reference_among(grid, models), committed.targets(split)
    comparisons = [committed.compare(entering, folds, target, reference, grid.baselines, draws) for target in targets]
    ceiling = {
        (target, score): r2
        for run in runs
        if run.oracle
        for target in targets
        for score, r2 in committed.median_r2(run, folds, target).items()
    }
    page = grid.file(f"{split}.md")
    left = {
        run: committed.left(run) if split in grid.splits else [] for run in entering
    }  # of a pool each world says it
    write_split_page(name, grid, left, comparisons, output / page)
    return [*lines, "", SEE.format(page=page), *_in_short(comparisons), *closed_table(ceiling, comparisons)]


def _in_short(comparisons: Sequence[Comparison]) -> list[str]:
    """One line a row: how its mean RMSE differs from the reference's, in each target, under the stricter score."""
    first = comparisons[0]
    sides = [(f"{one.target}: Δ mean RMSE [{one.units}] (95 %)", "in %", "won/tied/lost") for one in comparisons]
    rows = []
    for i, pair in enumerate(first.scores[0].pairs):
        cells = [_cells(comparison.scores[0].pairs[i]) for comparison in comparisons]
        rows.append((f"{pair.model} − {pair.reference}", *chain(*cells)))
    about = f"* {LABELS[first.scores[0].score]}; above 0: worse than {first.reference}"
    return ["", *markdown(("row", *chain(*sides)), rows), "", about]


def _cells(pair: Pair) -> tuple[str, str, str]:
    mean = estimate_text(pair.differences["mean_rmse"], 3, BOUNDS, sign="+")
    percent = estimate_text(pair.differences[PERCENT], 1, BOUNDS, sign="+")
    return mean, percent, f"{pair.wins}/{pair.ties}/{pair.losses}"
