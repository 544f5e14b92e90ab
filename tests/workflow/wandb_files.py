"""Reads what W&B keeps on disk of a run: exactly what ``wandb sync`` would send."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BLOCK, HEADER = 32768, 7  # LevelDB's log format: records cut into fragments that never cross a block


@dataclass
class OfflineRun:
    """One offline session of a run."""

    folder: Path
    run: Any = None
    metrics: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None
    sent: list[str] = field(default_factory=list)

    @property
    def config(self) -> dict[str, Any]:
        return {item.key: json.loads(item.value_json) for item in self.run.config.update}

    def table(self, name: str) -> list[dict[str, Any]]:
        (file,) = self.folder.glob(f"files/media/table/{name}_*.table.json")
        content = json.loads(file.read_text())
        return [dict(zip(content["columns"], row, strict=True)) for row in content["data"]]


def offline_runs(folder: Path) -> list[OfflineRun]:
    """Every offline session below a run folder, oldest first."""
    return [read(path) for path in sorted(folder.glob("wandb/offline-run-*"))]


def read(folder: Path) -> OfflineRun:
    """Read a session that has ended; W&B's own process writes its last block a moment after that."""
    deadline = time.monotonic() + 20
    while (found := _read(folder)).exit_code is None:
        assert time.monotonic() < deadline, f"{folder} has no end"
        time.sleep(0.05)
    return found


def _read(folder: Path) -> OfflineRun:
    (file,) = folder.glob("*.wandb")
    found = OfflineRun(folder)
    for record in _records(file.read_bytes()):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            found.run = record.run
        elif kind == "metric":
            found.metrics[record.metric.name or record.metric.glob_name] = record.metric
        elif kind == "history":
            found.history.append(_values(record.history.item))
        elif kind == "summary":
            found.summary |= _values(record.summary.update)
        elif kind == "exit":
            found.exit_code = record.exit.exit_code
        found.sent.append(str(record))
    return found


def _values(items: Any) -> dict[str, Any]:
    return {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items}


def _records(data: bytes) -> Iterator[Any]:
    from wandb.proto.wandb_internal_pb2 import Record

    assert data[:4] == b":W&B"
    place, whole = HEADER, b""
    while place + HEADER <= len(data):
        room = BLOCK - place % BLOCK
        if room < HEADER:
            place += room
            continue
        length, fragment = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        if place + HEADER + length > len(data):
            return  # not yet written to its end
        whole += data[place + HEADER : place + HEADER + length]
        place += HEADER + length
        if fragment in (1, 4):  # whole, or the last of its fragments
            record = Record()
            record.ParseFromString(whole)
            whole = b""
            yield record
