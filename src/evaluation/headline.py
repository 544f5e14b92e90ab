"""The rows of the headline table, for the console and the report alike."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .scored import ScoredRun

NONE = "–"


@dataclass(frozen=True)
class Row:
    """One model under one score; texts ready to show."""

    model: str
    median_r2: str
    quartiles_r2: str
    median_rmse: str
    p90_rmse: str
    pooled_r2: str
    pooled_rmse: str
    bias: str
    sites: int
    clusters: int
    days: int
    main: bool = False
    ceiling: bool = False


def rows(run: ScoredRun, baselines: Sequence[ScoredRun], score: str, *, odd_sites: bool = True) -> list[Row]:
    """Rows of one score: the run, its baselines, and the noise ceiling where the truth is known.

    Parameters
    ----------
    odd_sites : False takes the second line, the one without the odd sites.
    """
    listed, decimals = [], error_decimals(run)
    for model in (run, *baselines):
        block = _scores(model, odd_sites).get(score)
        if block:
            listed.append(_row(model.label, block, block, decimals, main=model is run))
    own = _scores(run, odd_sites)[score]
    if own["noise_ceiling"]:
        listed.append(_row("noise ceiling", own["noise_ceiling"], own, decimals, ceiling=True))
    return listed


def unlike(run: ScoredRun, baselines: Sequence[ScoredRun]) -> list[str]:
    """Models that were not scored on the run's own sites and days, said in a line each."""
    lines = []
    for score, own in run.summary["scores"].items():
        for model in baselines:
            block = model.summary["scores"].get(score)
            asked = ("sites", "days", "days_without_prediction")
            if block is None or any(block[name] != own[name] for name in asked):
                lines.append(
                    f"{model.model} was not scored on the same sites and days as {run.model} ({score}): do not compare"
                )
    return lines


def _scores(model: ScoredRun, odd_sites: bool) -> dict[str, Any]:
    block = model.summary if odd_sites else model.summary["without_odd_sites"]
    return dict(block["scores"]) if block else {}


def _row(name: str, numbers: dict[str, Any], counts: dict[str, Any], decimals: int, **marks: bool) -> Row:
    r2, rmse, pooled = numbers["per_site"]["r2"], numbers["per_site"]["rmse"], numbers["pooled"]
    return Row(
        model=name,
        median_r2=show(r2["median"]),
        quartiles_r2=NONE if r2["q25"] is None else f"{show(r2['q25'])} to {show(r2['q75'])}",
        median_rmse=show(rmse["median"], decimals),
        p90_rmse=show(rmse["p90"], decimals),
        pooled_r2=show(pooled["r2"]),
        pooled_rmse=show(pooled["rmse"], decimals),
        bias=show(pooled.get("bias"), decimals),
        sites=counts["sites"],
        clusters=counts["clusters"],
        days=counts["days"],
        **marks,
    )


def error_decimals(run: ScoredRun) -> int:
    """Return how many decimals the run's errors are shown with: four significant digits of its pooled RMSE."""
    rmse = run.summary["scores"][run.primary]["pooled"]["rmse"]
    return 3 if not rmse else max(0, min(9, 3 - math.floor(math.log10(rmse))))


def show(value: float | None, decimals: int = 3) -> str:
    """Write a number with a true minus sign, an undefined one as a dash."""
    return NONE if value is None else f"{value:.{decimals}f}".replace("-", "−")
