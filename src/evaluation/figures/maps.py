"""Maps: the error at each site, and where the retrieved neighbours of one site are."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from numpy.typing import NDArray

from ...land import land_polygons
from ..scored import ScoredRun
from ..wording import LABELS, pretty_unit, target_name, where
from .drawing import BLUE, GREY, INK, LAND, ORANGE, SHORE, VERMILLION, WIDTH, Drawn, new_figure, save

KIND_COLOURS = {"functional": BLUE, "geographic": ORANGE}
MARGIN = 8.0  # degrees of map around the outermost site
LEAST_SPAN = (60.0, 30.0)  # degrees of longitude and latitude that a map shows at least, so that a coast is in sight


def draw_error_map(run: ScoredRun, path: Path) -> Drawn | None:
    """Per-site RMSE of the primary score on a map; the largest 5 % of many sites share the end of the colours."""
    sites = run.entering(run.primary).sort("rmse")  # the worst on top
    if sites.is_empty():
        return None
    lon, lat, rmse = (sites[name].to_numpy() for name in ("lon", "lat", "rmse"))
    window = Window.around(lon, lat)
    figure = new_figure(window.height + 0.8)
    axes = figure.subplots()
    draw_land(axes, window)
    top = float(np.quantile(rmse, 0.95)) if rmse.size > 20 else float(rmse.max())
    points: PathCollection = axes.scatter(
        lon, lat, c=rmse, cmap="viridis_r", vmin=0, vmax=top, s=34, edgecolors=INK, linewidths=0.5, zorder=3
    )
    unit = pretty_unit(run.summary["units"])
    extend = "max" if rmse.max() > top else "neither"
    figure.colorbar(
        points,
        ax=axes,
        orientation="horizontal",
        shrink=0.6,
        pad=0.02,
        extend=extend,
        label=f"RMSE {target_name(run.summary)} [{unit}]",
    )
    save(figure, path)
    return Drawn(
        path,
        "Error at each site",
        f"RMSE of {sites.height} sites {where(run.summary)} ({LABELS[run.primary]}).",
    )


def draw_neighbours(run: ScoredRun, path: Path) -> Drawn | None:
    """Where the neighbours of the median site are, one map a role; None for a model that retrieves none."""
    table, site = run.folder.neighbours(), run.median_site()
    if table is None or site is None:
        return None
    rows = table.filter(site_id=site)
    if rows.is_empty():
        return None
    place = run.position(site)
    here = (float(run.predictions["lon"].to_numpy()[place]), float(run.predictions["lat"].to_numpy()[place]))
    roles = rows["role"].unique(maintain_order=True).to_list()
    window = Window.around(np.append(rows["neighbour_lon"], here[0]), np.append(rows["neighbour_lat"], here[1]))
    figure = new_figure(0.3 + (window.height + 0.3) * len(roles))
    for axes, role in zip(figure.subplots(len(roles), 1, squeeze=False)[:, 0], roles, strict=True):
        draw_land(axes, window)
        for kind, group in rows.filter(role=role).group_by("kind", maintain_order=True):
            _neighbours(axes, here, group, KIND_COLOURS.get(str(kind[0]), GREY))
        axes.plot(*here, marker="*", markersize=15, color=VERMILLION, markeredgecolor="white", linestyle="", zorder=5)
        axes.set_title(f"{role} role")
    handles = [Line2D([], [], marker="*", color=VERMILLION, markersize=12, linestyle="", label=site)]
    handles += [
        Line2D([], [], marker="o", color=colour, linestyle="", label=f"{kind} neighbours")
        for kind, colour in KIND_COLOURS.items()
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    save(figure, path)
    return Drawn(
        path,
        "Retrieved neighbours",
        f"Training sites that {run.model} looked up for {site}, the median site, for each role of the inputs;"
        " a larger dot weighs more.",
    )


def _neighbours(axes: Axes, here: tuple[float, float], rows: pl.DataFrame, colour: str) -> None:
    there = rows.select("neighbour_lon", "neighbour_lat").to_numpy()
    weight = rows["weight"].cast(pl.Float64).fill_null(1.0).to_numpy()
    size = 25 + 90 * weight / max(float(weight.max()), 1e-12)
    axes.add_collection(
        LineCollection([[here, tuple(end)] for end in there], colors=colour, linewidths=0.8, alpha=0.5, zorder=2)
    )
    axes.scatter(
        there[:, 0], there[:, 1], s=size, color=colour, edgecolors="white", linewidths=0.8, alpha=0.9, zorder=3
    )


@dataclass(frozen=True)
class Window:
    """The part of the world that a map shows, in degrees: plate carree, true to scale at its middle (to 50)."""

    west: float
    east: float
    south: float
    north: float

    @classmethod
    def around(cls, lon: NDArray[np.floating], lat: NDArray[np.floating]) -> "Window":
        """Show all given places, and enough around them that a coast is in sight."""
        return cls(*_span(lon, LEAST_SPAN[0], 180.0), *_span(lat, LEAST_SPAN[1], 90.0))

    @property
    def aspect(self) -> float:
        """Length of a degree of latitude against one of longitude."""
        return float(1 / np.cos(np.radians(min(abs(self.south + self.north) / 2, 50.0))))

    @property
    def height(self) -> float:
        """Height of the map across a figure of the house's width, inches."""
        return (WIDTH - 0.6) * self.aspect * (self.north - self.south) / (self.east - self.west)


def draw_land(axes: Axes, window: Window) -> None:
    """Draw the coasts of a window and label its edges."""
    rings = [ring for polygon in land_polygons() for ring in polygon]
    codes = [[Outline.MOVETO] + [Outline.LINETO] * (len(ring) - 2) + [Outline.CLOSEPOLY] for ring in rings]
    outline = Outline(np.concatenate(rings), np.concatenate(codes))
    axes.add_patch(PathPatch(outline, facecolor=LAND, edgecolor=SHORE, linewidth=0.4, zorder=1))
    axes.set(xlim=(window.west, window.east), ylim=(window.south, window.north), aspect=window.aspect)
    axes.xaxis.set_major_formatter(lambda x, _: f"{abs(x):g}°{'E' if x > 0 else 'W' if x < 0 else ''}")
    axes.yaxis.set_major_formatter(lambda y, _: f"{abs(y):g}°{'N' if y > 0 else 'S' if y < 0 else ''}")
    axes.tick_params(labelsize=8, length=2)
    axes.spines[:].set_visible(False)


def _span(values: NDArray[np.floating], least: float, bound: float) -> tuple[float, float]:
    low, high = float(values.min()) - MARGIN, float(values.max()) + MARGIN
    grow = max(0.0, least - (high - low)) / 2
    return max(low - grow, -bound), min(high + grow, bound)
