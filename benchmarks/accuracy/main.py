"""The accuracy benchmark from its command line: tune if asked, run what is missing, write the tables."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from .grids import GRIDS
from .settings import parse_settings


def measure_accuracy(arguments: Sequence[str], console: Console) -> None:
    """Run the grid of ``accuracy=NAME`` as far as it is missing, and write ``benchmarks/NAME/``."""
    settings = parse_settings(arguments)
    # Imported only now: mistakes are said before the heavy libraries are loaded.
    from .cells import runs_of
    from .collect import write_results
    from .committed import Committed
    from .committed_pages import write_committed_pages
    from .pages import write_pages
    from .tune import tuned_for, tuning_cells, write_tuning
    from .work import cells_of, insist_on, work

    name, grid, runs_folder = settings.accuracy, GRIDS[settings.accuracy], Path(settings.runs)
    tables = Path(settings.output)
    output = tables / (grid.folder or name)
    output.mkdir(parents=True, exist_ok=True)
    if settings.tune:
        trials = tuning_cells(name, grid, runs_folder, settings.models)
        left = work(trials, settings.jobs, console) if settings.jobs else []
        write_tuning(grid, trials, output / grid.file("tuning.csv"))
        insist_on(left)  # a model without a choice would go on at its defaults
    tuned = tuned_for(name, tables)
    seeds = settings.seeds or grid.seeds
    asked = runs_of(name, grid, tuned, {"models": settings.models, "splits": settings.splits}, seeds)
    every = runs_of(name, grid, tuned, {"models": [], "splits": []}, max(seeds, grid.seeds))
    committed = Committed.read(output / grid.file("cells.json")) if grid.carried else Committed()
    todo = [cell for cell in cells_of(asked, runs_folder) if committed.cell(cell.run, cell.fold) is None]
    left = work(todo, settings.jobs, console) if settings.jobs else []
    if grid.carried:
        committed.add(cells_of(every, runs_folder))
        cells = committed.write(output / grid.file("cells.json"))
        committed.write_results(every, output / grid.table)
        write_committed_pages(name, grid, every, committed, settings.draws, output)
    else:
        cells = write_results(every, runs_folder, output / grid.table)
        write_pages(name, grid, every, runs_folder, settings.draws, output)
    console.print(f"{cells} cells in {output / grid.table}; tables in {output / grid.page}", highlight=False)
    insist_on(left)
