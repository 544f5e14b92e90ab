"""The keys of ``scripts/benchmark.py transfer=...``."""

# ruff: noqa: RUF009  key() is a dataclasses.field

from collections.abc import Sequence
from dataclasses import dataclass

from raciflux.config.declare import key
from raciflux.errors import UserError, did_you_mean

from ..keys import lines_of, settings_of
from .studies import STUDIES

NARROWED = ("networks", "conditions", "techniques")


@dataclass
class Settings:
    """Which study is run, and how much of it; finished cells are never run again."""

    transfer: str = key("labels", "which study", choices=list(STUDIES))
    tune: bool = key(False, "choose hyper-parameters first, on validation alone, and write the trials")
    networks: list[str] = key([], "only these networks; empty runs all of the study")
    conditions: list[str] = key([], "only these conditions; empty runs all of the study")
    techniques: list[str] = key([], "only these techniques; empty runs all of the study")
    seeds: int = key(0, "number of seeds; 0 takes the study's own", bounds=(0, 100))
    jobs: int = key(2, "processes beside each other, one core each; 0 only writes the tables anew", bounds=(0, 256))
    draws: int = key(10_000, "draws of the intervals", bounds=(100, 1_000_000))
    runs: str = key("runs/benchmarks", "folder of the run folders")
    output: str = key("benchmarks/transfer", "folder of the tables")


def parse_settings(arguments: Sequence[str]) -> Settings:
    """Return the settings that these ``key=value`` make.

    Raises
    ------
    UserError
        A key or value is refused, or the study has no such part, or nothing to tune.
    """
    settings = settings_of(Settings, arguments)
    study = STUDIES[settings.transfer]
    for part in NARROWED:
        known = getattr(study, part)
        for one in getattr(settings, part):
            if one not in known:
                raise UserError(f"{part}: transfer={settings.transfer} has no {one!r}; {did_you_mean(one, known)}")
    if settings.tune and study.tuned_in is None:
        raise UserError(f"tune=true: transfer={settings.transfer} takes the choice of another study; leave tune out")
    return settings


def help_lines() -> str:
    """Return one line a key: default and meaning."""
    return lines_of(Settings)
