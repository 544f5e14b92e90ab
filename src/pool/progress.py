"""A bar while a pool is built, on a terminal; a line a source everywhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def progress_of(sources: int) -> Iterator[Callable[[str, str], None]]:
    """Give a function that is told a source's name and what became of it: read, or as it was."""
    console = Console(highlight=False, soft_wrap=True)
    columns = TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("sources", total=sources)

        def say(name: str, what: str) -> None:
            console.print(f"  {name}: {what}", markup=False)
            bar.advance(task)

        yield say
