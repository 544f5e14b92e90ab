"""Build a pool: read what changed, keep the rest, and put the new edition in the old one's place at once.

Cubes are called by what they were made from, so that a new edition never writes into a cube of the old one. An edition
is a folder; which one counts is a link, ``current``, that is replaced in one step. Whoever is killed at any moment
leaves the old pool or the new one.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from ..atomic import replacing
from ..datamodules.sources.pooled import CATALOGUE, CURRENT
from ..errors import UserError
from ..threads import shared_by
from .audit import audit_of, audit_page
from .catalogue import Written, described, table_of
from .citations import bibtex
from .cubes import write_cube
from .inputs import checksums, digest_of, key_of, recall, remember
from .plan import Entry, Plan

CUBES, EDITIONS, LOCK = "cubes", "editions", ".lock"
TABLE, AUDIT, PAGE, BIB = "catalogue.parquet", "audit.json", "audit.html", "CITATIONS.bib"
KEY_LENGTH = 16

Say = Callable[[str, str], None]


@dataclass(frozen=True)
class Built:
    """What a build did.

    Attributes
    ----------
    folder : of the edition that counts now. read, kept : names of the sources that were read, and that were not.
    """

    folder: Path
    read: tuple[str, ...]
    kept: tuple[str, ...]


def build(plan: Plan, jobs: int, say: Say) -> Built:
    """Bring a pool up to date with its sources.

    Parameters
    ----------
    jobs : sources read beside each other, each in a process of its own.
    say : called with a source's name and what became of it.

    Raises
    ------
    UserError
        A source cannot be read, or the disk does not take it; the old edition still counts. Or the folder holds
        something else than a pool.
    """
    if plan.output.is_dir() and any(plan.output.iterdir()) and not (plan.output / LOCK).is_file():
        raise UserError(
            f"{plan.output}: holds files and is no pool; name an empty folder, since a build removes old cubes"
        )
    plan.output.mkdir(parents=True, exist_ok=True)
    with _alone(plan.output):
        return _build(plan, jobs, say)


def _build(plan: Plan, jobs: int, say: Say) -> Built:
    memory = recall(plan.output)
    files = {entry.name: checksums(entry, plan.root, memory) for entry in plan.entries}
    cube = {
        entry.name: f"{CUBES}/{entry.name}-{key_of(entry, files[entry.name])[:KEY_LENGTH]}.zarr"
        for entry in plan.entries
    }
    missing = [entry for entry in plan.entries if not (plan.output / cube[entry.name]).is_dir()]
    for entry in plan.entries:
        if entry not in missing:
            say(entry.name, "as it was")
    _read_all(missing, plan, cube, jobs, say)
    written = [
        described(e.name, e.section.kind, plan.output / cube[e.name], cube[e.name], digest_of(files[e.name]))
        for e in plan.entries
    ]
    folder = _publish(written, plan.output)
    remember(memory, plan.output)
    _sweep(plan.output, keep={*cube.values()}, edition=folder)
    read = tuple(entry.name for entry in missing)
    return Built(folder, read, tuple(entry.name for entry in plan.entries if entry.name not in read))


def _read_all(missing: Sequence[Entry], plan: Plan, cube: dict[str, str], jobs: int, say: Say) -> None:
    if jobs == 1 or len(missing) < 2:
        for entry in missing:
            write_cube(entry, plan.root, plan.output / cube[entry.name])
            say(entry.name, "read")
        return
    jobs = min(jobs, len(missing))
    with shared_by(jobs), ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as workers:
        waiting = {workers.submit(_write, entry, plan.root, plan.output / cube[entry.name]): entry for entry in missing}
        for done in as_completed(waiting):
            if (fault := done.result()) is not None:
                for other in waiting:
                    other.cancel()
                raise UserError(fault)
            say(waiting[done].name, "read")


def _write(entry: Entry, root: Path, path: Path) -> str | None:
    """Write a cube in a worker; a user's mistake comes back as text, since not every exception travels."""
    try:
        write_cube(entry, root, path)
    except UserError as error:
        return str(error)
    return None


def _publish(written: Sequence[Written], output: Path) -> Path:
    """Write an edition beside the old one, then let ``current`` name it; an edition's key tells all that is in it."""
    key = hashlib.sha256(json.dumps([each.cube for each in written]).encode()).hexdigest()[:KEY_LENGTH]
    folder = output / EDITIONS / key
    if not folder.is_dir():
        _write_edition(written, folder)
    link = output / f".{CURRENT}.{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(Path(EDITIONS) / key)
    link.replace(output / CURRENT)
    return folder


def _write_edition(written: Sequence[Written], folder: Path) -> None:
    table, audit = table_of(written), audit_of(written)
    with replacing(folder) as partial:
        partial.mkdir()
        table.write_parquet(partial / TABLE)
        said = {"sources": {each.name: {"cube": each.cube, "grid": each.grid} for each in written}}
        (partial / CATALOGUE).write_text(json.dumps(said, indent=1) + "\n")
        (partial / AUDIT).write_text(json.dumps(audit, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (partial / PAGE).write_text(audit_page(audit), encoding="utf-8")
        (partial / BIB).write_text(bibtex(written), encoding="utf-8")


@contextmanager
def _alone(output: Path) -> Iterator[None]:
    """Let one build at a time touch a pool; the lock of a killed one is gone with it.

    Raises
    ------
    UserError
        If another build is at work.
    """
    with (output / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"{output}: another build is at work on this pool; wait for it to end") from None
        yield


def _sweep(output: Path, keep: set[str], edition: Path) -> None:
    """Remove what the edition that counts does not need, and what a killed build left."""
    for path in (output / EDITIONS).iterdir():
        if path != edition:
            shutil.rmtree(path)
    for path in (output / CUBES).iterdir():
        if f"{CUBES}/{path.name}" not in keep:
            shutil.rmtree(path)
    for path in output.glob(f".{CURRENT}.*"):
        path.unlink()
