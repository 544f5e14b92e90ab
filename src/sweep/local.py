"""A sweep on this machine: a few points at a time, each in a process of its own."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from ..errors import UserError
from ..threads import shared_by
from .plan import Sweep
from .task import run_point


def run_local(
    sweep: Sweep,
    numbers: Sequence[int],
    after: Mapping[int, Sequence[int]],
    processes: int,
    train: Path,
    say: Callable[[str], None],
) -> None:
    """Run points, saying of each how it ended; a point that fails does not stop the others.

    Parameters
    ----------
    after : points that a point waits for, whether they succeed or fail; those that are not run here it does not wait
        for.
    train : ``scripts/train.py``.
    say : prints a line.
    """
    left, ended = list(numbers), 0
    running: dict[Future[str], int] = {}
    with shared_by(processes), ThreadPoolExecutor(processes) as pool:  # a thread waits for its process
        try:
            while left or running:
                unfinished = {*left, *running.values()}
                for number in [one for one in left if unfinished.isdisjoint(after.get(one, ()))]:
                    left.remove(number)
                    running[pool.submit(run_point, sweep, number, train)] = number
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    ended += 1
                    say(f"{ended}/{len(numbers)} {_ending(future, sweep.points[running.pop(future)].name)}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # those that run are interrupted with us
            raise


def _ending(future: Future[str], name: str) -> str:
    try:
        return f"{name}: {future.result()}"
    except UserError as error:
        return f"failed: {error}"
