"""How many threads: one number for every library of a process, never more than the cores that it may use.

torch, faiss, LightGBM and BLAS take their turns in one process, so each may have all of its cores; processes beside
each other share them. Each library reads ``OMP_NUM_THREADS`` as it is loaded, hence ``tell_libraries`` when the package
is imported; who sets the variable keeps their choice.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path

VARIABLE, POLARS = "OMP_NUM_THREADS", "POLARS_MAX_THREADS"
WAITING = {"GOMP_SPINCOUNT": "1000"}  # what GNU's OpenMP itself takes where it knows that cores are short
_MINE, _GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def cores() -> int:
    """Count the cores that this process may use: by affinity, quota of its control group, share of a Slurm job."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone
    allowed = [len(affinity(0)) if affinity is not None else os.cpu_count() or 1, *_quotas()]
    of_job = os.environ.get("SLURM_CPUS_PER_TASK", "")
    return max(1, min([*allowed, int(of_job)] if of_job.isdigit() else allowed))


def tell_libraries() -> None:
    """Have libraries that are loaded from now on start with as many threads as there are cores, which soon fall asleep.

    A recurrent network has thousands of tiny parallel regions a step. Threads that sleep between them are woken too
    late, and two are then slower than one; threads that spin for long take the core that another process wants, and
    training slows by far more than the core's share. ``speed=threads`` of the benchmarks measures both.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        for name, value in WAITING.items():
            os.environ.setdefault(name, value)
    os.environ.setdefault(VARIABLE, str(cores()))
    os.environ.setdefault(POLARS, os.environ[VARIABLE])
    os.register_at_fork(after_in_child=_alone)


def take(count: int) -> None:
    """Give torch, what asks it (faiss, LightGBM), and all that is loaded by now (BLAS, OpenMP) so many threads."""
    import torch
    from threadpoolctl import threadpool_limits

    threadpool_limits(count)
    torch.set_num_threads(count)


@contextmanager
def shared_by(processes: int) -> Iterator[int]:
    """Have so many processes, started while the body runs, share this one's threads; return how many each has."""
    before = {name: os.environ.get(name) for name in (VARIABLE, POLARS)}
    given = before[VARIABLE] or ""
    share = max(1, (int(given) if given.isdigit() else cores()) // processes)
    os.environ.update(dict.fromkeys(before, str(share)))
    try:
        yield share
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _quotas() -> list[int]:
    """Cores, rounded up, that the control group of this process and those above it may use (version 2)."""
    try:
        inside = next(line for line in _MINE.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return []
    folder, quotas = _GROUPS / inside.removeprefix("0::").lstrip("/"), []
    for group in [folder, *folder.parents]:
        try:
            quota, period = (group / "cpu.max").read_text().split()
        except (OSError, ValueError):
            continue
        if quota.isdigit():
            quotas.append(ceil(int(quota) / int(period)))
    return quotas


def _alone() -> None:
    """Leave a forked child with one thread: those of its parent are not there, and OpenMP would wait for them."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
