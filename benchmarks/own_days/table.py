"""The answers so far: a table on disk that grows method by method."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from raciflux.atomic import replacing, write_text

COLUMNS = {"few_shot": ("start", "k"), "gap": ("gap", "length")}


class Table:
    """The answers on disk; those of a method whose runs are others now are dropped.

    Beside ``NAME.csv`` stands ``NAME.runs.json``: the questions, and the runs behind each method.
    """

    def __init__(self, kind: str, questions: str, folder: Path) -> None:
        first, days = COLUMNS[kind]
        self.path, self.questions = folder / f"{kind}.csv", questions
        self.columns = ("site", "cluster", "target", first, days, "method", "rmse", "days")
        self.sidecar = self.path.with_suffix(".runs.json")
        stored: dict[str, Any] = (
            json.loads(self.sidecar.read_text()) if self.sidecar.exists() and self.path.exists() else {}
        )
        same = stored.get("questions") == self.questions
        self.runs: dict[str, list[str]] = stored["methods"] if same else {}
        self.kept = [row for row in pl.read_csv(self.path).rows() if row[5] in self.runs] if same else []

    def has(self, method: str, runs: list[str], site: str, targets: Sequence[str]) -> bool:
        """Whether the answers of a method at a site are there, by these runs."""
        if self.runs.get(method) != runs:
            self.kept = [row for row in self.kept if row[5] != method]
            self.runs.pop(method, None)
        there = {row[2] for row in self.kept if row[5] == method and row[0] == site}
        return bool(there) and there >= set(targets)

    def add(self, method: str, runs: list[str], rows: list[tuple[str, int, str, str, int, str, float, int]]) -> None:
        """Put answers in the place of what is there for the same questions."""
        keys = {(row[5], row[0], row[2]) for row in rows}
        self.kept = [row for row in self.kept if (row[5], row[0], row[2]) not in keys] + rows
        self.runs[method] = runs

    def write(self) -> None:
        """Write table and runs."""
        frame = pl.DataFrame(self.kept, schema=list(self.columns), orient="row")
        with replacing(self.path) as partial:
            frame.sort("target", "method", "site", *self.columns[3:5]).write_csv(partial, float_precision=5)
        write_text(json.dumps({"questions": self.questions, "methods": self.runs}, indent=1) + "\n", self.sidecar)

    def rows(self, targets: Sequence[str]) -> pl.DataFrame:
        """Return the written answers about some fluxes (all where none is named), as ``summary.lines`` takes them."""
        named = [*self.columns[:3], "first", "days_asked", *self.columns[5:]]
        frame = pl.read_csv(self.path, new_columns=named) if self.kept else pl.DataFrame(schema=named)
        return frame.filter(pl.col("target").is_in(list(targets))) if targets else frame
