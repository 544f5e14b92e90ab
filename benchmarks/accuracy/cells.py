"""The cells of a grid: one model, split, fold and seed each, and the run folder it fills."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from raciflux.config.compose import compose
from raciflux.config.schema import Config

from .grids import SEEDLESS, Grid

DONE = "cell.json"  # stands in the folder of a fold once the cell is finished: minutes, parameters, validation score

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

    def folds(self, folder: Path) -> list[Path]:
        """Folders of the finished folds of this run, below the folder of runs."""
        return sorted(path.parent for path in (folder / self.name).glob(f"fold*/{DONE}"))

    def config(self) -> Config:
        """Compose the run's configuration."""
        return compose(
            [f"experiment={self.experiment}", f"model={self.model}", f"seed={self.seed}", *REGIME, *self.overrides]
        )


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


def _wanted(grid: Grid, only: Mapping[str, Sequence[str]], seeds: int) -> Iterator[tuple[int, str, str]]:
    splits = [split for split in grid.splits if not only["splits"] or split in only["splits"]]
    models = [model for model in grid.models if not only["models"] or model in only["models"]]
    for seed, split, model in itertools.product(range(seeds), splits, models):
        if (seed == 0 or model not in SEEDLESS) and model not in grid.leaves_out.get(split, ()):
            yield seed, split, model
