"""Figures of trust and reasons: distance from the bank on a map and against the error, and what moved the answers."""

from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.collections import PathCollection
from matplotlib.lines import Line2D

from ..reasons import level_rows
from ..scored import ScoredRun
from ..scores.trust import FARTHEST
from ..wording import LABELS, pretty_unit, target_name, where
from .drawing import BLUE, GREY, INK, ORANGE, VERMILLION, Drawn, light_grid, new_figure, save
from .maps import Window, draw_land

DISTANCE = "distance from the bank (dissimilarity index, the larger of both roles)"


def draw_distance_map(run: ScoredRun, path: Path) -> Drawn | None:
    """Distance of each scored site from the bank, sites outside of its area of applicability in a ring."""
    sites = _sites(run)
    if sites is None:
        return None
    lon, lat, apart = (sites[name].to_numpy() for name in ("lon", "lat", "dissimilarity"))
    outside = sites["inside"].to_numpy() == "outside"
    window = Window.around(lon, lat)
    figure = new_figure(window.height + 0.8)
    axes = figure.subplots()
    draw_land(axes, window)
    points: PathCollection = axes.scatter(
        lon, lat, c=apart, cmap="plasma_r", vmin=0, s=34, edgecolors=INK, linewidths=0.5, zorder=3
    )
    axes.scatter(lon[outside], lat[outside], s=90, facecolors="none", edgecolors=VERMILLION, linewidths=1.6, zorder=4)
    figure.colorbar(points, ax=axes, orientation="horizontal", shrink=0.6, pad=0.02, label=DISTANCE)
    save(figure, path)
    return Drawn(
        path,
        "Distance from the bank",
        f"{sites.height} sites; the {outside.sum()} in rings are outside the area of applicability (Meyer and Pebesma"
        " 2021).",
    )


def draw_trust(run: ScoredRun, path: Path) -> Drawn | None:
    """Error of each scored site against its distance from the bank."""
    sites = _sites(run)
    if sites is None:
        return None
    sites = sites.drop_nulls("nrmse_std")
    if sites.is_empty():
        return None
    outside = sites["inside"].to_numpy() == "outside"
    apart, error = (sites[name].to_numpy() for name in ("dissimilarity", "nrmse_std"))
    figure = new_figure(4.2)
    axes = figure.subplots()
    for side, name, colour in ((~outside, "inside", BLUE), (outside, "outside", VERMILLION)):
        axes.plot(apart[side], error[side], "o", color=colour, markersize=4, alpha=0.7, markeredgewidth=0, label=name)
    axes.set(xlabel=DISTANCE, ylabel="RMSE / std observed")
    axes.set_xlim(left=0)
    beyond = np.quantile(error, 0.98) if len(error) > 50 else error.max()
    axes.set_ylim(0, 1.05 * float(beyond))
    light_grid(axes)
    axes.legend(loc="lower right", title="area of applicability")
    save(figure, path)
    block = run.summary["scores"][run.primary]["trust"]
    correlation = block["rank_correlation"][FARTHEST]["value"]
    said = "" if correlation is None else f"; partial rank correlation {correlation:.2f}".replace("-", "−")
    above = f" {int((error > 1.05 * beyond).sum())} sites lie above the axes." if (error > 1.05 * beyond).any() else ""
    return Drawn(
        path,
        "Distance and error",
        f"{target_name(run.summary)} {where(run.summary)}, {block['sites']} sites, {block['clusters']} clusters "
        f"({LABELS[run.primary]}){said}.{above}",
    )


def draw_context(run: ScoredRun, path: Path) -> Drawn | None:
    """How far each level of context moved the answers: median and middle half of the sites."""
    rows = level_rows(run)
    if not rows:
        return None
    figure = new_figure(1.0 + 0.4 * len(rows))
    axes = figure.subplots()
    for place, row in enumerate(rows):
        colour = ORANGE if row.numbers["median_shift"] < 0 else BLUE
        axes.plot(
            [row.numbers["q25_size"], row.numbers["q75_size"]],
            [place] * 2,
            color=colour,
            linewidth=2,
            solid_capstyle="round",
        )
        axes.plot(row.numbers["median_size"], place, "o", color=colour, markersize=8, markeredgecolor="white")
    axes.set_yticks(range(len(rows)), [row.level for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"mean change of {target_name(run.summary)} [{pretty_unit(run.summary['units'])}]")
    light_grid(axes, "x")
    words = ((BLUE, "raises the flux"), (ORANGE, "lowers it"))
    handles = [Line2D([], [], color=colour, marker="o", label=label) for colour, label in words]
    axes.legend(handles=handles, loc="lower right", labelcolor=GREY)
    save(figure, path)
    return Drawn(
        path,
        "What moved the answers",
        f"Mean absolute change of the daily flux when {run.model} does not know a level: median and middle half of "
        f"{max(row.numbers['sites'] for row in rows)} sites, coloured by the median of the signed change.",
    )


def _sites(run: ScoredRun) -> pl.DataFrame | None:
    """Sites of the primary score that have a distance, the farthest last; None without any."""
    if "dissimilarity" not in run.sites.columns:
        return None
    sites = run.sites.filter(score=run.primary, enters=True).drop_nulls("dissimilarity").sort("dissimilarity")
    return None if sites.is_empty() else sites
