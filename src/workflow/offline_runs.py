"""Offline W&B runs of finished or broken-off trainings, and how they are sent: by W&B's own client, once each.

W&B's client marks a session that it has sent, and takes no mark for sending it again: a session sent twice has every
row twice. It sets its mark also where the server refused the data, so that the mark is taken back then.
"""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .folder import locked
from .tracking_run import address, has_key

SENT, UP_TO_DATE, REFUSED = "sent", "up to date", "refused"
_DEEPEST = 3  # folders of an experiment or a sweep hold runs, and one folder holds these
_LONGEST = 200  # characters of what W&B says


@dataclass(frozen=True)
class OfflineRun:
    """One W&B run of a run folder: the sessions of its training, or of its evaluation.

    Attributes
    ----------
    folder : run folder of the command that it belongs to.
    id : under which W&B knows it.
    sessions : their files, oldest first.
    """

    folder: Path
    id: str
    sessions: tuple[Path, ...]

    @property
    def missing(self) -> list[Path]:
        """Sessions that were not sent yet."""
        return [session for session in self.sessions if not _mark(session).exists()]


def find(folders: Sequence[Path]) -> list[OfflineRun]:
    """Return the offline runs of run folders, or of folders of them.

    Raises
    ------
    UserError
        A folder is not there, or the same run lies in two: one is a copy, and W&B would have its rows twice.
    """
    of_runs: dict[Path, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; name a run, a sweep or a folder of them")
        of_runs |= {run.resolve(): run for run in sorted({path.parents[2] for path in _sessions(folder)})}
    found: dict[str, OfflineRun] = {}
    for run in of_runs.values():
        for one in _of_run(run):
            other = found.setdefault(one.id, one)
            if other is not one:
                raise UserError(
                    f"{one.folder}: holds W&B run {one.id}, as {other.folder} does; one is a copy of the other, "
                    "delete the wandb folder of one"
                )
    return list(found.values())


def check_reachable() -> None:
    """Refuse to begin without a key, or without a server that answers.

    Raises
    ------
    UserError
        There is no key, or nothing answers at W&B's address.
    """
    if not has_key():
        raise UserError("no W&B key is here; call `wandb login`, or set WANDB_API_KEY, and give the command again")
    try:
        with urllib.request.urlopen(address(), timeout=20):
            pass
    except urllib.error.HTTPError:
        pass  # it answers
    except (OSError, ValueError) as error:
        raise UserError(f"{address()} does not answer ({error}); send from a machine that reaches it") from error


def send(run: OfflineRun) -> tuple[str, str]:
    """Send what is missing of a run, and return `SENT`, `UP_TO_DATE` or `REFUSED`, and why it was refused.

    Sessions go up in order of time, and none after one that was refused: W&B goes on where the one before ended.
    """
    if not run.missing:
        return UP_TO_DATE, ""
    if run.id not in _kept_ids(run.folder):
        return REFUSED, "the run folder keeps no such id: it was deleted, or comes from another run"
    try:
        with locked(run.folder):  # neither a training that still writes, nor another that sends
            for session in run.missing:
                problem = _send(session, run.folder)
                if problem:
                    return REFUSED, problem
    except UserError as error:
        return REFUSED, str(error)
    return SENT, ""


def _send(session: Path, folder: Path) -> str:
    """Have W&B's client send a session, and return what it complains of."""
    command = [sys.executable, "-m", "wandb", "sync", str(session.resolve())]
    done = subprocess.run(command, cwd=folder, env=_environment(os.environ), capture_output=True, text=True)
    errors = [line.partition("ERROR")[2].strip() for line in done.stderr.splitlines() if "ERROR" in line]
    if not errors and _mark(session).exists():
        return ""
    _mark(session).unlink(missing_ok=True)
    said = errors or [line.strip() for line in done.stderr.splitlines() if line.strip()][-1:] or ["W&B said nothing"]
    return said[0][:_LONGEST]


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of W&B's client: errors are not reported to its makers unless the user wants that."""
    return {"WANDB_ERROR_REPORTING": "false"} | dict(own)


def _of_run(folder: Path) -> Iterator[OfflineRun]:
    by_id: dict[str, list[Path]] = {}
    for session in sorted(folder.glob("wandb/offline-run-*/run-*.wandb")):  # names begin with the time
        by_id.setdefault(session.stem.removeprefix("run-"), []).append(session)
    for name, sessions in by_id.items():
        yield OfflineRun(folder, name, tuple(sessions))


def _sessions(folder: Path) -> Iterable[Path]:
    for depth in range(_DEEPEST):
        yield from folder.glob("*/" * depth + "wandb/offline-run-*/run-*.wandb")


def _kept_ids(folder: Path) -> set[str]:
    return {path.read_text().strip() for path in folder.rglob("wandb*_id.txt")}


def _mark(session: Path) -> Path:
    return session.with_name(f"{session.name}.synced")
