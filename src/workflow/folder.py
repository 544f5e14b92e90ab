"""Making a run folder: named, locked against a second process, and complete or visibly unfinished."""

import contextlib
import fcntl
import importlib.metadata
import json
import re
import secrets
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from ..atomic import write_text
from ..config.compose import to_yaml
from ..config.schema import Config
from ..errors import UserError

PACKAGES = (
    "raciflux",
    "torch",
    "lightning",
    "torchmetrics",
    "lightgbm",
    "numpy",
    "polars",
    "xarray",
    "zarr",
    "faiss-cpu",
    "faiss-gpu",
)

INNER = re.compile(r"fold\d+|part\d+|calibration|baselines")  # folders inside a run that are no run of their own


def new_folder(config: Config) -> Path:
    """Make ``<output>/<experiment>/<time>-<model>-s<seed>-<random>``; unique also when many start in one second.

    Raises
    ------
    UserError
        If the folder cannot be made.
    """
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{config.model.name}-s{config.seed}-{secrets.token_hex(4)}"
    folder = Path(config.output) / config.experiment / name
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot make the run folder ({error.strerror}); set output=FOLDER") from error
    return folder


@contextlib.contextmanager
def locked(folder: Path, waiting: Callable[[], None] | None = None, what: str = "run") -> Iterator[TextIO]:
    """Hold a folder for this process, and for those that it hands the open file to; the lock goes with the last.

    Parameters
    ----------
    waiting : called where another process holds it, before waiting for that; None waits for nobody.
    what : what the folder is, for the user who is told that another process writes it.

    Raises
    ------
    UserError
        If another process is writing the run.
    """
    try:
        handle = (folder / ".lock").open("w")
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); take a folder of yours") from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if waiting is None:
                raise UserError(
                    f"{folder}: another process is writing this {what}; wait for it or start a new {what}"
                ) from error
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle


def write_identity(config: Config, folder: Path, argv: Sequence[str]) -> None:
    """Write what makes the run repeatable: configuration, command, commit and versions; nothing of the environment.

    A resumed run keeps what it was started with; other versions or another commit stand in ``versions_resumed.json``.
    """
    write_text(to_yaml(replace(config, resume=None)), folder / "config.yaml")
    command, started = folder / "command.txt", folder / "versions.json"
    versions = {name: version for name in PACKAGES if (version := _version(name))}
    identity = json.dumps({"commit": _commit(), "packages": versions}, indent=1) + "\n"
    if not command.exists():
        write_text(shlex.join(["python", "scripts/train.py", *argv]) + "\n", command)
    if not started.exists():
        write_text(identity, started)
    elif started.read_text() != identity:
        write_text(identity, folder / "versions_resumed.json")


def run_of(folder: Path) -> Path:
    """Run folder that a folder inside it belongs to: trainings of one command share it."""
    while INNER.fullmatch(folder.name) or folder.parent.name == "baselines":
        folder = folder.parent
    return folder


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Commit of the code, with ``+changes`` where the tree differs from it; None outside a checkout."""
    here = Path(__file__).parent
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True)
        changed = subprocess.run(["git", "status", "--porcelain"], cwd=here, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+changes" if changed.stdout.strip() else "")
