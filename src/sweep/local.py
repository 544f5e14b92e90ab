"""A sweep on this machine: a few points at a time, each in a process of its own."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from ..errors import UserError
from .plan import Sweep
from .task import run_point


def run_local(sweep: Sweep, numbers: Sequence[int], processes: int, train: Path, say: Callable[[str], None]) -> None:
    """Run points, saying of each how it ended; a point that fails does not stop the others.

    Parameters
    ----------
    train : ``scripts/train.py``.
    say : prints a line.
    """
    # Torch takes every core for itself, and so would each of the processes.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    with ThreadPoolExecutor(processes) as pool:  # a thread waits for its process
        waiting = {pool.submit(run_point, sweep, number, train): number for number in numbers}
        try:
            for done, future in enumerate(as_completed(waiting), 1):
                name = sweep.points[waiting[future]].name
                try:
                    told = f"{name}: {future.result()}"
                except UserError as error:
                    told = f"failed: {error}"
                say(f"{done}/{len(numbers)} {told}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # those that run are interrupted with us
            raise
