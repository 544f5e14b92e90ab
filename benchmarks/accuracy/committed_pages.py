"""The pages of a study whose cells are committed: what each row is worth, or when retrieval pays."""

from collections.abc import Sequence
from pathlib import Path

from raciflux.atomic import write_text
from raciflux.evaluation.comparison.compared import Comparison
from raciflux.evaluation.comparison.tables import estimate_text
from raciflux.evaluation.wording import LABELS

from .cells import Run
from .committed import Committed
from .grid import Grid
from .markdown import markdown
from .pages import SEE, how_made, missing
from .split_page import BOUNDS, write_split_page
from .sweep_page import write_sweep
from .work import cells_of


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
        for split, of_split in whole.items():
            lines += _of_split(name, grid, split, committed, of_split, folds[split], draws, output)
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
    lines = ["", f"## Split: {split}"]
    if len({run.model for run in runs}) < 2:
        return [*lines, "", "No two models have finished a seed yet."]
    comparisons = [
        committed.compare(runs, folds, target, grid.reference, grid.baselines, draws)
        for target in committed.targets(split)
    ]
    page = grid.file(f"{split}.md")
    write_split_page(name, grid, {run: committed.left(run) for run in runs}, comparisons, output / page)
    return [*lines, "", SEE.format(page=page), *_in_short(comparisons)]


def _in_short(comparisons: Sequence[Comparison]) -> list[str]:
    """One line a row: how its mean RMSE differs from the reference's, in each target, under the stricter score."""
    first = comparisons[0]
    sides = [f"{one.target}: Δ mean RMSE [{one.units}] (95 %), sites won/tied/lost" for one in comparisons]
    rows = []
    for i, pair in enumerate(first.scores[0].pairs):
        of_targets = [comparison.scores[0].pairs[i] for comparison in comparisons]
        cells = [
            f"{estimate_text(one.differences['mean_rmse'], 3, BOUNDS, sign='+')}, {one.wins}/{one.ties}/{one.losses}"
            for one in of_targets
        ]
        rows.append((f"{pair.model} − {pair.reference}", *cells))
    about = f"* {LABELS[first.scores[0].score]}; above 0: worse than {first.reference}"
    return ["", *markdown(("row", *sides), rows), "", about]
