"""Shared fixtures."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded: two processes of tests share the cores

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

# How long an example takes says something of the machine, not of the code.
settings.register_profile("no_deadline", parent=settings(), deadline=None)
settings.load_profile("no_deadline")


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of the real data; without it a test is skipped, unless RACIFLUX_REQUIRE_DATA=1 makes absence a failure."""
    root = Path(os.environ.get("RACIFLUX_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not root.is_dir():
        message = f"no real data at {root}; set RACIFLUX_DATA"
        if os.environ.get("RACIFLUX_REQUIRE_DATA") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return root


MadeOnce = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """Return a folder that whoever asks first makes, and all processes of the suite then read.

    ``made_once(name, make)`` calls ``make(folder)`` unless another process has; nobody may write there afterwards.
    """
    of_process = tmp_path_factory.getbasetemp()
    shared = of_process.parent if "PYTEST_XDIST_WORKER" in os.environ else of_process

    def once(name: str, make: Callable[[Path], object]) -> Path:
        folder, made = shared / f"shared-{name}", shared / f"shared-{name}.made"
        with FileLock(shared / f"shared-{name}.lock"):
            if not made.exists():
                shutil.rmtree(folder, ignore_errors=True)  # where another's attempt failed
                folder.mkdir()
                make(folder)
                made.touch()
        return folder

    return once


@pytest.fixture
def ctrl_c_is_heard() -> Iterator[None]:
    """Shells have what they start in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
