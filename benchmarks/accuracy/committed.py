"""Finished cells as committed tables: a study too long for one machine goes on elsewhere from what is committed.

``STEM_cells.json`` says what each cell was made with, ``STEM_cells.parquet`` has its sums at each site: all that a
comparison is drawn from. Predictions stay where they were made.
"""

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from raciflux.atomic import replacing, write_text
from raciflux.errors import UserError
from raciflux.evaluation.comparison.asked import Asked, ask
from raciflux.evaluation.comparison.compare import compare_entries
from raciflux.evaluation.comparison.compared import Comparison
from raciflux.evaluation.comparison.entries import Entry, hold_to_one_test
from raciflux.evaluation.comparison.validation_score import LOGGED, ValidationScore
from raciflux.evaluation.metrics import Sums, bias, r2, rmse

from .cells import Run, of_shared_seeds
from .collect import COLUMNS, of_targets
from .work import Cell

OF_SITES = ("site_id", "cluster", "fold", "days", "dates")  # columns of `Asked`
SUMS = tuple(one.name for one in fields(Sums))
CELL = ("split", "model", "seed", "cell")  # which cell a row is of; `fold` is the site's


@dataclass
class Committed:
    """The cells of one benchmark that need not be run again.

    Attributes
    ----------
    runs : of each run, by ``SPLIT/MODEL-sSEED``: its ``settings``, whether it is ``causal``, and its ``cells``, what
        each fold was made with.
    identity : what was asked (see :data:`.asked.IDENTITY`), by ``SPLIT/TARGET``.
    sums : a row for each cell, target, score and site, with its place.
    """

    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    identity: dict[str, dict[str, str]] = field(default_factory=dict)
    sums: pl.DataFrame = field(default_factory=pl.DataFrame)

    @classmethod
    def read(cls, file: Path) -> "Committed":
        """Read the two tables beside each other, ``file`` the one of JSON; empty where there are none."""
        if not file.exists():
            return cls()
        stored = json.loads(file.read_text())
        runs = {name: run | {"settings": stored["common"] | run["settings"]} for name, run in stored["runs"].items()}
        return cls(runs, stored["identity"], pl.read_parquet(file.with_suffix(".parquet")))

    def write(self, file: Path) -> int:
        """Write both tables, settings that all runs share once, and return the number of cells; nothing of none."""
        if not self.runs:
            return 0
        settings = [run["settings"] for run in self.runs.values()]
        common = {key: value for key, value in settings[0].items() if all(one.get(key) == value for one in settings)}
        runs = {
            name: run | {"settings": {key: value for key, value in run["settings"].items() if key not in common}}
            for name, run in sorted(self.runs.items())
        }
        with replacing(file.with_suffix(".parquet")) as partial:
            self.sums.sort(*CELL, maintain_order=True).write_parquet(partial)  # the stricter score first
        write_text(json.dumps({"common": common, "identity": self.identity, "runs": runs}, indent=1) + "\n", file)
        return sum(len(run["cells"]) for run in self.runs.values())

    def cell(self, run: Run, fold: int) -> dict[str, Any] | None:
        """Return what a cell left, if it is here with these settings; keys that either lacks decide nothing."""
        stored = self.runs.get(_name(run), {"settings": {}, "cells": {}})
        alike = all(stored["settings"].get(key, value) == value for key, value in run.settings.items())
        left: dict[str, Any] | None = stored["cells"].get(str(fold)) if alike else None
        return left

    def left(self, run: Run) -> list[dict[str, Any]]:
        """Return what each cell of a run left that is here."""
        return [one for fold in self.runs.get(_name(run), {"cells": {}})["cells"] if (one := self.cell(run, int(fold)))]

    def add(self, cells: Iterable[Cell]) -> None:
        """Take in the cells that are finished in their folders.

        Where a split has one, stored runs of other settings than ``cells`` ask of them make way.

        Raises
        ------
        UserError
            If a cell was asked otherwise than the stored ones of its split.
        """
        asked = list(cells)
        finished = [
            (cell, left)
            for cell in asked
            if (left := cell.run.done(cell.folder)) is not None and self.cell(cell.run, cell.fold) is None
        ]
        self._make_way(asked, {cell.run.split for cell, _ in finished})
        for cell, left in finished:
            table, causal = self._sums_of(cell)
            self.sums = pl.concat([self.sums, table], how="diagonal") if self.sums.height else table
            empty = {"settings": cell.run.settings, "causal": causal, "cells": {}}
            self.runs.setdefault(_name(cell.run), empty)["cells"][str(cell.fold)] = left

    def targets(self, split: str) -> list[str]:
        """Targets of the cells of a split."""
        return [target for key in self.identity for one, target in [key.split("/")] if one == split]

    def whole(self, runs: Sequence[Run], folds: Sequence[int]) -> list[Run]:
        """Keep the runs of one split that have all folds, and of them the seeds that all models share."""
        return of_shared_seeds(runs, [run for run in runs if all(self.cell(run, fold) for fold in folds)])

    def folds(self, split: str) -> list[int]:
        """Folds of a split of which a cell is here."""
        return sorted(
            {int(fold) for name, run in self.runs.items() if name.startswith(f"{split}/") for fold in run["cells"]}
        )

    def pool(self, name: str, splits: Sequence[str], runs: Sequence[Run]) -> "Committed":
        """Return these cells with some splits pooled under a name beside them.

        The splits are worlds that know nothing of each other: a tower is named after its world, and clusters and folds
        are counted on.

        Parameters
        ----------
        runs : of the first split, those whose other worlds are pooled with it.
        """
        tables, pooled, clusters, folds = [self.sums], dict(self.runs), 0, 0
        for split in splits:
            for run in runs:
                world = self.runs[_name(replace(run, split=split))]
                together = pooled.setdefault(_name(replace(run, split=name)), world | {"cells": {}})
                together["cells"] |= {str(int(fold) + folds): left for fold, left in world["cells"].items()}
            rows = self.sums.filter(split=split)
            site_id = pl.lit(f"{split}-") + pl.col("site_id")
            counted_on = (pl.col("cluster") + clusters, pl.col("fold", "cell") + folds)
            tables.append(rows.with_columns(*counted_on, site_id=site_id, split=pl.lit(name)))
            clusters, folds = clusters + _codes(rows["cluster"]), folds + _codes(rows["cell"])
        identity = {f"{name}/{target}": self.identity[f"{splits[0]}/{target}"] for target in self.targets(splits[0])}
        return Committed(pooled, self.identity | identity, pl.concat(tables))

    def compare(
        self,
        runs: Sequence[Run],
        folds: Sequence[int],
        target: str,
        reference: str | None,
        baselines: Sequence[str],
        draws: int,
    ) -> Comparison:
        """Compare whole runs of one split under one target, see :func:`.compare.compare`."""
        validation = self._validation(runs)
        listed = self._entries(runs, folds, target)
        return compare_entries(listed, validation, reference=reference, baselines=baselines, draws=draws)

    def median_r2(self, run: Run, folds: Sequence[int], target: str) -> dict[str, float]:
        """Median R2 over the sites that enter, by score."""
        tested = self._asked(run, folds, target)
        return {score: float(np.nanmedian(r2(asked.sums[asked.enters]))) for score, asked in tested.items()}

    def _entries(self, runs: Sequence[Run], folds: Sequence[int], target: str) -> list[Entry]:
        listed = []
        for model in {run.model: None for run in runs}:
            of_model = sorted((run for run in runs if run.model == model), key=lambda run: run.seed)
            tested = [self._asked(run, folds, target) for run in of_model]
            asked = {score: [one[score] for one in tested] for score in tested[0]}
            causal = all(self.runs[_name(run)]["causal"] for run in of_model)
            listed.append(Entry(model, tuple(run.seed for run in of_model), asked, (), causal))
        hold_to_one_test(listed)
        return listed

    def _validation(self, runs: Sequence[Run]) -> dict[str, ValidationScore | None]:
        """Mean validation score of each model over its runs and their cells; None where one has none."""
        found: dict[str, list[float]] = {}
        for run in runs:
            of_cells = [math.nan if left["validation"] is None else left["validation"] for left in self.left(run)]
            found.setdefault(run.model, []).append(sum(of_cells) / len(of_cells))
        means = {model: sum(scores) / len(scores) for model, scores in found.items()}
        return {model: None if math.isnan(mean) else ValidationScore(LOGGED[0], mean) for model, mean in means.items()}

    def places(self, run: Run) -> pl.DataFrame:
        """Return ``site_id, lat, lon, cluster`` of the sites that a run tested."""
        return self._of(run).select("site_id", "lat", "lon", "cluster").unique("site_id").sort("site_id")

    def write_results(self, runs: Iterable[Run], path: Path) -> None:
        """Write the numbers of every site that enters, as :func:`.collect.write_results` does."""
        tables = [self._results(run) for run in runs if self.left(run)]
        if tables:
            with replacing(path) as partial:
                pl.concat(tables).write_csv(partial, float_precision=4)

    def _results(self, run: Run) -> pl.DataFrame:
        rows = self._of(run)
        fewest = {target: int(self.identity[f"{run.split}/{target}"]["min_scored_days"]) for target in rows["target"]}
        rows = rows.filter((pl.col("days") >= pl.col("target").replace_strict(fewest)) & (pl.col("n") > 0))
        sums = _sums(rows)
        numbers = {"r2": r2(sums), "rmse": rmse(sums), "bias": bias(sums), "days": sums.n.astype(np.float64)}
        wide = rows.select("split", "model", "seed", "target", "score", pl.col("site_id").alias("site"), fold="cell")
        wide = wide.with_columns(pl.lit(run.experiment).alias("experiment"), pl.DataFrame(numbers).to_struct("numbers"))
        long = wide.unnest("numbers").unpivot(
            list(numbers), index=[name for name in COLUMNS if name not in ("metric", "value")], variable_name="metric"
        )
        return long.filter(pl.col("value").is_finite()).select(COLUMNS)

    def _of(self, run: Run) -> pl.DataFrame:
        return self.sums.filter(split=run.split, model=run.model, seed=run.seed)

    def _make_way(self, asked: Sequence[Cell], splits: Collection[str]) -> None:
        """Forget the runs of these splits that are asked with other settings, and what a split asked with its last."""
        for run in dict.fromkeys(cell.run for cell in asked if cell.run.split in splits):
            if _name(run) in self.runs and not self.left(run):
                del self.runs[_name(run)]
                same = (pl.col("split") == run.split) & (pl.col("model") == run.model) & (pl.col("seed") == run.seed)
                self.sums = self.sums.filter(~same)
        begun = {name.split("/")[0] for name in self.runs}
        self.identity = {key: value for key, value in self.identity.items() if key.split("/")[0] in begun}

    def _sums_of(self, cell: Cell) -> tuple[pl.DataFrame, bool]:
        """Return the rows of a cell that has just been run, and whether its model is causal."""
        run, tables, causal = cell.run, [], True
        for folder in of_targets(cell.folder):
            said = folder.predictions()
            target, causal = str(said.attrs["target"]), bool(said.attrs.get("causal", 1))
            order = np.argsort(said["site_id"].to_numpy().astype(str), kind="stable")
            place = {name: said[name].to_numpy()[order] for name in ("lat", "lon")}
            for score, asked in ask(said, str(cell.folder)).items():
                self._hold_identity(f"{run.split}/{target}", asked)
                columns = {name: getattr(asked, name) for name in OF_SITES} | asdict(asked.sums) | place
                of_cell = dict(zip(CELL, (run.split, run.model, run.seed, cell.fold), strict=True))
                tables.append(
                    pl.DataFrame(columns).with_columns(
                        target=pl.lit(target),
                        score=pl.lit(score),
                        **{name: pl.lit(value) for name, value in of_cell.items()},
                    )
                )
        return pl.concat(tables), causal

    def _hold_identity(self, key: str, asked: Asked) -> None:
        known = self.identity.setdefault(key, asked.identity)
        if known != asked.identity:
            raise UserError(
                f"{asked.name}: asks {asked.identity}, other committed cells {known}; run those anew as well"
            )

    def _asked(self, run: Run, folds: Sequence[int], target: str) -> dict[str, Asked]:
        """Return the pooled test set of each score."""
        rows = self._of(run).filter(pl.col("cell").is_in(list(folds)), target=target)
        return {
            str(score): _test_set(of_score.sort("site_id"), _name(run), self.identity[f"{run.split}/{target}"])
            for (score,), of_score in rows.group_by("score", maintain_order=True)
        }


def _test_set(rows: pl.DataFrame, name: str, identity: Mapping[str, str]) -> Asked:
    columns: dict[str, Any] = {key: rows[key].to_numpy() for key in OF_SITES}
    for key in ("site_id", "dates"):
        columns[key] = columns[key].astype(str)
    return Asked(name, dict(identity), sums=_sums(rows), **columns)


def _codes(codes: pl.Series) -> int:
    return int(codes.to_numpy().max()) + 1


def _sums(rows: pl.DataFrame) -> Sums:
    return Sums(**{key: rows[key].to_numpy() for key in SUMS})


def _name(run: Run) -> str:
    return f"{run.split}/{run.model}-s{run.seed}"
