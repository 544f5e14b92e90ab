"""Finished cells as two small tables that are committed: what is in them is not run again, on any machine.

``NAME_cells.csv`` has a row a cell, ``NAME_sites.csv`` its towers' scores. A cell is known again by a hash of the very
command that makes it.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from raciflux.atomic import replacing
from raciflux.evaluation.run_folder import RunFolder
from raciflux.evaluation.scores.tables import per_site, score_names

from ..accuracy.work import Cell
from .runs import Wanted
from .study import Study

KEY = ("condition", "network", "technique", "seed", "fold")
CELLS = (*KEY, "made_by", "validation", "minutes", "commit", "processor")
SITES = (*KEY, "site", "cluster", "days", "rmse", "r2", "bias")
TYPES = {"seed": pl.Int64, "fold": pl.Int64, "minutes": pl.Float64, "validation": pl.Float64, "made_by": pl.String}


class Store:
    """The committed cells of a study."""

    def __init__(self, name: str, output: Path) -> None:
        self.paths = {what: output / f"{name}_{what}.csv" for what in ("cells", "sites")}
        self._read()

    def _read(self) -> None:
        """Hold what the tables say, rounded as they are."""
        self.cells, self.sites = _table(self.paths["cells"], CELLS), _table(self.paths["sites"], SITES)
        self._made = {row[: len(KEY)]: row[len(KEY)] for row in self.cells.iter_rows()}

    def holds(self, one: Wanted, cell: Cell) -> bool:
        """Whether a cell was finished by this very command."""
        return self._made.get(_key(one, cell)) == made_by(cell)

    def seeds(self, study: Study) -> int:
        """How many seeds of a study the tables reach to: an earlier call may have asked for more than it has."""
        return 0 if self.cells.is_empty() else int(max(self.cells["seed"].to_list())) + 1 - study.first_seed

    def take(self, of_study: Sequence[Wanted], folder: Path) -> None:
        """Take in what is finished on disk, drop what the study does not run like that, and write both tables."""
        kept, cells, sites = [], [], []
        for one in of_study:
            for cell in one.cells(folder):
                left = cell.run.done(cell.folder)
                if left is not None and not self.holds(one, cell):
                    cells.append(_row(one, cell, left))
                    sites.append(_scores(one, cell))
                elif self.holds(one, cell):
                    kept.append(_key(one, cell))
        known = pl.DataFrame(kept, schema=dict(zip(KEY, self.cells.schema.values(), strict=False)), orient="row")
        tables = {
            "cells": _joined(self.cells.join(known, on=KEY, how="semi"), cells, CELLS),
            "sites": _joined(self.sites.join(known, on=KEY, how="semi"), sites, SITES),
        }
        for what, table in tables.items():
            with replacing(self.paths[what]) as partial:
                table.sort(table.columns[: len(KEY) + (what == "sites")]).write_csv(partial, float_precision=4)
        self._read()


def made_by(cell: Cell) -> str:
    """Hash of the command that makes a cell."""
    return hashlib.blake2b(json.dumps(cell.run.arguments).encode(), digest_size=6).hexdigest()


def _key(one: Wanted, cell: Cell) -> tuple[Any, ...]:
    return (one.condition, one.network, one.technique, one.seed, cell.fold)


def _row(one: Wanted, cell: Cell, left: dict[str, Any]) -> pl.DataFrame:
    said = [left[name] for name in ("validation", "minutes", "commit", "processor")]
    return pl.DataFrame([(*_key(one, cell), made_by(cell), *said)], schema=list(CELLS), orient="row")


def _scores(one: Wanted, cell: Cell) -> pl.DataFrame:
    """Score the towers of a cell, by the primary score."""
    predictions = RunFolder(cell.folder).predictions()
    table = per_site(predictions).filter(pl.col("enters"), pl.col("score") == score_names(predictions)[0])
    named = dict(zip(KEY, _key(one, cell), strict=True))
    return table.with_columns(site="site_id", **{name: pl.lit(value) for name, value in named.items()}).select(SITES)


def _table(path: Path, columns: Sequence[str]) -> pl.DataFrame:
    if path.exists():
        return pl.read_csv(path, schema_overrides=TYPES).select(columns)
    return pl.DataFrame(schema={name: TYPES.get(name, pl.String) for name in columns})


def _joined(kept: pl.DataFrame, new: Sequence[pl.DataFrame], columns: Sequence[str]) -> pl.DataFrame:
    if not new:
        return kept
    fresh = pl.concat(new, how="vertical_relaxed").select(columns)
    return pl.concat([kept.cast(dict(fresh.schema)), fresh], how="vertical") if kept.height else fresh
