"""What trees read of a day: its drivers, how they stood before, and the place; nothing of any later day."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...contracts import Layout, TrainingView

Floats = NDArray[np.float32]

LAGS = (1, 2, 3, 7, 14, 30)  # days
YEAR = 365
SPANS = (7, 30, 90, YEAR)  # days up to and including the day itself
COVERAGE = 0.5  # of a span's days must be known for a mean
# Endings of the columns that hold what a network reads in a level of its context.
LEVELS = {
    "months": ("_mean30", "_mean90"),
    "years": (f"_mean{YEAR}",),
    "slow neighbours": ("_slow_neighbours",),
    "fast neighbours": ("_fast_neighbours",),
}


class Beside(Protocol):
    """What else is told of a site's days: columns by their names."""

    names: tuple[str, ...]

    def of_site(self, site: int | np.int64) -> Floats: ...  # noqa: D102


class SimulatedFlux:
    """What who knows the simulation alone says of a site's days, and its mean over the year up to the day."""

    def __init__(self, simulated: Floats, targets: tuple[str, ...]) -> None:
        self.simulated = simulated
        self.names = tuple(f"{target}_{what}" for what in ("simulated", "simulated_year") for target in targets)

    def of_site(self, site: int | np.int64) -> Floats:
        """Return the columns (day, 2 * target); NaN where nothing is said."""
        said = self.simulated[site]
        year = _rolling_means(said, np.isfinite(said), (YEAR,))
        return np.concatenate([said, *year], axis=1)


class Several:
    """What several tell of a day, one after another."""

    def __init__(self, *tellers: Beside) -> None:
        self.tellers = tellers
        self.names = tuple(name for teller in tellers for name in teller.names)

    def of_site(self, site: int | np.int64) -> Floats:
        """Return the columns of all."""
        return np.concatenate([teller.of_site(site) for teller in self.tellers], axis=1)


def feature_names(layout: Layout, beside: Beside | None = None) -> list[str]:
    """Name the columns of ``site_features``, classes last."""
    lagged = [f"{name}_lag{lag}" for lag in LAGS for name in layout.fast]
    rolling = [f"{name}_mean{span}" for span in SPANS for name in layout.fast]
    told = beside.names if beside is not None else ()
    return [*layout.fast, *lagged, *rolling, *told, *layout.static, *layout.classes]


def of_level(level: str, layout: Layout, names: Sequence[str]) -> NDArray[np.bool_]:
    """Say which columns hold a level of context: statics, classes, months, years or the neighbours of a role."""
    place = {"statics": layout.static, "classes": layout.classes}.get(level, ())
    return np.array([name in place or name.endswith(LEVELS.get(level, ())) for name in names])


def site_features(view: TrainingView, site: int | np.int64, beside: Beside | None = None) -> Floats:
    """Return the features (day, feature) of one site, scaled; NaN where a driver is missing or too rarely known.

    Days before the cube's first count as missing.
    """
    known = view.fast_mask[site]
    drivers = np.where(known, view.fast[site], np.float32(np.nan))
    static = np.where(view.static_mask[site], view.static[site], np.float32(np.nan))
    place = np.concatenate([static, view.classes[site]]).astype(np.float32)
    columns = [drivers, *(_lagged(drivers, lag) for lag in LAGS), *_rolling_means(drivers, known, SPANS)]
    columns += [beside.of_site(site)] if beside is not None else []
    return np.concatenate([*columns, np.broadcast_to(place, (len(drivers), len(place)))], axis=1)


def features_on(view: TrainingView, wanted: NDArray[np.bool_], beside: Beside | None = None) -> Floats:
    """Return the features (row, feature) of the ``wanted`` (site, day), in the order in which the mask selects."""
    rows = np.empty((int(wanted.sum()), len(feature_names(view.layout, beside))), np.float32)
    start = 0
    for site in np.flatnonzero(wanted.any(1)):
        stop = start + int(wanted[site].sum())
        rows[start:stop] = site_features(view, site, beside)[wanted[site]]
        start = stop
    return rows


def _lagged(drivers: Floats, lag: int) -> Floats:
    before = np.full((min(lag, len(drivers)), drivers.shape[1]), np.nan, np.float32)
    return np.concatenate([before, drivers[:-lag]])


def _rolling_means(drivers: Floats, known: NDArray[np.bool_], spans: tuple[int, ...]) -> list[Floats]:
    """Mean of each driver (day, feature) over each span of days."""
    # float64: a running total over decades in float32 loses the digits that a week's difference needs
    total = _from_zero(np.where(known, drivers, 0.0).astype(np.float64))
    count = _from_zero(known.astype(np.int64))
    means = []
    for span in spans:
        days = _last(count, span)
        mean = _last(total, span) / np.maximum(days, 1)
        means.append(np.where(days >= COVERAGE * span, mean, np.nan).astype(np.float32))
    return means


def _from_zero(values: NDArray[Any]) -> NDArray[Any]:
    """Sum up the days before each (day + 1, feature)."""
    return np.concatenate([np.zeros_like(values[:1]), values.cumsum(0)])


def _last(running: NDArray[Any], span: int) -> NDArray[Any]:
    """Sum the ``span`` days up to each (day, feature)."""
    begin = np.maximum(np.arange(1, len(running)) - span, 0)
    return np.asarray(running[1:] - running[begin])
