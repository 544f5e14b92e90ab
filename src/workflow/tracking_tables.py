"""The report's tables as numbers, a dictionary a row: W&B sorts numbers, the report's texts it could not."""

from collections.abc import Sequence

from ..evaluation.headline import COUNTS, rows
from ..evaluation.scored import ScoredRun

Row = dict[str, str | float | None]


def headline_rows(models: Sequence[ScoredRun]) -> list[Row]:
    """Rows of the headline table, a score and model each, the run first; then its noise ceiling where it is known."""
    run, *baselines = models
    return [
        {"score": score, "model": row.model, **row.numbers}
        for score in run.summary["scores"]
        for row in rows(run, baselines, score)
    ]


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
