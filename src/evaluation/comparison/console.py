"""A comparison of models as the console shows it."""

from rich.console import Console
from rich.markup import escape

from ..console_table import print_table
from .compared import Comparison
from .tables import (
    MODEL_HEADER,
    PAIR_HEADER,
    comparison_notes,
    model_rows,
    pair_rows,
    site_rows,
    title,
    uncertainty_tables,
)


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print, for each score, the models, their differences, and what the numbers mean."""
    for compared in comparison.scores:
        print_table(console, title(comparison, compared), MODEL_HEADER, model_rows(compared))
        print_table(console, "", PAIR_HEADER, pair_rows(compared))
        for header, rows in uncertainty_tables(compared):
            print_table(console, "", header, rows)
        header, sites = site_rows(compared)
        if sites:
            print_table(console, f"Δ RMSE by site [{comparison.units}]", header, sites)
    for line in comparison_notes(comparison):
        console.print(f"  {escape(line)}", style="dim")
