"""The report's tables as numbers, a dictionary a row: W&B sorts numbers, the report's texts it could not."""

from collections.abc import Sequence

import polars as pl

from ..evaluation.headline import COUNTS, rows
from ..evaluation.reasons import level_rows, trust_rows
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


def trust_table(models: Sequence[ScoredRun]) -> list[Row]:
    """Rows on what distance from the bank tells of the error: a score, model and role each, of models with a bank."""
    return [
        {"score": score, "model": model.label, "distance": row.name, **row.numbers}
        for model in models
        for score in model.summary["scores"]
        for row in trust_rows(model, score)
    ]


def context_table(models: Sequence[ScoredRun]) -> list[Row]:
    """Rows on what moved the answers: a model and level each, over sites."""
    return [{"model": model.label, "level": row.level, **row.numbers} for model in models for row in level_rows(model)]


def neighbour_table(run: ScoredRun) -> list[Row]:
    """Rows of who was shown to each test site of the run, the heaviest first."""
    shown = run.folder.neighbours()
    if shown is None:
        return []
    order = ("site_id", "role", "weight")
    ranked = shown.sort(order, descending=[False, False, True], maintain_order=True)
    return ranked.with_columns(pl.col("weight", "distance_km").round(4)).to_dicts()
