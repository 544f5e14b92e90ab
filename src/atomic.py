"""Writing whole or not at all: a reader never meets half a file."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import UserError


@contextmanager
def replacing(path: Path, former: Path | None = None) -> Iterator[Path]:
    """Give a path to write a file or folder to, and put it in the place of ``path`` once the body is done.

    A failure or an interrupt leaves what was there before, and nothing beside it; a process that is killed may leave a
    hidden folder beside it. A file is on the disk before it takes its place, so that a machine which loses power leaves
    it whole, too.

    Parameters
    ----------
    former : where to keep what was there before; None keeps it nowhere.

    Raises
    ------
    UserError
        If the disk does not take it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=scratch_prefix(path), dir=path.parent) as scratch:
            partial = Path(scratch) / "new"
            yield partial
            if partial.is_file():
                _settle(partial)
            if path.is_dir() or (former is not None and path.exists()):
                path.rename(former or Path(scratch) / "former")
            partial.rename(path)
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())[:160]
        raise UserError(f"{path}: cannot be written ({reason}); make room there and try again") from error


def scratch_prefix(path: Path) -> str:
    """Begin the name of the folder in which ``path`` is written before it takes its place."""
    return f".{path.name}."


def write_text(text: str, path: Path) -> None:
    """Write a text file, whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _settle(path: Path) -> None:
    """Wait until what was written is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
