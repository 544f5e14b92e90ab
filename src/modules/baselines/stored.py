"""What a model without gradients leaves on disk: a folder of arrays, never a pickle."""

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Self, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

from ...atomic import replacing
from ...errors import UserError

ARRAYS = "arrays.npz"

T = TypeVar("T")


@dataclass(frozen=True)
class Stored:
    """A fitted model whose fields are arrays, numbers, or dataclasses of them: stored under their dotted names."""

    def save(self, folder: Path) -> None:
        """Write the fields into ``folder``, whole or not at all."""
        with replacing(folder) as partial:
            partial.mkdir()
            np.savez(partial / ARRAYS, **dict(_named(self)))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote.

        Raises
        ------
        UserError
            If a file is missing or damaged.
        """
        with reading(folder), np.load(folder / ARRAYS, allow_pickle=False) as stored:
            return _built(cls, stored)


def _named(part: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401  any dataclass
    for field in fields(part):
        value, name = getattr(part, field.name), prefix + field.name
        yield from _named(value, f"{name}.") if is_dataclass(value) else [(name, value)]


def _built(part: type[T], stored: Mapping[str, NDArray[Any]], prefix: str = "") -> T:
    values: dict[str, Any] = {}
    for name, kind in get_type_hints(part).items():
        if isinstance(kind, type) and is_dataclass(kind):
            values[name] = _built(kind, stored, f"{prefix}{name}.")
        else:
            value = stored[prefix + name]
            values[name] = value if value.ndim else value.item()
    return part(**values)


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Turn what a missing or damaged file raises into one line.

    Raises
    ------
    UserError
        If the body cannot read the folder.
    """
    try:
        yield
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"{folder}: not a readable fitted model ({reason}); train the run again") from error
