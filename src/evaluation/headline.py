"""The rows of the headline table, for the console and the report alike."""

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
    listed = []
    for model in (run, *baselines):
        block = _scores(model, odd_sites).get(score)
        if block:
            listed.append(_row(model.model, block, block, main=model is run))
    own = _scores(run, odd_sites)[score]
    if own["noise_ceiling"]:
        listed.append(_row("noise ceiling", own["noise_ceiling"], own, ceiling=True))
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


def _row(name: str, numbers: dict[str, Any], counts: dict[str, Any], **marks: bool) -> Row:
    r2, rmse, pooled = numbers["per_site"]["r2"], numbers["per_site"]["rmse"], numbers["pooled"]
    return Row(
        model=name,
        median_r2=show(r2["median"]),
        quartiles_r2=NONE if r2["q25"] is None else f"{show(r2['q25'])} to {show(r2['q75'])}",
        median_rmse=show(rmse["median"], 3),
        p90_rmse=show(rmse["p90"], 3),
        pooled_r2=show(pooled["r2"]),
        pooled_rmse=show(pooled["rmse"], 3),
        bias=show(pooled.get("bias"), 3),
        sites=counts["sites"],
        clusters=counts["clusters"],
        days=counts["days"],
        **marks,
    )


def show(value: float | None, significant: int = 0) -> str:
    """Write a number with three decimals, or very large and small ones with ``significant`` digits; a dash for none."""
    if value is None:
        return NONE
    if not significant:
        return f"{value:.3f}".replace("-", "−")
    text = f"{value:.{significant}g}" if abs(value) >= 100 or (0 < abs(value) < 0.001) else f"{value:.3f}"
    return text.replace("-", "−")
