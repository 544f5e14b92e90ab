"""The keys of ``scripts/benchmark.py own_days=...``."""

# ruff: noqa: RUF009  key() is a dataclasses.field

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from raciflux.config.declare import key
from raciflux.errors import UserError, did_you_mean

from ..keys import lines_of, settings_of
from .methods import METHODS

OPTIONAL = ("raci", "fine_tuned")  # keys of runs that need not be named
QUESTIONS = Path(__file__).parents[1] / "raci" / "questions"
FILES = {"few_shot": "few_shot_v1", "gap": "gaps_v1"}


@dataclass
class Settings:
    """Which question is asked, of which runs; answers of an earlier call are kept while their runs are the same."""

    own_days: str = key("few_shot", "which question", choices=list(METHODS))
    base: list[str] = key(
        [],
        "runs whose data count and whose mean is corrected; ridge and empirical_bayes ask them for "
        "calibration.kind=cross_conformal",
    )
    raci: list[str] = key([], "runs of RACI on the same data and split; their mean answers as well")
    fine_tuned: list[str] = key([], "runs of a network on the same data and split that is trained on with shown days")
    methods: list[str] = key([], "only these methods; empty runs all that the runs allow")
    targets: list[str] = key([], "only these fluxes; empty asks about all")
    questions: str = key("", "name of a committed file of questions, or path to another; empty takes version 1")
    make: bool = key(False, "draw the file of questions again from the data of RACIFLUX_DATA, and ask nothing")
    jobs: int = key(
        1, "cores that a forest may use; 0 asks nothing, and writes the page of the answers on disk", bounds=(0, 256)
    )
    draws: int = key(10_000, "draws of the intervals", bounds=(100, 1_000_000))
    output: str = key("benchmarks/raci", "folder of the tables")

    def questions_path(self) -> Path:
        """Where the file of questions lies."""
        name = self.questions or FILES[self.own_days]
        return Path(name) if name.endswith(".json") else QUESTIONS / f"{name}.json"


def parse_settings(arguments: Sequence[str]) -> Settings:
    """Return the settings that these ``key=value`` make.

    Raises
    ------
    UserError
        A key or value is refused, no base run is named, or a method is unknown.
    """
    settings = settings_of(Settings, arguments)
    known = METHODS[settings.own_days]
    for name in settings.methods:
        if name not in known:
            raise UserError(f"methods: own_days={settings.own_days} has no {name!r}; {did_you_mean(name, known)}")
        uses = known[name].uses
        if settings.jobs and uses in OPTIONAL and not getattr(settings, uses):
            raise UserError(f"methods: {name} answers by runs that are not named; name them with {uses}=[RUN]")
    if settings.jobs and not settings.base and not settings.make:
        raise UserError("own_days: name the runs that are corrected with base=[RUN, ...]")
    return settings


def help_lines() -> str:
    """Return one line a key: default and meaning."""
    return lines_of(Settings)
