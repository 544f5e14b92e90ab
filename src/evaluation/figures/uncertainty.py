"""Figures of intervals and quantiles: reliability, and coverage against width at each site."""

from pathlib import Path

from ..scored import ScoredRun
from ..wording import LABELS, pretty_unit, target_name, where
from .drawing import BLUE, GREY, VERMILLION, Drawn, light_grid, new_figure, save


def draw_reliability(run: ScoredRun, path: Path) -> Drawn | None:
    """Observed share of days at or below each quantile against its level; None without quantiles."""
    block = run.summary["scores"][run.primary]["intervals"]
    quantiles = block["quantiles"] if block else None
    if not quantiles or not quantiles["sites"]:
        return None
    levels, shares, low, high = (
        [row[name] for row in quantiles["reliability"]] for name in ("level", "share", "q25", "q75")
    )
    figure = new_figure(5.4)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="honest")
    axes.fill_between(levels, low, high, color=BLUE, alpha=0.18, linewidth=0, label="middle half of sites")
    axes.plot(levels, shares, "o-", color=BLUE, linewidth=1.6, markersize=4, label="mean of sites")
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="nominal level", ylabel="share of days at or below")
    light_grid(axes)
    axes.legend(loc="upper left")
    save(figure, path)
    return Drawn(
        path,
        "Reliability of quantiles",
        f"{target_name(run.summary)} {where(run.summary)}, {quantiles['sites']} sites, {quantiles['days']:,} days"
        f" ({LABELS[run.primary]}); each site weighs alike.",
    )


def draw_coverage(run: ScoredRun, path: Path) -> Drawn | None:
    """Coverage of each site's intervals against their width; None without intervals."""
    block = run.summary["scores"][run.primary]["intervals"]
    bounds = block["bounds"] if block else None
    if not bounds or not bounds["sites"]:
        return None
    sites = run.sites.filter(score=run.primary, enters=True).drop_nulls("coverage")
    figure = new_figure(4.2)
    axes = figure.subplots()
    axes.axhline(bounds["level"], color=GREY, linestyle="--", linewidth=1, label=f"nominal {bounds['level']:.0%}")
    axes.axhline(bounds["coverage"]["mean"], color=VERMILLION, linewidth=1.2, label="mean of sites")
    axes.plot(sites["width"], sites["coverage"], "o", color=BLUE, markersize=4, alpha=0.7, markeredgewidth=0)
    unit = pretty_unit(run.summary["units"])
    axes.set(xlabel=f"mean width of a site's intervals [{unit}]", ylabel="share of days inside")
    axes.set_xlim(left=0)
    axes.set_ylim(top=1.01)
    light_grid(axes)
    axes.legend(loc="lower right")
    save(figure, path)
    return Drawn(
        path,
        "Coverage and width",
        f"Each dot is a site: {bounds['sites']} sites, {bounds['clusters']} clusters, {bounds['days']:,} days"
        f" ({LABELS[run.primary]}); {bounds['method']}.",
    )
