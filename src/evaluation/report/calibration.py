"""The report's section on how honest intervals and quantiles are: reliability, coverage and width."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..headline import COUNTS, NONE, error_decimals, show
from ..scored import ScoredRun
from .tables import SITE_COLUMNS, Column, Line, Table

SIDE = 300.0  # of the reliability figure, in its own units
BINS = 20
MATCHED = "width at matched coverage"


@dataclass(frozen=True)
class Reliability:
    """Observed against nominal shares as SVG coordinates; the band holds the middle half of sites."""

    dots: list[tuple[float, float, str]]
    curve: str
    band: str
    side: float = SIDE


@dataclass(frozen=True)
class Histogram:
    """How many sites have which coverage: left edge, width and height of each bar in per cent, and its title."""

    bars: list[tuple[str, str, str, str]]
    nominal: str
    ticks: list[tuple[str, str]]


@dataclass(frozen=True)
class Calibration:
    """What the section shows; empty parts are left out."""

    models: Table
    classes: Table | None
    reliability: Reliability | None
    histogram: Histogram | None


def calibration_section(run: ScoredRun, baselines: Sequence[ScoredRun]) -> Calibration | None:
    """Return the section under the primary score; None where the run gives neither intervals nor quantiles."""
    own = _uncertainty(run, run.primary)
    if own is None:
        return None
    given = [(model, _uncertainty(model, run.primary)) for model in (run, *baselines)]
    decimals = error_decimals(run)
    lines = [_model(model, block, decimals, main=model is run) for model, block in given if block]
    bounds, quantiles = own["bounds"], own["quantiles"]
    headings = (
        "level",
        "coverage",
        "95 % interval",
        "sites from",
        "to",
        "median width",
        "width / std",
        MATCHED,
        "median CRPS",
        *COUNTS,
    )
    columns = [Column("model", is_text=True), *map(Column, headings), Column("method", is_text=True)]
    return Calibration(
        models=Table(columns, lines),
        classes=_classes(bounds, quantiles, decimals),
        reliability=_reliability(quantiles["reliability"]) if quantiles and quantiles["sites"] else None,
        histogram=_histogram(run, bounds["level"]) if bounds and bounds["sites"] else None,
    )


def _uncertainty(model: ScoredRun, score: str) -> dict[str, Any] | None:
    block = model.summary["scores"].get(score)
    return block["intervals"] if block else None


def _model(model: ScoredRun, block: dict[str, Any], decimals: int, *, main: bool) -> Line:
    bounds, quantiles = block["bounds"], block["quantiles"]
    crps = show(quantiles["crps"]["median"], decimals) if quantiles else NONE
    counts = [f"{(bounds or quantiles)[name]:,}" for name in COUNTS]
    if bounds is None:
        return Line((model.label, *[NONE] * 8, crps, *counts, NONE), "main" if main else "")
    coverage, mean = bounds["coverage"], bounds["coverage"]["interval"]
    cells = (
        model.label,
        f"{bounds['level']:.0%}",
        _share(coverage["mean"]),
        f"{_share(mean['low'])} to {_share(mean['high'])}" if mean else NONE,
        _share(coverage["min"]),
        _share(coverage["max"]),
        show(bounds["width"]["median"], decimals),
        show(bounds["width_over_std"]["median"], 2),
        show(bounds["matched"]["width"], decimals) if bounds["matched"] else NONE,
        crps,
    )
    return Line((*cells, *counts, bounds["method"]), "main" if main else "")


def _classes(bounds: dict[str, Any] | None, quantiles: dict[str, Any] | None, decimals: int) -> Table | None:
    given = (bounds or quantiles or {})["by"]
    lines = []
    for name, labels in given.items():
        for label, counted in sorted(labels.items(), key=lambda item: -item[1]["sites"]) if len(labels) > 1 else ():
            covered = bounds["by"][name][label] if bounds else {"coverage": None, "width": None}
            crps = quantiles["by"][name][label]["crps"] if quantiles else None
            cells = _share(covered["coverage"]), show(covered["width"], decimals), show(crps, decimals)
            lines.append(Line((SITE_COLUMNS[name], label, *cells, *(f"{counted[count]:,}" for count in COUNTS))))
    texts = [Column("by", is_text=True), Column("class", is_text=True)]
    numbers = map(Column, ("coverage", "mean width", "mean CRPS", *COUNTS))
    return Table([*texts, *numbers], lines, tall=True) if lines else None


def _reliability(rows: Sequence[dict[str, float]]) -> Reliability:
    def at(level: float, share: float) -> str:
        return f"{SIDE * level:.1f} {SIDE * (1 - share):.1f}"

    upper = [at(row["level"], row["q75"]) for row in rows]
    lower = [at(row["level"], row["q25"]) for row in rows]
    return Reliability(
        dots=[
            (
                round(SIDE * row["level"], 1),
                round(SIDE * (1 - row["share"]), 1),
                f"nominal {row['level']:.0%}, observed {row['share']:.1%}, half of the sites "
                f"{row['q25']:.1%} to {row['q75']:.1%}",
            )
            for row in rows
        ],
        curve="M" + "L".join(at(row["level"], row["share"]) for row in rows),
        band="M" + "L".join([*upper, *reversed(lower)]) + "Z",
    )


def _histogram(run: ScoredRun, level: float) -> Histogram:
    sites = run.sites.filter(score=run.primary, enters=True)["coverage"].drop_nulls().to_numpy()
    low = min(np.floor(10 * min(float(sites.min()), level - 0.1)) / 10, 0.9)
    counts, edges = np.histogram(sites, BINS, (low, 1.0))
    bars = [
        (
            f"{100 * place / BINS:.2f}%",
            f"{100 / BINS - 0.6:.2f}%",
            f"{100 * count / counts.max():.1f}%",
            f"{count} sites: {edges[place]:.1%} to {edges[place + 1]:.1%}",
        )
        for place, count in enumerate(counts.tolist())
    ]

    def at(share: float) -> str:
        return f"{100 * (share - low) / (1 - low):.2f}%"

    marks = np.linspace(low, 1.0, 5 if round(10 * (1 - low)) % 4 == 0 else 3)
    return Histogram(bars, at(level), [(at(mark), f"{mark:.0%}") for mark in marks.tolist()])


def _share(value: float | None) -> str:
    return NONE if value is None else f"{value:.1%}"
