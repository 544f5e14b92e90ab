"""How the points of a sweep stand: by their run folders first, and by what Slurm says of those that tell nothing."""

import fcntl
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .plan import Sweep
from .slurm import Told
from .task import FAILED, FINISHED, STOPPED, own_folder, read_state

DONE, RUNNING, QUEUED, LOST, MISSING = "done", "running", "queued", "failed", "missing"
_SILENT = "ended without a word: killed, or out of time or memory"


@dataclass(frozen=True)
class Standing:
    """How a point stands, and why."""

    state: str
    reason: str = ""


def standings(sweep: Sweep, told: Mapping[int, Told]) -> list[Standing]:
    """Return how each point stands; ``told`` is what Slurm says of some."""
    return [_standing(sweep.place(number), told.get(number)) for number in range(len(sweep.points))]


def to_run(stand: Sequence[Standing]) -> list[int]:
    """Return the numbers of the points that nobody has finished or is at."""
    return [number for number, one in enumerate(stand) if one.state in (LOST, MISSING)]


def summary(stand: Sequence[Standing]) -> str:
    """Count the points of each state: ``3 done, 1 failed``."""
    counts = Counter(one.state for one in stand)
    return ", ".join(f"{counts[name]} {name}" for name in (DONE, RUNNING, QUEUED, LOST, MISSING) if counts[name])


def lines(sweep: Sweep, stand: Sequence[Standing]) -> list[str]:
    """Describe each point in a line."""
    width = max(len(point.name) for point in sweep.points)
    return [
        f"{point.name:<{width}}  {one.state:<7}  {one.reason}".rstrip()
        for point, one in zip(sweep.points, stand, strict=True)
    ]


def _standing(run: Path, told: Told | None) -> Standing:
    state = read_state(run)
    if state.get("state") == FINISHED:
        return Standing(DONE, f"{state['minutes']} min" if "minutes" in state else "")
    if told is not None and told.runs:
        return Standing(RUNNING, f"Slurm job {told.job}")
    if told is not None and told.waits:
        return Standing(QUEUED, f"Slurm job {told.job}: {told.reason}")
    if _is_held(own_folder(run)):
        return Standing(RUNNING)
    if state.get("state") in (FAILED, STOPPED):
        return Standing(LOST, str(state.get("reason", "")))
    if told is not None and told.state not in ("", "COMPLETED"):
        return Standing(LOST, f"Slurm job {told.job} ended as {told.state}")
    if state:
        return Standing(LOST, _SILENT)
    return Standing(MISSING) if told is None else Standing(LOST, f"Slurm job {told.job} ended before the point began")


def _is_held(folder: Path) -> bool:
    """Tell whether a process runs the point; where nodes do not see each other's locks, Slurm knows."""
    try:
        handle = (folder / ".lock").open()
    except OSError:
        return False
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
