"""The readable table at the end of a run."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .evaluate import Evaluation
from .headline import rows, unlike
from .wording import LABELS, notes, pretty_unit, target_name, where

COLUMNS = ("median R²", "median RMSE", "pooled R²", "pooled RMSE", "sites", "clusters", "days")


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Print this model beside its baselines for each score, what the numbers mean, and where the report is."""
    run, baselines = evaluation.run, evaluation.baselines
    flux = f"{target_name(run.summary)} [{pretty_unit(run.summary['units'])}]"
    for score in run.summary["scores"]:
        console.print(_table(evaluation, score, f"{flux} {where(run.summary)}, {LABELS[score]}"))
    lines = notes(run.summary) + unlike(run, baselines)
    if run.summary["without_odd_sites"]:
        lines.append(f"* without the odd sites of the data set: {', '.join(run.summary['without_odd_sites']['sites'])}")
    for line in lines:
        console.print(f"  {escape(line)}", style="dim")
    console.print(f"report: {escape(str(evaluation.report))}", soft_wrap=True)


def _table(evaluation: Evaluation, score: str, title: str) -> Table:
    table = Table(title=escape(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("model", no_wrap=True)
    for column in COLUMNS:
        table.add_column(column, justify="right", min_width=max(map(len, column.split())))
    listed = [(row.model, row) for row in rows(evaluation.run, evaluation.baselines, score)]
    if evaluation.run.summary["without_odd_sites"]:
        listed += [
            (f"{row.model} *", row) for row in rows(evaluation.run, evaluation.baselines, score, odd_sites=False)
        ]
    for name, row in listed:
        cells = (
            row.median_r2,
            row.median_rmse,
            row.pooled_r2,
            row.pooled_rmse,
            f"{row.sites:,}",
            f"{row.clusters:,}",
            f"{row.days:,}",
        )
        table.add_row(escape(name), *cells, style="bold" if row.main else "dim" if row.ceiling else None)
    return table
