"""Learning curves from the CSV log."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl
from matplotlib.axes import Axes

from .drawing import BLUE, GREY, ORANGE, Drawn, light_grid, new_figure, save

TRAINING, VALIDATION = "train/loss", "val/score"
STAGES = ("pretrain", "joint", "towers")  # in the order of a training; others, of older runs, come first
SCRATCH = "scratch"  # the same model beside it, without the simulation


def draw_curves(curves: Mapping[str, pl.DataFrame], path: Path) -> Drawn | None:
    """Draw what training lowers above what decides when to stop: a column for each stage, a line for each fold.

    Parameters
    ----------
    curves : tables with columns ``step``, ``train/loss`` (in scaled units) and ``val/score`` (mean site
        RMSE over the flux's spread) by name, whose last part is the stage; see ``RunFolder.learning_curves``.
    """
    shown = {name: table for name, table in curves.items() if {TRAINING, VALIDATION} <= set(table.columns)}
    stages: dict[str, list[str]] = {}
    for name in shown:
        stages.setdefault(name.split("/")[-1], []).append(name)
    if not stages:
        return None
    stages = dict(sorted(stages.items(), key=lambda item: STAGES.index(item[0]) if item[0] in STAGES else -1))
    figure = new_figure(4.6)
    columns = figure.subplots(2, len(stages), squeeze=False, sharex="col").T
    for (above, below), (stage, names) in zip(columns, stages.items(), strict=True):
        for name in names:
            _line(above, shown[name], TRAINING, ORANGE if _is_beside(name) else GREY)
            _line(below, shown[name], VALIDATION, ORANGE if _is_beside(name) else BLUE)
        folds = sum(not _is_beside(name) for name in names)
        above.set_title(f"{stage}, {folds} folds" if folds > 1 else stage)
        below.set_xlabel("optimiser step")
        light_grid(above)
        light_grid(below)
    columns[0][0].set_ylabel("training loss\n(scaled)")
    columns[0][1].set_ylabel("validation RMSE / spread\n(mean of sites)")
    save(figure, path)
    scratch = " Orange: the same model from scratch." if any(map(_is_beside, shown)) else ""
    return Drawn(
        path,
        "Learning curves",
        "Above, the loss that training lowers; below, the error on validation data, which decides when to stop."
        f" What validates is neither trained on nor tested.{scratch}",
    )


def _is_beside(name: str) -> bool:
    return SCRATCH in name.split("/")


def _line(axes: Axes, table: pl.DataFrame, column: str, colour: str) -> None:
    points = table.select("step", pl.col(column).cast(pl.Float64, strict=False)).drop_nulls().drop_nans().sort("step")
    marker = "o" if column == VALIDATION else ""
    axes.plot(points["step"], points[column], color=colour, linewidth=1.2, alpha=0.8, marker=marker, markersize=3)
