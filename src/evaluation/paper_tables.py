"""What a paper prints: ``summary.csv``, ``sites.csv`` and ``table.tex`` of a run and the models trained beside it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from ..atomic import replacing, write_text
from .headline import error_decimals, unlike
from .latex import count, escaped, number, table, unit
from .scored import ScoredRun
from .wording import LABELS, model_name, notes, target_name, where

SHORT = {
    "weekly": "weekly",
    "monthly": "monthly",
    "seasonal_cycle": "season",
    "anomaly": "anomaly",
    "yearly": "yearly",
    "inter_annual": "inter-ann.",
    "site_mean": "site mean",
}
"""Time scales of the LaTeX table; the daily one stands in the table above it."""


def write_paper_tables(run: ScoredRun, baselines: Sequence[ScoredRun], folder: Path) -> None:
    """Write the three files into ``folder``, each whole or not at all; models are rows, the run first.

    ``summary.csv`` has a row a model and score, and its columns are called as the paths in ``metrics.json``
    (``per_site.r2.median``); ``sites.csv`` a row a model, score and site; ``table.tex`` needs booktabs.
    """
    models = [run, *baselines]
    _write_csv(pl.concat([_summary(model) for model in models], how="diagonal_relaxed"), folder / "summary.csv")
    sites = [model.sites.select(pl.lit(model.model).alias("model"), pl.all()) for model in models]
    _write_csv(pl.concat(sites, how="diagonal_relaxed"), folder / "sites.csv")
    write_text(latex_tables(run, baselines), folder / "table.tex")


def latex_tables(run: ScoredRun, baselines: Sequence[ScoredRun]) -> str:
    """Two tables a score: median and quartiles over sites beside pooled scores, and R2 at each time scale."""
    models, parts = [run, *baselines], [r"% needs \usepackage{booktabs}"]
    parts += [f"% {escaped(line)}" for line in (*notes(run.summary), *unlike(run, baselines))]
    for score in run.summary["scores"]:
        scored = [model for model in models if score in model.summary["scores"]]
        label = f"tab:{run.summary['target']}-{score}".lower()
        parts += [_headline(run, scored, score, label), _time_scales(run, scored, score, f"{label}-scales")]
    return "\n".join(parts)


def _headline(run: ScoredRun, models: Sequence[ScoredRun], score: str, label: str) -> str:
    decimals = max(error_decimals(run) - 1, 0)  # three significant digits: a page is narrow
    rows = []
    for model in models:
        block = model.summary["scores"][score]
        r2, rmse, pooled = block["per_site"]["r2"], block["per_site"]["rmse"], block["pooled"]
        cells = (_quartiles(r2, 2), _quartiles(rmse, decimals), number(pooled["r2"]), number(pooled["rmse"], decimals))
        counts = [count(block[name]) for name in ("sites", "clusters", "days")]
        rows.append([escaped(model_name(model.summary)), *cells, *counts])
    header = [
        "model",
        "$R^2$ [quartiles]",
        "RMSE [quartiles]",
        "pooled $R^2$",
        "pooled RMSE",
        "sites",
        "clusters",
        "days",
    ]
    caption = (
        f"{_asked(run, score)}: median and quartiles over sites, and scores of all days pooled. "
        f"$R^2 = 1 - \\mathrm{{SSE}}/\\mathrm{{SST}}$; RMSE in {unit(run.summary['units'])}."
    )
    return table(header, rows, caption, label)


def _time_scales(run: ScoredRun, models: Sequence[ScoredRun], score: str, label: str) -> str:
    rows: list[list[str]] = []
    for title, read in (("R2 of the median site", _median_r2), ("R2 pooled over sites", _pooled_r2)):
        rows.append([rf"\emph{{{title}}}".replace("R2", "$R^2$"), *[""] * len(SHORT)])
        for model in models:
            scales = model.summary["scores"][score]["time_scales"]
            rows.append([escaped(model_name(model.summary)), *(number(read(scales[name])) for name in SHORT)])
        rows.append([])
    own = run.summary["scores"][score]["time_scales"]
    counts = ("sites", "clusters", "values", "days")
    rows += [[counted, *(count(own[name][counted]) for name in SHORT)] for counted in counts]
    caption = (
        f"{_asked(run, score)}, by time scale. Anomalies and inter-annual changes are deviations of each record from "
        f"its own; numbers of sites, clusters, values and days are those of {escaped(run.model)}."
    )
    return table(["model", *SHORT.values()], rows, caption, label)


def _median_r2(scale: Mapping[str, Any]) -> float | None:
    median: float | None = scale["per_site"]["r2"]["median"]
    return median


def _pooled_r2(scale: Mapping[str, Any]) -> float | None:
    pooled: float | None = scale["pooled"]["r2"]
    return pooled


def _asked(run: ScoredRun, score: str) -> str:
    return escaped(f"Daily {target_name(run.summary)} {where(run.summary)}, {LABELS[score]}")


def _quartiles(spread: Mapping[str, Any], decimals: int) -> str:
    if spread["median"] is None:
        return number(None)
    return f"${spread['median']:.{decimals}f}$ $[{spread['q25']:.{decimals}f}, {spread['q75']:.{decimals}f}]$"


def _summary(model: ScoredRun) -> pl.DataFrame:
    identity = {name: value for name, value in model.summary.items() if not isinstance(value, dict)}
    rows: list[dict[str, Any]] = []
    for odd_sites, block in (("in", model.summary), ("out", model.summary["without_odd_sites"])):
        if block:
            rows += [
                {**identity, "odd_sites": odd_sites, "score": score, **dict(_flat(numbers))}
                for score, numbers in block["scores"].items()
            ]
    return pl.DataFrame(rows, infer_schema_length=None)


def _flat(block: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Numbers by their path; groups and lists stay in ``metrics.json``, for their names differ from run to run."""
    for name, value in block.items():
        if isinstance(value, dict) and name != "by":
            yield from _flat(value, f"{path}{name}.")
        elif not isinstance(value, dict | list):
            yield f"{path}{name}", value


def _write_csv(content: pl.DataFrame, path: Path) -> None:
    with replacing(path) as partial:
        content.write_csv(partial)
