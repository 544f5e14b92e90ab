"""What a model without gradients leaves on disk: a folder of arrays, never a pickle."""

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...atomic import replacing
from ...errors import UserError

ARRAYS = "arrays.npz"


def save_arrays(folder: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays into ``folder``, which is made or replaced as a whole."""
    with replacing(folder) as partial:
        partial.mkdir()
        np.savez(partial / ARRAYS, **arrays)


def load_arrays(folder: Path) -> dict[str, NDArray[Any]]:
    """Read what ``save_arrays`` wrote."""
    with np.load(folder / ARRAYS, allow_pickle=False) as stored:
        return dict(stored)


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
