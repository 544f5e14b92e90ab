"""The questions about own days from their command line: answer what is missing, and write the tables."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from raciflux.errors import UserError
from rich.console import Console

from .methods import METHODS, Given
from .settings import OPTIONAL, Settings, parse_settings
from .table import Table


def measure_own_days(arguments: Sequence[str], console: Console) -> None:
    """Ask every method, and write ``few_shot.csv`` or ``gap.csv`` with its page."""
    settings = parse_settings(arguments)
    path = settings.questions_path()
    if settings.make:
        _make(path, console)
        return
    table = Table(settings.own_days, path.stem, Path(settings.output))
    if settings.jobs:
        _ask(settings, path, table, console)
    _write_page(settings, table, console)


def _ask(settings: Settings, path: Path, table: Table, console: Console) -> None:
    """Ask every method that the named runs allow."""
    from raciflux.workflow.adapt import read_base

    known = METHODS[settings.own_days]
    lacking = [key for key in OPTIONAL if not getattr(settings, key)]
    wanted = settings.methods or [name for name in known if known[name].uses not in lacking]
    corrected = any(known[name].corrects for name in wanted)
    base = read_base([Path(run) for run in settings.base], out_of_fold=corrected)
    raci = read_base([Path(run) for run in settings.raci], out_of_fold=False) if settings.raci else None
    if raci is not None and not np.array_equal(raci.record.flux, base.record.flux, equal_nan=True):
        raise UserError("raci: its runs are of other data than those of base; name runs of one data set")
    targets = tuple(settings.targets) or base.record.targets
    given = Given(
        base, raci, tuple(map(Path, settings.raci)), tuple(map(Path, settings.fine_tuned)), targets, settings.jobs
    )
    for name in wanted:
        _answer(name, given, table, path, settings, console)


def _write_page(settings: Settings, table: Table, console: Console) -> None:
    """Write the tables of all answers on disk, whoever asked them."""
    from .page import write_page

    rows = table.rows(settings.targets)
    if rows.is_empty():
        raise UserError(f"{table.path}: holds no answer; name runs with base=[RUN, ...] and leave jobs=0 out")
    page = table.path.with_suffix(".md")
    write_page(settings.own_days, rows, table.runs, settings.draws, page)
    console.print(f"{table.path}; tables in {page}", highlight=False)


def _make(path: Path, console: Console) -> None:
    from raciflux.own_days.question_files import write_questions

    from .make_questions import RECIPES, make

    if path.stem not in RECIPES:
        raise UserError(f"questions={path.stem}: only {', '.join(RECIPES)} are drawn from data")
    file = make(path.stem, Path(os.environ.get("RACIFLUX_DATA", "../shared/data")))
    write_questions(file, path)
    console.print(f"{path}: {len(file.sites)} sites", highlight=False)


def _answer(name: str, given: Given, table: Table, path: Path, settings: Settings, console: Console) -> None:
    """Ask one method whatever it was not asked before; every few sites the answers are written."""
    from .ask import asked_of_sites, questions, site_rows

    record, kind, method = given.base.record, settings.own_days, METHODS[settings.own_days][name]
    runs = [] if method.uses == "nothing" else getattr(settings, method.uses)
    asked = asked_of_sites(kind, path)
    tested = np.any([fold.tested for fold in given.base.folds], axis=0)
    there = [site for site in asked if site in record.site and tested[record.site[site]]]
    if not there:
        raise UserError(f"{path}: names no site that {given.base.runs[0]} tests; name another file with questions=NAME")
    todo = [site for site in there if not table.has(name, runs, site, given.targets)]
    console.print(f"{name}: {len(there) - len(todo)} of {len(there)} sites are answered", highlight=False)
    if not todo:
        return
    answer, answerable = method.build(given), np.isfinite(_zero_shot(given))
    for number, site in enumerate(todo, 1):
        place = record.site[site]
        scored = answerable[place] & np.isin(record.targets, given.targets)
        table.add(
            name, runs, site_rows(name, answer, record, place, questions(kind, asked[site], record, place), scored)
        )
        if number % 20 == 0 or number == len(todo):
            table.write()
            console.print(f"  {number} of {len(todo)}", highlight=False)


def _zero_shot(given: Given) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return what the base says of every tested site (site, day, target)."""
    said = np.full(given.base.record.flux.shape, np.nan, np.float32)
    for fold in given.base.folds:
        said[fold.tested] = fold.predicted[fold.tested]
    return said
