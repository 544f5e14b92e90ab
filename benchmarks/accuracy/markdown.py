"""Tables as Markdown."""

from collections.abc import Sequence


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table."""
    cells = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(text.replace('|', '/') for text in row)} |" for row in cells]
