"""The report's sections on where the error is: time scales, parts of the error, classes and regions."""

from collections.abc import Sequence
from typing import Any

from ...variables import CLASSES
from ..headline import COUNTS, NONE, error_decimals, show
from ..scored import ScoredRun
from ..scores.error_parts import PARTS
from ..scores.time_scales import SCALES
from .charts import Bar, BarChart
from .tables import SITE_COLUMNS, Column, Line, Table

PART_NAMES = {"site_level": "site level", "season": "season", "anomaly": "anomaly"}
GROUPS = {**CLASSES, "region": "latitude band"}
SCALE_NOTE = (
    "R² of a scale is that of the median site, of the site mean that across sites; floors: 4 days a week, 15 a month,"
    " 183 a year; yearly and inter-annual numbers of a site need 3 years"
)


def scale_tables(run: ScoredRun, baselines: Sequence[ScoredRun]) -> list[tuple[str, Table]]:
    """Return the run at every time scale, and the R2 of every model there."""
    own, decimals = run.summary["scores"][run.primary]["time_scales"], error_decimals(run)
    headings = ("time scale", "median R²", "pooled R²", "median RMSE", "pooled RMSE", *COUNTS, "values")
    lines = []
    for scale in SCALES:
        block = own[scale]
        r2, rmse = block["per_site"]["r2"]["median"], block["per_site"]["rmse"]["median"]
        pooled = show(block["pooled"]["r2"]), show(block["pooled"]["rmse"], decimals)
        counts = [f"{block[name]:,}" for name in (*COUNTS, "values")]
        lines.append(Line((_words(scale), show(r2), pooled[0], show(rmse, decimals), pooled[1], *counts)))
    tables = [(run.label, Table(_columns(headings), lines))]
    if baselines:
        models = [
            Line((model.label, *(_scale_r2(model, run.primary, scale) for scale in SCALES)), "main" * (model is run))
            for model in (run, *baselines)
        ]
        tables.append(("R² of every model", Table(_columns(("model", *map(_words, SCALES))), models)))
    return tables


def part_chart(run: ScoredRun, baselines: Sequence[ScoredRun]) -> BarChart | None:
    """Return the parts of every model's mean square error, and of the observed variance; None without sites."""
    bars = []
    for model in (run, *baselines):
        block = model.summary["scores"].get(run.primary)
        if block and block["error_parts"]["mse"]["total"] is not None:
            bars.append(_bar(model.label, block["error_parts"]["mse"], main=model is run))
    if not bars:
        return None
    observed = run.summary["scores"][run.primary]["error_parts"]["observed_variance"]
    return BarChart([PART_NAMES[part] for part in PARTS], [*bars, _bar("observed flux", observed, main=False)])


def group_tables(run: ScoredRun) -> list[tuple[str, Table]]:
    """Return the primary score by every class that tells sites apart, and by latitude."""
    decimals = error_decimals(run)
    headings = ("median R²", "median RMSE", "pooled R²", "pooled RMSE", *COUNTS)
    tables = []
    for name, labels in run.summary["scores"][run.primary]["by"].items():
        if len(labels) < 2:
            continue
        lines = [
            Line((label, *_group(block, decimals)))
            for label, block in sorted(labels.items(), key=lambda item: -item[1]["sites"])
        ]
        tables.append((GROUPS[name], Table(_columns((SITE_COLUMNS[name], *headings)), lines)))
    return tables


def _group(block: dict[str, Any], decimals: int) -> tuple[str, ...]:
    scores = (
        show(block["median_r2"]),
        show(block["median_rmse"], decimals),
        show(block["pooled_r2"]),
        show(block["pooled_rmse"], decimals),
    )
    return (*scores, *(f"{block[name]:,}" for name in COUNTS))


def _scale_r2(model: ScoredRun, score: str, scale: str) -> str:
    block = model.summary["scores"].get(score)
    if block is None:
        return NONE
    found = block["time_scales"][scale]
    return show(found["pooled"]["r2"] if scale == "site_mean" else found["per_site"]["r2"]["median"])


def _bar(name: str, parts: dict[str, float], *, main: bool) -> Bar:
    return Bar(name, [parts[part] for part in PARTS], f"{parts['total']:.3g}", main)


def _columns(names: Sequence[str]) -> list[Column]:
    return [Column(name, is_text=place == 0) for place, name in enumerate(names)]


def _words(scale: str) -> str:
    return scale.replace("inter_annual", "inter-annual").replace("_", " ")
