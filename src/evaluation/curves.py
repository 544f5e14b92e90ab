"""Learning curves from the CSV log."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from .drawing import BLUE, GREY, Drawn, light_grid, new_figure, save

TRAIN, VALIDATION = "train/loss", "val/loss"


def draw_curves(curves: Mapping[str, pl.DataFrame], path: Path) -> Drawn | None:
    """Training and validation loss against the step: one panel a stage, one pair of lines a fold.

    Parameters
    ----------
    curves : tables with columns ``step`` and ``train/loss`` and/or ``val/loss``, by folder below ``logs/``; parts of a
        folder's name that start with ``fold`` tell folds of one stage apart.
    """
    stages: dict[str, list[pl.DataFrame]] = {}
    for name, table in curves.items():
        if TRAIN in table.columns or VALIDATION in table.columns:
            stage = " ".join(part for part in name.split("/") if not part.startswith("fold"))
            stages.setdefault(stage or "training", []).append(table)
    if not stages:
        return None
    stages = dict(sorted(stages.items(), key=lambda item: (not item[0].startswith("pretrain"), item[0])))
    figure = new_figure(3.4)
    panels = figure.subplots(1, len(stages), squeeze=False)[0]
    for axes, (stage, tables) in zip(panels, stages.items(), strict=True):
        for table in tables:
            _line(axes, table, TRAIN, GREY)
            _line(axes, table, VALIDATION, BLUE)
        folds = f", {len(tables)} folds" if len(tables) > 1 else ""
        axes.set(title=f"{stage}{folds}", xlabel="optimiser step")
        light_grid(axes)
    panels[0].set_ylabel("loss (scaled target)")
    handles = [
        Line2D([], [], color=GREY, label="training"),
        Line2D([], [], color=BLUE, marker="o", markersize=4, label="validation"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    save(figure, path)
    return Drawn(
        path, "Learning curves", "Loss in training and at validation sites, which are neither trained on nor tested."
    )


def _line(axes: Axes, table: pl.DataFrame, column: str, colour: str) -> None:
    if column not in table.columns:
        return
    points = table.select("step", pl.col(column).cast(pl.Float64, strict=False)).drop_nulls().drop_nans().sort("step")
    validation = column == VALIDATION
    axes.plot(
        points["step"],
        points[column],
        color=colour,
        linewidth=1.6 if validation else 1.0,
        alpha=1.0 if validation else 0.7,
        marker="o" if validation else "",
        markersize=3,
    )
