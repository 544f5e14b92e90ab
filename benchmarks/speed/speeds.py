"""Each speed: what measures it, over which heading, and what it cannot be measured without."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import (
    gather,
    global_grid,
    grids,
    half_hours,
    neuralhydrology,
    raci,
    reading,
    retrieval,
    step,
    waiting,
    xmethanewet,
)
from .settings import Settings
from .timing import Row


def _nothing(_: Settings) -> None:
    return None


@dataclass(frozen=True)
class Speed:
    """One speed; the title may name a setting."""

    title: str
    measure: Callable[[Settings, Sequence[int]], list[Row]]
    missing: Callable[[Settings], str | None] = _nothing


def _with_most(measure: Callable[[Settings, int], list[Row]]) -> Callable[[Settings, Sequence[int]], list[Row]]:
    """Measure with the largest number of threads alone."""
    return lambda settings, threads: measure(settings, threads[-1])


_LSTM = "LSTM 64 on 365 days of 30 towers"
SPEEDS = {
    "gather": Speed("batches of {batch} x 365 x 15 float32, shuffled", gather.measure),
    "step": Speed("training, hidden 64, 365 days", step.measure),
    "raci": Speed(f"a training step, hidden {raci.WIDTH}, 365 days, batch {{batch}}", raci.measure),
    "retrieval": Speed(f"{retrieval.K} of {{places:,}} places", retrieval.measure),
    "xmethanewet": Speed("batches of 128 x 365 x 15, and targets", xmethanewet.measure),
    "neuralhydrology": Speed(
        f"{_LSTM}, as many days of a window as ours", _with_most(neuralhydrology.measure), neuralhydrology.missing
    ),
    "neuralhydrology_default": Speed(
        f"{_LSTM}, its default, the last day of a window",
        _with_most(neuralhydrology.measure_default),
        neuralhydrology.missing,
    ),
    "threads": Speed("an LSTM of hidden 64 on 365 days, forward and backward", _with_most(waiting.measure)),
    "half_hours": Speed("a FLUXNET table to days", _with_most(half_hours.measure)),
    "grids": Speed("full-size years of X-MethaneWet to a cube", _with_most(grids.measure)),
    "global": Speed("a 0.5-degree land grid, Zarr to Zarr", global_grid.measure),
    "read": Speed("FLUXNET2015, files to training", _with_most(reading.measure), reading.missing),
}
