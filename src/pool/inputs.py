"""Checksums of a source's files, and the key that changes when its cube would."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from ..atomic import write_text
from ..datamodules.sources.inputs import input_files
from .plan import Entry

READING = 2  # raised when a reader comes to read the same files differently
REMEMBERED = ".checksums.json"  # of files whose size and time did not change since; not part of the pool
BYTES_AT_ONCE = 2**20

Checksums = Mapping[Path, str]


def checksums(entry: Entry, root: Path, memory: dict[str, list[str]]) -> Checksums:
    """Return the SHA-256 of each file of a source; those that are as they were in ``memory`` are not read."""
    made = {}
    for path in input_files(entry.section, root):
        state = path.stat()
        seen = f"{state.st_size} {state.st_mtime_ns}"
        known = memory.get(str(path.resolve()))
        if known is None or known[0] != seen:
            memory[str(path.resolve())] = known = [seen, _sha256(path)]
        made[path] = known[1]
    return made


def key_of(entry: Entry, files: Checksums) -> str:
    """Return what a source's cube is called by: of what it is read from, how, and by which readers."""
    said = [READING, entry.pair, asdict(entry.section), sorted((path.name, digest) for path, digest in files.items())]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def digest_of(files: Checksums) -> str:
    """Return one checksum of all files of a source, by name; empty of a computed one."""
    lines = "".join(f"{digest}  {path.name}\n" for path, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest() if files else ""


def recall(folder: Path) -> dict[str, list[str]]:
    """Read the remembered checksums; a damaged file is as good as none."""
    try:
        memory = json.loads((folder / REMEMBERED).read_text())
        return {str(path): [str(seen), str(digest)] for path, (seen, digest) in memory.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def remember(memory: Mapping[str, list[str]], folder: Path) -> None:
    """Write the checksums for the next time."""
    write_text(json.dumps(memory, indent=1, sort_keys=True) + "\n", folder / REMEMBERED)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(BYTES_AT_ONCE):
            digest.update(part)
    return digest.hexdigest()
