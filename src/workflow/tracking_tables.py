"""The report's tables as numbers, a dictionary a row: W&B sorts numbers, the report's texts it could not."""

from collections.abc import Sequence
from typing import Any

from ..evaluation.scored import ScoredRun

COUNTS = ("sites", "clusters", "days")
Row = dict[str, str | float | None]


def headline_rows(models: Sequence[ScoredRun]) -> list[Row]:
    """Rows of the headline table, a score and model each, the run first; then its noise ceiling where it is known."""
    rows = []
    for score, own in models[0].summary["scores"].items():
        blocks = [(model.label, model.summary["scores"].get(score)) for model in models]
        rows += [_headline(score, name, block, block) for name, block in blocks if block]
        if own["noise_ceiling"]:
            rows.append(_headline(score, "noise ceiling", own["noise_ceiling"], own))
    return rows


def scale_rows(models: Sequence[ScoredRun]) -> list[Row]:
    """Rows of the time-scale tables: a score, model and scale each."""
    return [
        {
            "score": score,
            "model": model.label,
            "scale": scale,
            "median_r2": numbers["per_site"]["r2"]["median"],
            "median_rmse": numbers["per_site"]["rmse"]["median"],
            "pooled_r2": numbers["pooled"]["r2"],
            "pooled_rmse": numbers["pooled"]["rmse"],
            **{name: numbers[name] for name in (*COUNTS, "values")},
        }
        for model in models
        for score, block in model.summary["scores"].items()
        for scale, numbers in block["time_scales"].items()
    ]


def group_rows(models: Sequence[ScoredRun]) -> list[Row]:
    """Rows of the tables by class and region: a score, model and label each."""
    return [
        {"score": score, "model": model.label, "by": by, "label": label, **numbers}
        for model in models
        for score, block in model.summary["scores"].items()
        for by, labels in block["by"].items()
        for label, numbers in labels.items()
    ]


def _headline(score: str, model: str, block: dict[str, Any], counts: dict[str, Any]) -> Row:
    r2, rmse, pooled = block["per_site"]["r2"], block["per_site"]["rmse"], block["pooled"]
    return {
        "score": score,
        "model": model,
        "median_r2": r2["median"],
        "q25_r2": r2["q25"],
        "q75_r2": r2["q75"],
        "median_rmse": rmse["median"],
        "p90_rmse": rmse["p90"],
        "pooled_r2": pooled["r2"],
        "pooled_rmse": pooled["rmse"],
        "bias": pooled.get("bias"),
        **{name: counts[name] for name in COUNTS},
    }
