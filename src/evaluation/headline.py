"""The rows of the headline table, for console, report and tracking alike."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .scored import ScoredRun

NONE = "–"


BRIEF = 7  # of the cells, for a console
COUNTS = ("sites", "clusters", "days")


@dataclass(frozen=True)
class Row:
    """One model under one score.

    Attributes
    ----------
    numbers : by short names, for those who sort them.
    cells : the same as texts ready to show, by heading, the most important first.
    main, ceiling : whether the row is of the run itself, or of the noise ceiling.
    """

    model: str
    numbers: dict[str, float | None]
    cells: dict[str, str]
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


def _row(name: str, block: dict[str, Any], counts: dict[str, Any], decimals: int, **marks: bool) -> Row:
    r2, rmse, pooled = block["per_site"]["r2"], block["per_site"]["rmse"], block["pooled"]
    numbers = {
        "median_r2": r2["median"],
        "q25_r2": r2["q25"],
        "q75_r2": r2["q75"],
        "median_rmse": rmse["median"],
        "p90_rmse": rmse["p90"],
        "pooled_r2": pooled["r2"],
        "pooled_rmse": pooled["rmse"],
        "bias": pooled.get("bias"),
        **{counted: counts[counted] for counted in COUNTS},
    }
    cells = {
        "median R²": show(numbers["median_r2"]),
        "median RMSE": show(numbers["median_rmse"], decimals),
        "pooled R²": show(numbers["pooled_r2"]),
        "pooled RMSE": show(numbers["pooled_rmse"], decimals),
        **{counted: f"{counts[counted]:,}" for counted in COUNTS},
        "R², middle half of sites": NONE if r2["q25"] is None else f"{show(r2['q25'])} to {show(r2['q75'])}",
        "RMSE, 90th percentile": show(numbers["p90_rmse"], decimals),
        "pooled bias": show(numbers["bias"], decimals),
    }
    return Row(name, numbers, cells, **marks)


def error_decimals(run: ScoredRun) -> int:
    """Return how many decimals the run's errors are shown with: four significant digits of its pooled RMSE."""
    rmse = run.summary["scores"][run.primary]["pooled"]["rmse"]
    return 3 if not rmse else max(0, min(9, 3 - math.floor(math.log10(rmse))))


def show(value: float | None, decimals: int = 3) -> str:
    """Write a number with a true minus sign, an undefined one as a dash."""
    return NONE if value is None else f"{value:.{decimals}f}".replace("-", "−")
