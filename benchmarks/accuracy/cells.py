"""The cells of a grid: one model, split, fold and seed each, and the run folder it fills."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from raciflux.config.compose import compose, to_yaml
from raciflux.config.layers import flatten
from raciflux.config.schema import Config

from .grids import SEEDLESS, Grid

DONE = "cell.json"  # stands in the folder of a fold once the cell is finished, see ``work.run_cell``

UNDECIDING = ("output", "resume", "trainer", "logger", "data.root")  # where and how it runs, not what comes out

# The same for every cell: one core a process, nothing sent anywhere.
REGIME = (
    "compare=[]",
    "trainer.threads=1",
    "trainer.progress=false",
    "trainer.accelerator=cpu",
    "logger.wandb=disabled",
)


@dataclass(frozen=True)
class Run:
    """One model on one split with one seed: a run folder whose folds are cells.

    Attributes
    ----------
    overrides : the grid's regime, the split's overrides, then the model's chosen hyper-parameters.
    """

    grid: str
    experiment: str
    split: str
    model: str
    seed: int
    overrides: tuple[str, ...]

    @property
    def name(self) -> str:
        """Where the run stands below the folder of runs."""
        return f"{self.grid}/{self.split}/{self.model}-s{self.seed}"

    @property
    def arguments(self) -> list[str]:
        """What a user would type after ``python scripts/train.py`` to run it."""
        return [f"experiment={self.experiment}", f"model={self.model}", f"seed={self.seed}", *REGIME, *self.overrides]

    def config(self) -> Config:
        """Compose the run's configuration."""
        return compose(self.arguments)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """All that decides the result, by dotted key."""
        return deciding(to_yaml(self.config()))

    def begun(self, fold: Path) -> bool:
        """Whether the folder of a fold was begun under these settings; keys that either lacks decide nothing."""
        path = fold / "config.yaml"
        stored = deciding(path.read_text()) if path.exists() else {}
        return bool(stored) and all(stored.get(key, value) == value for key, value in self.settings.items())

    def done(self, fold: Path) -> dict[str, Any] | None:
        """Return what a finished cell of these settings left in the folder of a fold; None where it is to be run."""
        path = fold / DONE
        left: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() and self.begun(fold) else None
        return left

    def folds(self, folder: Path) -> list[Path]:
        """Folders of the finished folds of this run, below the folder of runs."""
        return sorted(fold for fold in (folder / self.name).glob("fold*") if self.done(fold))


def runs_of(
    name: str, grid: Grid, chosen: Mapping[str, Sequence[str]], only: Mapping[str, Sequence[str]], seeds: int
) -> list[Run]:
    """List the runs of a grid, cheap models first and seeds outermost, so that an early stop leaves whole rows.

    Parameters
    ----------
    chosen : tuned hyper-parameters of each model, as overrides.
    only : ``models`` and ``splits`` to keep; an empty list keeps all.
    seeds : number of seeds of models that draw anything.
    """
    return [
        Run(name, grid.experiment, split, model, seed, (*grid.regime, *grid.splits[split], *chosen.get(model, ())))
        for seed, split, model in _wanted(grid, only, seeds)
    ]


def deciding(text: str) -> dict[str, Any]:
    """Return the settings of a ``config.yaml`` that decide the result, by dotted key."""
    flat = {path: given.value for path, given in flatten(yaml.safe_load(text), "config.yaml").items()}
    return {
        path: value for path, value in flat.items() if not f"{path}.".startswith(tuple(f"{u}." for u in UNDECIDING))
    }


def _wanted(grid: Grid, only: Mapping[str, Sequence[str]], seeds: int) -> Iterator[tuple[int, str, str]]:
    splits = [split for split in grid.splits if not only["splits"] or split in only["splits"]]
    models = [model for model in grid.models if not only["models"] or model in only["models"]]
    for seed, split, model in itertools.product(range(seeds), splits, models):
        if (seed == 0 or model not in SEEDLESS) and model not in grid.leaves_out.get(split, ()):
            yield seed, split, model
