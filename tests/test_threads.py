"""No more threads than cores, in any library and over all processes; an index that is searched in a child process."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from raciflux import threads
from raciflux.modules.baselines.trees import settings
from raciflux.retrieval.index import Exclusion, functional
from threadpoolctl import threadpool_info

CORES = (2, 8, 64)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine of 64 cores, no variable set, no quota; returns the folder of control groups."""
    for name in (threads.VARIABLE, threads.POLARS, "SLURM_CPUS_PER_TASK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    (tmp_path / "mine").write_text("0::/jobs/job7\n")
    (tmp_path / "jobs" / "job7").mkdir(parents=True)
    monkeypatch.setattr(threads, "_MINE", tmp_path / "mine")
    monkeypatch.setattr(threads, "_GROUPS", tmp_path)
    return tmp_path


@pytest.mark.parametrize("count", CORES)
def test_the_affinity_counts_not_the_machine(bare: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(count)), raising=False)
    assert threads.cores() == count


@pytest.mark.parametrize(
    ("own", "above", "slurm", "expected"),
    [
        ("max 100000", "max 100000", None, 64),
        ("150000 100000", "max 100000", None, 2),
        ("max 100000", "800000 100000", None, 8),
        ("400000 100000", "800000 100000", "16", 4),
        ("10000 100000", "garbage", None, 1),
        ("max 100000", "max 100000", "8", 8),
        ("max 100000", "max 100000", "128", 64),
        ("max 100000", "max 100000", "8(x2)", 64),
    ],
)
def test_quotas_and_slurm_take_cores_away(
    bare: Path, monkeypatch: pytest.MonkeyPatch, own: str, above: str, slurm: str | None, expected: int
) -> None:
    (bare / "jobs" / "job7" / "cpu.max").write_text(f"{own}\n")
    (bare / "jobs" / "cpu.max").write_text(f"{above}\n")
    if slurm is not None:
        monkeypatch.setenv("SLURM_CPUS_PER_TASK", slurm)
    assert threads.cores() == expected


def test_without_control_groups_there_is_no_quota(bare: Path) -> None:
    (bare / "mine").unlink()
    assert threads.cores() == 64


@pytest.mark.parametrize("count", CORES)
@pytest.mark.parametrize("processes", [1, 3, 4, 100])
def test_processes_beside_each_other_share_the_cores(
    bare: Path, monkeypatch: pytest.MonkeyPatch, count: int, processes: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(count)), raising=False)
    with threads.shared_by(processes) as share:
        assert os.environ[threads.VARIABLE] == os.environ[threads.POLARS] == str(share)
        assert share == max(1, count // processes)
        with threads.shared_by(2) as less:
            assert less == max(1, share // 2), "nested processes share what their parent has"
    assert threads.VARIABLE not in os.environ and threads.POLARS not in os.environ
    monkeypatch.setenv(threads.VARIABLE, "6")
    with threads.shared_by(2) as share:
        assert share == 3
    assert os.environ[threads.VARIABLE] == "6"


TOLD = """
import os
os.sched_getaffinity = lambda _: set(range({cores}))
import raciflux
import numpy, polars, torch, lightgbm, sklearn.ensemble
from threadpoolctl import threadpool_info
from raciflux.modules.baselines.trees import settings
from raciflux.retrieval.index import Exclusion, functional
functional(numpy.zeros((1, 1), "f4"), numpy.zeros((2, 1), "f4"), 1, Exclusion.nothing(1))
told = [torch.get_num_threads(), polars.thread_pool_size(), settings(0, 2, 2)["num_threads"]]
print(*told, *(each["num_threads"] for each in threadpool_info()))
"""


@pytest.mark.parametrize(("cores", "slurm", "expected"), [(2, "", 2), (64, "8", 8)])
def test_every_library_is_told_the_same_number(cores: int, slurm: str, expected: int) -> None:
    quota = threads._quotas()
    environment = {name: value for name, value in os.environ.items() if "_NUM_THREADS" not in name}
    environment |= {"SLURM_CPUS_PER_TASK": slurm}
    done = subprocess.run(
        [sys.executable, "-c", TOLD.format(cores=cores)], capture_output=True, text=True, env=environment, timeout=240
    )
    assert done.returncode == 0, done.stderr
    told = {int(number) for number in done.stdout.split()}
    assert len(done.stdout.split()) > 4
    # BLAS starts no more threads than there are real cores
    assert max(told) == min([expected, *quota])
    assert all(number == max(told) or number <= (os.cpu_count() or 1) for number in told)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, "None 1000"),  # neither asleep at once nor spinning for long
        ({"GOMP_SPINCOUNT": "7"}, "None 7"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE None"),
    ],
)
def test_how_threads_wait_is_told_before_torch_is_loaded_unless_the_user_has_said_it(
    own: dict[str, str], expected: str
) -> None:
    said = "import os, sys, raciflux; assert 'torch' not in sys.modules; "
    said += "print(*(os.environ.get(name) for name in ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT')))"
    kept = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, env=kept | own, check=True)
    assert done.stdout.strip() == expected


def test_the_number_of_a_run_is_told_to_all() -> None:
    before = torch.get_num_threads()
    try:
        for count in (2, 1):  # BLAS starts no more threads than there are cores
            threads.take(count)
            assert torch.get_num_threads() == count and settings(0, 2, 2)["num_threads"] == count
            assert {each["num_threads"] for each in threadpool_info()} == {min(count, os.cpu_count() or 1)}
    finally:
        threads.take(before)


# --- an index in another process --------------------------------------------------------------------------------------


def neighbours(backend: str) -> list[list[int]]:
    rng = np.random.default_rng(0)
    queries, keys = rng.normal(size=(4000, 8)).astype(np.float32), rng.normal(size=(500, 8)).astype(np.float32)
    return functional(queries, keys, 3, Exclusion.nothing(4000), backend).index.tolist()


def answer(backend: str, answers: "multiprocessing.Queue[list[list[int]]]") -> None:
    answers.put(neighbours(backend))


@pytest.mark.parametrize("backend", ["faiss", "torch"])
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_child_process_searches_as_its_parent_did(method: str, backend: str) -> None:
    if backend == "faiss":
        pytest.importorskip("faiss")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        expected = neighbours(backend)  # two threads of OpenMP are there from now on
        context = multiprocessing.get_context(method)
        answers = context.Queue()
        child = context.Process(target=answer, args=(backend, answers), daemon=True)
        child.start()
        try:
            assert answers.get(timeout=60) == expected
        finally:
            child.kill()
            child.join()
    finally:
        torch.set_num_threads(before)
