"""A table on a console: names may wrap, a number never loses a digit, for a cut number reads as a true one."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

UNLIMITED = 100_000
LEAST_NAME = 12  # of the first column, however narrow the terminal
BETWEEN = 3  # border and padding of a column, at most


def print_table(
    console: Console,
    title: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    styles: Sequence[str | None] | None = None,
) -> None:
    """Print names to the left and numbers to the right.

    Into a file or a pipe the table has its own width, whatever the console's; in a terminal too narrow for it, cells
    wrap between words and names inside them, and what is wider still is left to the terminal to wrap.

    Parameters
    ----------
    header, rows : the column of names first; no markup in them.
    styles : Rich style of each row.
    """
    table = Table(
        title=escape(title) or None, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False
    )
    for place, cells in enumerate(zip(header, *rows, strict=True)):
        longest = max(len(word) for cell in cells for word in cell.split() or [""])
        table.add_column(
            escape(header[place]),
            justify="right" if place else "left",
            min_width=longest if place else min(longest, LEAST_NAME),
            overflow="fold",
        )
    for row, style in zip(rows, styles or [None] * len(rows), strict=True):
        table.add_row(*map(escape, row), style=style)
    table.width = console.measure(table, options=console.options.update(max_width=UNLIMITED)).maximum
    if console.is_terminal:
        least = sum((column.min_width or 0) + BETWEEN for column in table.columns)
        table.width = min(table.width, max(console.width, least))
    console.print(table, crop=False)
