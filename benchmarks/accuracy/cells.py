"""The cells of a grid: one model, split, fold and seed each, and the run folder it fills."""

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from raciflux.config.compose import compose, to_yaml
from raciflux.config.layers import flatten
from raciflux.config.schema import Config
from raciflux.simulation.ceiling import DRAWS

from .grid import CEILING, SEEDLESS, Grid, Variant

DONE = "cell.json"  # stands in the folder of a fold once the cell is finished, see ``work.run_cell``

UNDECIDING = ("output", "resume", "trainer", "logger", "data.root", "label")  # where and how it runs, and its name

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
    model : name in the results.
    overrides : the grid's regime, the split's overrides, the model's chosen hyper-parameters, then the variant's own;
        of two that set one key the later.
    trained : the model that a variant is one of; "" where it is ``model`` itself.
    home : another grid in whose folder the cells lie; "" where it is ``grid`` itself.
    only : the only folds that are wanted; empty wants all.
    """

    grid: str
    experiment: str
    split: str
    model: str
    seed: int
    overrides: tuple[str, ...]
    trained: str = ""
    home: str = ""
    only: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """Where the run, its folds pooled, stands below the folder of runs."""
        return f"{self.grid}/{self.split}/{self.model}-s{self.seed}"

    @property
    def place(self) -> str:
        """Where its cells stand below the folder of runs."""
        return f"{self.home or self.grid}/{self.split}/{self.model}-s{self.seed}"

    @property
    def oracle(self) -> bool:
        """Whether it is no model but the ceiling."""
        return self.model == CEILING

    @property
    def arguments(self) -> list[str]:
        """What a user would type after ``python scripts/train.py`` to run it."""
        model = [f"model={self.trained or self.model}", *([f"label={self.model}"] if self.trained else [])]
        return [f"experiment={self.experiment}", *model, f"seed={self.seed}", *REGIME, *self.overrides]

    def config(self) -> Config:
        """Compose the run's configuration; the ceiling has one for its data alone, and its model stands for nothing."""
        return compose(self.arguments)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """All that decides the result, by dotted key."""
        found = deciding(to_yaml(self.config()))
        if not self.oracle:
            return found
        of_data = {path: value for path, value in found.items() if not path.startswith("model.")}
        return of_data | {"model.name": CEILING, "model.draws": DRAWS}

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
        wanted = {f"fold{number}" for number in self.only}
        return sorted(
            fold
            for fold in (folder / self.place).glob("fold*")
            if (not wanted or fold.name in wanted) and self.done(fold)
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
        run_of(name, grid, split, model, seed, hyper_parameters(grid, model, chosen))
        for seed, split, model in _wanted(grid, only, seeds)
    ]


def of_shared_seeds(runs: Sequence[Run], finished: Sequence[Run]) -> list[Run]:
    """Keep of the finished runs of each split the seeds that all its models share: seeds are paired over models.

    A model that draws nothing has one run and joins whatever is kept; one of which nothing is finished decides nothing.
    """
    wanted = Counter((run.split, run.model) for run in runs)
    seeds: dict[tuple[str, str], set[int]] = {}
    for run in finished:
        if wanted[run.split, run.model] > 1:
            seeds.setdefault((run.split, run.model), set()).add(run.seed)
    shared: dict[str, set[int]] = {}
    for (split, _), of_model in seeds.items():
        shared[split] = shared.get(split, of_model) & of_model
    return [run for run in finished if wanted[run.split, run.model] == 1 or run.seed in shared[run.split]]


def hyper_parameters(grid: Grid, model: str, chosen: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return those chosen for a model; a variant for which none were has those of the model it is one of."""
    return tuple(chosen.get(model, chosen.get(grid.variant(model).model, ())))


def run_of(name: str, grid: Grid, split: str, model: str, seed: int, chosen: Sequence[str]) -> Run:
    """Return one run of a grid with these hyper-parameters."""
    variant = Variant("site_mean") if model == CEILING else grid.variant(model)
    return Run(
        name,
        grid.experiment,
        split,
        model,
        seed,
        last_of_each_key((*grid.regime, *grid.splits[split], *chosen, *variant.overrides)),
        trained="" if variant.model == model else variant.model,
        home=grid.shares.get(model, ""),
        only=grid.folds,
    )


def last_of_each_key(overrides: Sequence[str]) -> tuple[str, ...]:
    """Return overrides without those whose key a later one sets."""
    return tuple({text.split("=", 1)[0]: text for text in overrides}.values())


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
        seedless = model == CEILING or grid.variant(model).model in SEEDLESS
        if (seed == 0 or not seedless) and model not in grid.leaves_out.get(split, ()):
            yield seed, split, model
