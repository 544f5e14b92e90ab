"""What decides whether retrieval pays: a row a world, the mean over each level of each factor, and a figure."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from raciflux.evaluation.comparison.compared import PERCENT, Comparison, Difference
from raciflux.evaluation.comparison.tables import estimate_text
from raciflux.evaluation.figures.drawing import BLUE, GREY, ORANGE, new_figure, save, style
from raciflux.geography import haversine_km

from .ceiling_page import closed
from .cells import Run
from .committed import Committed
from .grid import CEILING, Grid
from .markdown import markdown
from .split_page import BOUNDS

MODEL, ALONE = "raci", "raci_no_retrieval"
RETRIEVAL, WHOLE = "retrieval (RACI with − without)", "RACI − baseline"
WORDS = {
    "towers": "towers",
    "share": "share of hidden variance that neighbours share",
    "separation": "role separation",
}


@dataclass(frozen=True)
class Point:
    """One world of the sweep.

    Attributes
    ----------
    levels : of each factor. km : median distance from a tower to the nearest outside its cluster.
    gains : difference of mean per-site RMSE in percent of the other's, by what is gained.
    r2 : median R2 by model, the ceiling among them.
    """

    levels: dict[str, float]
    km: float
    gains: dict[str, Difference]
    r2: dict[str, float]


def write_sweep(
    grid: Grid,
    committed: Committed,
    whole: Mapping[str, Sequence[Run]],
    folds: Mapping[str, Sequence[int]],
    draws: int,
    output: Path,
) -> list[str]:
    """Draw the figure and return the lines of the tables, from the worlds whose models are all finished."""
    (baseline,) = grid.baselines
    points = [
        point
        for split, levels in grid.design.items()
        if (point := _point(dict(levels), baseline, committed, whole[split], folds[split], draws))
    ]
    if not points:
        return ["", "No world of the sweep is finished yet."]
    figure = output / grid.file("gain.png")
    _draw(points, figure)
    return [
        *["", "## When retrieval pays", "", f"![Gain by factor]({figure.name})"],
        *["", *_worlds(points, baseline), "", *_levels(points), "", *_reading(points, baseline, len(grid.design))],
    ]


def _point(
    levels: dict[str, float],
    baseline: str,
    committed: Committed,
    runs: Sequence[Run],
    folds: Sequence[int],
    draws: int,
) -> Point | None:
    of_model = {model: [run for run in runs if run.model == model] for model in (MODEL, ALONE, baseline, CEILING)}
    if not all(of_model.values()):
        return None
    oracle = of_model[CEILING][0]
    (target,) = committed.targets(oracle.split)

    def against(other: str) -> Comparison:
        return committed.compare([*of_model[MODEL], *of_model[other]], folds, target, other, [other], draws)

    to_alone, to_baseline = against(ALONE), against(baseline)
    r2 = {
        line.model: math.nan if (value := line.estimates["median_r2"].value) is None else value
        for comparison in (to_alone, to_baseline)
        for line in comparison.scores[0].models
    }
    r2[CEILING] = committed.median_r2(oracle, folds, target)[to_alone.scores[0].score]
    gains = {RETRIEVAL: _in_percent(to_alone), WHOLE: _in_percent(to_baseline)}
    return Point(levels, _nearest_km(committed.places(oracle)), gains, r2)


def _in_percent(comparison: Comparison) -> Difference:
    return comparison.scores[0].pairs[0].differences[PERCENT]


def _nearest_km(places: pl.DataFrame) -> float:
    lat, lon, cluster = (places[name].to_numpy() for name in ("lat", "lon", "cluster"))
    away = haversine_km(lat[:, None], lon[:, None], lat, lon)
    return float(np.median(np.where(cluster[:, None] == cluster, np.inf, away).min(1)))


def _worlds(points: Sequence[Point], baseline: str) -> list[str]:
    header = [*WORDS.values(), "median km to the nearest tower", f"R² {baseline}", "R² without retrieval", "R² RACI"]
    header += ["R² ceiling", "closed", f"% RMSE: {RETRIEVAL}", f"% RMSE: {WHOLE}"]
    rows = []
    for point in points:
        below, ceiling = point.r2[baseline], point.r2[CEILING]
        share = f"{closed(point.r2[MODEL], below, ceiling):.2f}" if ceiling > below else "–"
        r2 = [f"{point.r2[model]:.3f}" for model in (baseline, ALONE, MODEL, CEILING)]
        levels = [f"{point.levels[factor]:g}" for factor in WORDS]
        gains = [estimate_text(gain, 1, BOUNDS, sign="+") for gain in point.gains.values()]
        rows.append([*levels, f"{point.km:.0f}", *r2, share, *gains])
    return markdown(header, rows)


def _levels(points: Sequence[Point]) -> list[str]:
    rows = [
        [words, f"{level:g}", *(f"{_mean(points, factor, level, kind):+.1f}" for kind in (RETRIEVAL, WHOLE))]
        for factor, words in WORDS.items()
        for level in _found(points, factor)
    ]
    return markdown(["factor", "level", f"mean % RMSE: {RETRIEVAL}", f"mean % RMSE: {WHOLE}"], rows)


def _reading(points: Sequence[Point], baseline: str, wanted: int) -> list[str]:
    lines = [
        f"* the baseline is {baseline}",
        "* negative is a gain: mean per-site RMSE, in percent of the model it is held against; intervals 95 % over "
        "clusters and seeds, without adjustment for nine worlds",
        "* any two factors meet in all pairs of their levels, so that a level's mean weighs the others evenly; "
        "interactions cannot be told from the third factor",
        "* closed: share of the distance in median R² from the baseline to the ceiling",
    ]
    missing = [f"* **{wanted - len(points)} of {wanted} worlds are missing**"] if len(points) < wanted else []
    return [*missing, *lines]


def _found(points: Sequence[Point], factor: str) -> list[float]:
    return sorted({point.levels[factor] for point in points})


def _mean(points: Sequence[Point], factor: str, level: float, kind: str) -> float:
    return statistics.mean(_value(point, kind) for point in points if point.levels[factor] == level)


def _value(point: Point, kind: str) -> float:
    value = point.gains[kind].value
    return math.nan if value is None else value


def _draw(points: Sequence[Point], path: Path) -> None:
    """One panel a factor: a dot a world, a line through the means of the levels."""
    with style():
        figure = new_figure(2.9)
        panels = figure.subplots(1, len(WORDS), sharey=True)
        for axes, (factor, words) in zip(panels, WORDS.items(), strict=True):
            levels = _found(points, factor)
            axes.axhline(0.0, color=GREY, linewidth=0.8)
            for shift, (kind, colour) in zip((-0.08, 0.08), ((RETRIEVAL, BLUE), (WHOLE, ORANGE)), strict=True):
                x = [levels.index(point.levels[factor]) + shift for point in points]
                axes.plot(x, [_value(point, kind) for point in points], "o", color=colour, alpha=0.45, markersize=4)
                means = [_mean(points, factor, level, kind) for level in levels]
                axes.plot(np.arange(len(levels)) + shift, means, "-", color=colour, linewidth=1.8, label=kind)
            axes.set_xticks(range(len(levels)), [f"{level:g}" for level in levels])
            axes.set_xlabel(words.replace(" that", "\nthat"), fontsize=9)
        panels[0].set_ylabel("change of mean RMSE, %\n(negative: RACI gains)")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
        save(figure, path)
