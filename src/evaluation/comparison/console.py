"""A comparison of models as the console shows it."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .compared import Comparison
from .tables import (
    MODEL_HEADER,
    PAIR_HEADER,
    comparison_notes,
    model_rows,
    pair_rows,
    site_rows,
    title,
)


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print, for each score, the models, their differences, and what the numbers mean."""
    for compared in comparison.scores:
        console.print(_table(title(comparison, compared), MODEL_HEADER, model_rows(compared)))
        console.print(_table("", PAIR_HEADER, pair_rows(compared)))
        header, sites = site_rows(compared)
        if sites:
            console.print(_table(f"Δ RMSE by site [{comparison.units}]", header, sites))
    for line in comparison_notes(comparison):
        console.print(f"  {escape(line)}", style="dim")


def _table(name: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=escape(name) or None, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(escape(header[0]), no_wrap=True)
    for column in header[1:]:
        table.add_column(escape(column), justify="right", min_width=max(map(len, column.split())))
    for row in rows:
        table.add_row(*map(escape, row))
    return table
