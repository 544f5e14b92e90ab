"""The keys of ``scripts/benchmark.py``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from raciflux.config.declare import key
from raciflux.errors import UserError

from ..keys import lines_of, settings_of

SPEEDS = ("gather", "step", "raci", "read")
# long, or large on disk
ON_REQUEST = (
    *("retrieval", "xmethanewet", "neuralhydrology", "neuralhydrology_default"),
    *("threads", "half_hours", "grids", "global"),
)


@dataclass
class DataFolder:
    """Where the real towers are."""

    root: str = key(
        "${oc.env:RACIFLUX_DATA,../shared/data}", "folder that holds your data; default: the variable RACIFLUX_DATA"
    )


@dataclass
class Settings:
    """What is measured, and how large; the defaults are what the committed results were measured with."""

    speed: str = key("all", "which speed", choices=["all", *SPEEDS, *ON_REQUEST])
    threads: int = key(0, "CPU threads of torch, the same on both sides; 0 measures 1, then 2", bounds=(0, 4096))
    rounds: int = key(15, "rounds; each measures every side once, and medians are over rounds", bounds=(1, 10_000))
    sites: int = key(192, "made-up towers, each with 15 years of 15 drivers", bounds=(1, 10_000))
    batch: int = key(256, "windows a batch", bounds=(1, 65_536))
    batches: int = key(128, "gather: batches a round", bounds=(1, 100_000))
    places: int = key(60_000, "retrieval: places searched", bounds=(32, 10_000_000))
    steps: int = key(2, "step, raci: training steps a round", bounds=(1, 10_000))
    cells: int = key(0, "global: land cells to predict; 0 takes all", bounds=(0, 100_000))
    seed: int = key(0, "seed of numbers, weights and order", bounds=(0, 2**31 - 1))
    python: str | None = key(None, "neuralhydrology: a Python that has that package")
    output: str | None = key(None, "JSON file to write the results to")
    data: DataFolder = key(DataFolder, "where the real towers are (speed=read)")  # noqa: RUF009  as dataclasses.field

    @property
    def speeds(self) -> tuple[str, ...]:
        """The speeds to measure."""
        return SPEEDS if self.speed == "all" else (self.speed,)


def parse_settings(arguments: Sequence[str]) -> Settings:
    """Return the settings that these ``key=value`` make.

    Raises
    ------
    UserError
        A key or value is refused, or the output file has no folder to stand in.
    """
    settings = settings_of(Settings, arguments)
    if settings.output is not None:
        _check_output(Path(settings.output))
    return settings


def help_lines() -> str:
    """Return one line a key: default and meaning."""
    return lines_of(Settings)


def _check_output(path: Path) -> None:
    """Say before an hour of measuring that its results have no place."""
    if path.is_dir() or path.suffix != ".json":
        raise UserError(f"output={path}: name a JSON file, such as output=speed.json")
    if not path.parent.is_dir():
        raise UserError(f"output={path}: the folder {path.parent} does not exist; create it or name another")
