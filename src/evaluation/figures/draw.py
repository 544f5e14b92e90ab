"""The figures of a run: series, scatter and comparison here; maps and learning curves in their own modules."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ..scored import ScoredRun
from ..scores.tables import scored_days
from ..wording import LABELS, pretty_unit, target_name, where
from .curves import draw_curves
from .drawing import GREY, INK, PALE, SCORE_COLOURS, VERMILLION, Drawn, light_grid, new_figure, save, style
from .maps import draw_error_map, draw_neighbours
from .trust import draw_context, draw_distance_map, draw_trust
from .uncertainty import draw_coverage, draw_reliability

LONGEST_SERIES = 3 * 365  # days in a panel of the series figure: more cannot be read
LOWEST_R2 = -1.0  # a site or quartile below is drawn at the edge: one bad site must not flatten the rest


def draw_all(run: ScoredRun, baselines: Sequence[ScoredRun]) -> list[Drawn]:
    """Draw every figure that the run has the data for, into ``figures/`` of its folder, in the report's order."""
    folder = run.folder.scored_path / "figures"
    drawings: list[Callable[[], Drawn | None]] = [
        lambda: draw_comparison(run, baselines, folder / "comparison.png"),
        lambda: draw_series(run, folder / "series.png"),
        lambda: draw_scatter(run, folder / "scatter.png"),
        lambda: draw_error_map(run, folder / "error_map.png"),
        lambda: draw_reliability(run, folder / "reliability.png"),
        lambda: draw_coverage(run, folder / "coverage.png"),
        lambda: draw_distance_map(run, folder / "distance_map.png"),
        lambda: draw_trust(run, folder / "trust.png"),
        lambda: draw_neighbours(run, folder / "neighbours.png"),
        lambda: draw_context(run, folder / "context.png"),
        lambda: draw_curves(run.folder.learning_curves(), folder / "learning_curves.png"),
    ]
    with style():
        drawn = [draw() for draw in drawings]
    return [figure for figure in drawn if figure is not None]


def draw_series(run: ScoredRun, path: Path) -> Drawn | None:
    """Observed against predicted through time at the best, the median and the worst site."""
    ranked = run.entering(run.primary)["site_id"].to_list()
    if not ranked:
        return None
    chosen = {"best": ranked[0], "median": ranked[len(ranked) // 2], "worst": ranked[-1]}
    scores = dict(run.entering(run.primary).select("site_id", "r2").iter_rows())
    figure = new_figure(6.6)
    panels = figure.subplots(3, 1)
    for axes, (rank, site) in zip(panels, chosen.items(), strict=True):
        _series(axes, run, run.position(site))
        axes.set_title(f"{rank} site: {site}, R² {scores[site]:.2f}".replace(" -", " −"))
    figure.supylabel(_axis("", run), fontsize=10, color=INK)
    handles = [
        Line2D([], [], color=INK, marker="o", markersize=3, linestyle="", label=f"observed ({LABELS[run.primary]})"),
        Line2D(
            [],
            [],
            color=GREY,
            marker="o",
            markersize=2,
            linestyle="",
            alpha=0.5,
            label="not scored",
        ),
        Line2D([], [], color=VERMILLION, label=f"predicted by {run.label}"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    save(figure, path)
    return Drawn(
        path,
        "Best, median and worst site",
        f"Daily {target_name(run.summary)} observed and predicted, ranked by R² ({LABELS[run.primary]}).",
    )


def draw_scatter(run: ScoredRun, path: Path) -> Drawn | None:
    """Observed against predicted, all scored days of all sites that enter the primary score."""
    enters = run.sites.filter(score=run.primary)["enters"].to_numpy()
    predicted = run.predictions["prediction"].to_numpy()
    counted = scored_days(run.predictions, run.primary) & np.isfinite(predicted) & enters[:, None]
    if not counted.any():
        return None
    x, y = run.predictions["observed"].to_numpy()[counted], predicted[counted]
    low, high = _common_range(x, y)
    figure = new_figure(5.6)
    axes = figure.subplots()
    bins = axes.hexbin(
        x, y, gridsize=70, extent=(low, high, low, high), bins="log", mincnt=1, cmap="viridis", linewidths=0
    )
    axes.plot([low, high], [low, high], color=VERMILLION, linewidth=1.2, label="1:1")
    axes.set(
        xlim=(low, high),
        ylim=(low, high),
        aspect="equal",
        xlabel=_axis("observed", run),
        ylabel=_axis("predicted", run),
    )
    axes.legend(loc="upper left")
    figure.colorbar(bins, ax=axes, label="days in a cell", shrink=0.85)
    save(figure, path)
    outside = int(((x < low) | (x > high) | (y < low) | (y > high)).sum())
    beyond = f" {outside} days lie outside the axes." if outside else ""
    return Drawn(
        path,
        "Observed against predicted",
        f"{target_name(run.summary)}: {x.size:,} scored days ({LABELS[run.primary]}) of {enters.sum()} sites.{beyond}",
    )


def draw_comparison(run: ScoredRun, baselines: Sequence[ScoredRun], path: Path) -> Drawn | None:
    """Per-site R2 and RMSE of this model beside the baselines: median and quartiles, for each score."""
    models = [run, *baselines]
    figure = new_figure(1.4 + 0.5 * len(models))
    panels = figure.subplots(1, 2, sharey=True)
    for axes, metric, label in zip(
        panels, ("r2", "rmse"), ("R²", f"RMSE [{pretty_unit(run.summary['units'])}]"), strict=True
    ):
        for score, block in run.summary["scores"].items():
            _dots(axes, models, metric, score)
            ceiling = block["noise_ceiling"]
            if ceiling and score == run.primary and ceiling["per_site"][metric]["median"] is not None:
                axes.axvline(ceiling["per_site"][metric]["median"], color=GREY, linestyle="--", linewidth=1)
        axes.set_xlabel(f"per-site {label}")
        light_grid(axes, "x")
    panels[0].set_xlim(left=max(panels[0].get_xlim()[0], LOWEST_R2), right=1.0)
    panels[1].set_xlim(left=0)
    panels[0].set_yticks(range(len(models)), [model.label for model in models])
    panels[0].set_ylim(len(models) - 0.5, -0.5)
    panels[0].get_yticklabels()[0].set_fontweight("bold")
    handles = [
        Line2D([], [], color=SCORE_COLOURS[score], marker="o", markersize=6, label=LABELS[score])
        for score in run.summary["scores"]
    ]
    if run.summary["scores"][run.primary]["noise_ceiling"]:
        handles.append(Line2D([], [], color=GREY, linestyle="--", label="noise ceiling (median site)"))
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    save(figure, path)
    return Drawn(
        path,
        "Beside the baselines",
        f"{target_name(run.summary)} {where(run.summary)}: the dot is the median site, the line spans the middle half"
        f" of the sites (cut at R² −1).",
    )


def _dots(axes: Axes, models: Sequence[ScoredRun], metric: str, score: str) -> None:
    scores = list(models[0].summary["scores"])
    offset = 0.14 * (2 * scores.index(score) - len(scores) + 1)
    for row, model in enumerate(models):
        spread = model.summary["scores"].get(score, {}).get("per_site", {}).get(metric, {"median": None})
        if spread["median"] is None:
            continue
        colour = SCORE_COLOURS[score]
        axes.plot([spread["q25"], spread["q75"]], [row + offset] * 2, color=colour, linewidth=2, solid_capstyle="round")
        axes.plot(
            spread["median"], row + offset, "o", color=colour, markersize=8 if row == 0 else 6, markeredgecolor="white"
        )


def _series(axes: Axes, run: ScoredRun, site: int) -> None:
    day = run.predictions["time"].to_numpy()
    observed, predicted = (run.predictions[name].to_numpy()[site] for name in ("observed", "prediction"))
    scored = scored_days(run.predictions, run.primary)[site]
    part = _busiest(scored)
    day, observed, predicted, scored = day[part], observed[part], predicted[part], scored[part]
    axes.axhline(0, color=PALE, linewidth=0.8)
    axes.plot(day, predicted, color=VERMILLION, linewidth=1.1, alpha=0.85)
    axes.plot(day[~scored], observed[~scored], "o", color=GREY, markersize=1.4, alpha=0.4, markeredgewidth=0)
    axes.plot(day[scored], observed[scored], "o", color=INK, markersize=2.4, markeredgewidth=0)
    locator = AutoDateLocator(maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.margins(x=0.01)


def _busiest(scored: NDArray[np.bool_]) -> slice:
    """Find the stretch of at most ``LONGEST_SERIES`` days with most scored days."""
    length = min(LONGEST_SERIES, scored.size)
    total = np.concatenate([[0], np.cumsum(scored)])
    start = int(np.argmax(total[length:] - total[:-length])) if length < scored.size else 0
    return slice(start, start + length)


def _common_range(x: NDArray[np.floating], y: NDArray[np.floating]) -> tuple[float, float]:
    """Axis range that holds all but the outermost 0.05 % of either side."""
    low = min(np.quantile(x, 0.0005), np.quantile(y, 0.0005))
    high = max(np.quantile(x, 0.9995), np.quantile(y, 0.9995))
    pad = 0.03 * (high - low) or 1.0
    return float(low - pad), float(high + pad)


def _axis(what: str, run: ScoredRun) -> str:
    return f"{what} {target_name(run.summary)} [{pretty_unit(run.summary['units'])}]".strip()
