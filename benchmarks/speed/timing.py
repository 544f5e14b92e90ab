"""Times that mean something on a busy machine: sides in turn, round after round, and medians of paired ratios."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Bar:
    """A limit that a figure has to reach."""

    limit: float
    at_least: bool

    def met(self, value: float) -> bool:
        """Whether the figure reaches the bar."""
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True)
class Spread:
    """Median and range over rounds."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Summarise one value a round."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    ours, theirs : medians over rounds, in ``unit``; ``theirs`` is None where nothing is compared.
    ratio : of the two sides of the same round, in the sense of the bar; None where nothing is compared.
    bar : what the ratio, or else ``ours``, has to reach.
    """

    what: str
    threads: int
    ours: float
    theirs: float | None
    unit: str
    ratio: Spread | None = None
    bar: Bar | None = None

    @property
    def met(self) -> bool | None:
        """Whether the bar is reached; None without a bar."""
        if self.bar is None:
            return None
        return self.bar.met(self.ratio.median if self.ratio is not None else self.ours)


def rates(sides: Mapping[str, Callable[[], int]], rounds: int) -> dict[str, list[float]]:
    """Run every side once a round, in turn, after one round that does not count.

    Parameters
    ----------
    sides : by name, a function that makes windows and returns how many.

    Returns
    -------
    by name, the windows a second of each round.
    """
    measured: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds + 1):
        for name, run in sides.items():
            started = time.perf_counter()
            made = run()
            measured[name].append(made / (time.perf_counter() - started))
    return {name: of_side[1:] for name, of_side in measured.items()}


def paired(above: Sequence[float], below: Sequence[float]) -> Spread:
    """Ratio of two sides, round by round, so that a load that comes and goes weighs on both."""
    return Spread.of([a / b for a, b in zip(above, below, strict=True)])


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Give torch this many CPU threads while the body runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
