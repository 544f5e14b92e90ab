"""The readable table at the end of a run."""

from rich.console import Console
from rich.markup import escape

from .console_table import print_table
from .evaluate import Evaluation
from .headline import BRIEF, rows, unlike
from .reasons import trust_rows
from .run_folder import RunFolder
from .transferred import gap_line, verdict
from .wording import LABELS, notes, pretty_unit, target_name, where


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Print this model beside its baselines for each score, what the numbers mean, and where the report is."""
    run, baselines = evaluation.run, evaluation.baselines
    flux = f"{target_name(run.summary)} [{pretty_unit(run.summary['units'])}]"
    for score in run.summary["scores"]:
        _print_scores(evaluation, score, f"{flux} {where(run.summary)}, {LABELS[score]}", console)
    _print_trust(evaluation, flux, console)
    _print_transfer(run.folder, console)
    lines = notes(run.summary) + run.folder.not_learned() + unlike(run, baselines)
    if run.summary["without_odd_sites"]:
        lines.append(f"* without the odd sites of the data set: {', '.join(run.summary['without_odd_sites']['sites'])}")
    for line in lines:
        console.print(f"  {escape(line)}", style="dim")
    if evaluation.report.exists():
        console.print(f"report: {escape(str(evaluation.report))}", soft_wrap=True)


def _print_scores(evaluation: Evaluation, score: str, title: str, console: Console) -> None:
    listed = [(row.model, row) for row in rows(evaluation.run, evaluation.baselines, score)]
    if evaluation.run.summary["without_odd_sites"]:
        listed += [
            (f"{row.model} *", row) for row in rows(evaluation.run, evaluation.baselines, score, odd_sites=False)
        ]
    header = ("model", *list(listed[0][1].cells)[:BRIEF])
    cells = [(name, *list(row.cells.values())[:BRIEF]) for name, row in listed]
    styles = ["bold" if row.main else "dim" if row.ceiling else None for _, row in listed]
    print_table(console, title, header, cells, styles)


def _print_trust(evaluation: Evaluation, flux: str, console: Console) -> None:
    """Print whether distance from the bank ranks the run's error; nothing for a model without a bank."""
    listed = trust_rows(evaluation.run, evaluation.run.primary)
    if listed:
        title = f"{flux}: does distance from the bank tell where {evaluation.run.label} errs?"
        cells = [(row.name, *row.cells.values()) for row in listed]
        print_table(console, title, ("distance", *listed[0].cells), cells)


def _print_transfer(folder: RunFolder, console: Console) -> None:
    """Print whether the simulation helped on validation, and how alike both domains are to the network."""
    if (said := verdict(folder)) is not None:
        line, negative = said
        console.print(f"  {escape(line)}", style="bold" if negative else None)
    if (gap := gap_line(folder)) is not None:
        console.print(f"  {escape(gap)}", style="dim")
