"""A study of transfer from its command line: tune if asked, run what is missing, keep it, write the page."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from .settings import NARROWED, parse_settings
from .studies import STUDIES


def measure_transfer(arguments: Sequence[str], console: Console) -> None:
    """Run the study of ``transfer=NAME`` as far as it is missing, and write its tables."""
    settings = parse_settings(arguments)
    # Imported only now: mistakes are said before the heavy libraries are loaded.
    from ..accuracy.work import Cell, insist_on, work
    from .page import write_page
    from .runs import wanted
    from .store import Store
    from .tuning import chosen, trials, tuning_table, write_tuning

    name, study = settings.transfer, STUDIES[settings.transfer]
    runs, output = Path(settings.runs), Path(settings.output)
    output.mkdir(parents=True, exist_ok=True)
    left: list[Cell] = []
    if settings.tune:
        tried = trials(name, study, runs, settings.techniques)
        cells = [cell for trial in tried for cell in trial.cells]
        left = work(cells, settings.jobs, console) if settings.jobs else []
        write_tuning(tried, tuning_table(name, output))
        insist_on(left)  # a technique without a choice would go on at its defaults
    tuned, seeds, store = chosen(name, output), settings.seeds or study.seeds, Store(name, output)
    everything = wanted(name, study, tuned, dict.fromkeys(NARROWED, ()), max(seeds, study.seeds, store.seeds(study)))
    if settings.jobs:
        asked = wanted(name, study, tuned, {part: getattr(settings, part) for part in NARROWED}, seeds)
        todo = [cell for one in asked for cell in one.cells(runs) if not store.holds(one, cell)]
        left = work(todo, settings.jobs, console)
    store.take(everything, runs)
    write_page(name, study, everything, store, tuned, settings.draws, output, runs)
    console.print(f"{store.cells.height} cells in {store.paths['cells']}", highlight=False)
    insist_on(left)
