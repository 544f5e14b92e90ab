"""The keys of ``scripts/benchmark.py accuracy=...``."""

# ruff: noqa: RUF009  key() is a dataclasses.field

from collections.abc import Sequence
from dataclasses import dataclass

from raciflux.config.declare import key
from raciflux.errors import UserError, did_you_mean

from ..keys import lines_of, settings_of
from .grids import GRIDS


@dataclass
class Settings:
    """Which grid is run, and how much of it; finished cells are never run again."""

    accuracy: str = key("fluxnet2015", "which benchmark", choices=list(GRIDS))
    tune: bool = key(False, "choose hyper-parameters first, on validation alone, and write tuning.csv")
    models: list[str] = key([], "only these models; empty runs all of the grid")
    splits: list[str] = key([], "only these splits; empty runs all of the grid")
    seeds: int = key(0, "number of seeds; 0 takes the grid's own", bounds=(0, 100))
    jobs: int = key(2, "processes beside each other, one core each; 0 only writes the tables anew", bounds=(0, 256))
    draws: int = key(10_000, "draws of the intervals", bounds=(100, 1_000_000))
    runs: str = key("runs/benchmarks", "folder of the run folders")
    output: str = key("benchmarks", "folder of the tables")


def parse_settings(arguments: Sequence[str]) -> Settings:
    """Return the settings that these ``key=value`` make.

    Raises
    ------
    UserError
        A key or value is refused, or the grid has no such model or split, or nothing to tune.
    """
    settings = settings_of(Settings, arguments)
    grid = GRIDS[settings.accuracy]
    for name, given, known in (("models", settings.models, grid.models), ("splits", settings.splits, grid.splits)):
        for one in given:
            if one not in known:
                raise UserError(f"{name}: accuracy={settings.accuracy} has no {one!r}; {did_you_mean(one, known)}")
    if settings.tune and grid.tuned_on is None:
        raise UserError(f"tune=true: accuracy={settings.accuracy} runs the models' defaults; leave tune out")
    return settings


def help_lines() -> str:
    """Return one line a key: default and meaning."""
    return lines_of(Settings)
