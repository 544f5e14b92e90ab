"""Writing whole or not at all: a reader never meets half a file."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write a file or folder to, and put it in the place of ``path`` once the body is done.

    A failure or an interrupt leaves what was there before, and nothing beside it.

    Raises
    ------
    UserError
        If the disk does not take it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as scratch:
            partial, former = Path(scratch) / "new", Path(scratch) / "former"
            yield partial
            if path.is_dir():
                path.rename(former)
            partial.rename(path)
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())[:160]
        raise UserError(f"{path}: cannot be written ({reason}); make room there and try again") from error


def write_text(text: str, path: Path) -> None:
    """Write a text file, whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
