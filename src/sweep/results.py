"""A sweep in the place of its runs: its finished points, and a word on each of the others."""

from collections.abc import Sequence
from pathlib import Path

from ..errors import UserError
from .plan import MANIFEST, load_sweep
from .status import DONE, standings


def finished_runs(folders: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Return run folders, with the finished points of a sweep for its folder, and a line on each unfinished one.

    Raises
    ------
    UserError
        A sweep has no finished point, or its manifest cannot be read.
    """
    runs: list[Path] = []
    unfinished = []
    for folder in folders:
        if not (folder / MANIFEST).is_file():
            runs.append(folder)
            continue
        sweep = load_sweep(folder)
        stand = standings(sweep, {})
        done = [sweep.place(number) for number, one in enumerate(stand) if one.state == DONE]
        if not done:
            raise UserError(f"{folder}: no point of this sweep is finished; see sweep.py --status {folder}")
        runs += done
        unfinished += [
            f"left out, not finished: {point.name}, {': '.join(filter(None, (one.state, one.reason)))}"
            for point, one in zip(sweep.points, stand, strict=True)
            if one.state != DONE
        ]
    return runs, unfinished
