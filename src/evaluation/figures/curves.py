"""Learning curves from the CSV log."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl
from matplotlib.axes import Axes

from .drawing import BLUE, GREY, Drawn, light_grid, new_figure, save

TRAINING, VALIDATION = "train/loss", "val/score"


def draw_curves(curves: Mapping[str, pl.DataFrame], path: Path) -> Drawn | None:
    """Draw what training lowers above what decides when to stop: a column for each stage, a line for each fold.

    Parameters
    ----------
    curves : tables with columns ``step``, ``train/loss`` (in scaled units) and ``val/score`` (mean site
        RMSE over the flux's spread) by name; parts of a name that start with ``fold`` tell the folds of a stage apart.
    """
    stages: dict[str, list[pl.DataFrame]] = {}
    for name, table in curves.items():
        if TRAINING in table.columns and VALIDATION in table.columns:
            stage = " ".join(part for part in name.split("/") if not part.startswith("fold"))
            stages.setdefault(stage, []).append(table)
    if not stages:
        return None
    stages = dict(sorted(stages.items(), key=lambda item: (not item[0].startswith("pretrain"), item[0])))
    figure = new_figure(4.6)
    columns = figure.subplots(2, len(stages), squeeze=False, sharex="col").T
    for (above, below), (stage, tables) in zip(columns, stages.items(), strict=True):
        for table in tables:
            _line(above, table, TRAINING, GREY)
            _line(below, table, VALIDATION, BLUE)
        above.set_title(f"{stage}, {len(tables)} folds" if len(tables) > 1 else stage)
        below.set_xlabel("optimiser step")
        light_grid(above)
        light_grid(below)
    columns[0][0].set_ylabel("training loss\n(scaled)")
    columns[0][1].set_ylabel("validation RMSE / spread\n(mean of sites)")
    save(figure, path)
    return Drawn(
        path,
        "Learning curves",
        "Above, the loss that training lowers; below, the error on validation data, which decides when to stop."
        " What validates is neither trained on nor tested.",
    )


def _line(axes: Axes, table: pl.DataFrame, column: str, colour: str) -> None:
    points = table.select("step", pl.col(column).cast(pl.Float64, strict=False)).drop_nulls().drop_nans().sort("step")
    marker = "o" if column == VALIDATION else ""
    axes.plot(points["step"], points[column], color=colour, linewidth=1.2, alpha=0.8, marker=marker, markersize=3)
