"""Cells of a grid as sites: which are taken, what they are called, and which years are read."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError

Cells = NDArray[np.int64]


def drawn(cells: Cells, count: int, seed: int) -> Cells:
    """Return some of the cells, drawn by seed and in their order; all, if ``count`` is 0 or more than there are."""
    if not 0 < count < len(cells):
        return cells
    return np.sort(np.random.default_rng([seed, 0]).choice(cells, count, replace=False))


def names_of(cells: Cells, columns: int) -> list[str]:
    """Return names by row and column from the south-west, such as ``C255-103``."""
    return [f"C{cell // columns:03d}-{cell % columns:03d}" for cell in cells.tolist()]


def years_between(first: int, last: int) -> Sequence[int]:
    """Return the years from first to last.

    Raises
    ------
    UserError
        The first is after the last.
    """
    if first > last:
        raise UserError(f"data.*.first_year={first} is after last_year={last}; exchange the two")
    return range(first, last + 1)
