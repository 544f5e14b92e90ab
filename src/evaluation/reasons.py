"""The rows on trust and on context, for console, figures, report and tracking alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from .headline import NONE, error_decimals, show
from .scored import ScoredRun
from .scores.trust import DROPPED, FARTHEST

DISTANCES = {"slow": "slow role", "fast": "fast role", FARTHEST: "the larger of both"}


@dataclass(frozen=True)
class TrustRow:
    """What the distance from the bank in one role tells of the error; numbers by short names, texts by heading."""

    name: str
    numbers: dict[str, float | None]
    cells: dict[str, str]


@dataclass(frozen=True)
class LevelRow:
    """How far one level of context moved the answers; numbers by short names, texts by heading."""

    level: str
    numbers: dict[str, Any]
    cells: dict[str, str]


def trust_rows(run: ScoredRun, score: str) -> list[TrustRow]:
    """One row a role, and one for the farther of both; none for a model without a bank."""
    block = run.summary["scores"][score]["trust"]
    return [_trust_row(block, role, name) for role, name in DISTANCES.items()] if block else []


def level_rows(run: ScoredRun) -> list[LevelRow]:
    """Say how far each level moved the answer, the farthest first, over sites that each count once.

    Numbers: ``sites``; over sites, of the mean absolute change of the predicted flux ``median_size, q25_size,
    q75_size``, of the mean signed one ``median_shift``; ``largest``, the share of sites that it moved more than any
    other level did.
    """
    moved = run.folder.context()
    if moved is None:
        return []
    of_site = site_shifts(moved)
    most = of_site.sort("size", descending=True, maintain_order=True).unique("site_id", keep="first")
    largest = dict(most["level"].value_counts().iter_rows())
    size, shift = pl.col("size"), pl.col("shift")
    table = of_site.group_by("level", maintain_order=True).agg(
        pl.len().alias("sites"),
        size.median().alias("median_size"),
        size.quantile(0.25, "linear").alias("q25_size"),
        size.quantile(0.75, "linear").alias("q75_size"),
        shift.median().alias("median_shift"),
    )
    ranked = table.sort("median_size", descending=True, maintain_order=True)
    return [_level_row(row, largest.get(row["level"], 0), error_decimals(run)) for row in ranked.iter_rows(named=True)]


def site_shifts(moved: pl.DataFrame) -> pl.DataFrame:
    """Mean ``shift`` and ``size`` of each site and level over all its days."""
    weight = pl.col("days") / pl.col("days").sum()
    over_days = [(pl.col(name).cast(pl.Float64) * weight).sum() for name in ("shift", "size")]
    return moved.group_by("site_id", "level", maintain_order=True).agg(*over_days)


def _trust_row(block: Mapping[str, Any], role: str, name: str) -> TrustRow:
    numbers: dict[str, float | None] = {}
    for statistic in ("rank_correlation", "gain"):
        found = block[statistic][role]
        bounds = found["interval"] or {"low": None, "high": None}
        numbers |= {statistic: found["value"], f"{statistic}_low": bounds["low"], f"{statistic}_high": bounds["high"]}
    counts = {counted: block[counted] for counted in ("sites", "clusters")}
    cells = {
        "rank correlation": show(numbers["rank_correlation"]),
        "95 % interval": _span(numbers["rank_correlation_low"], numbers["rank_correlation_high"]),
        f"gain of dropping {100 * DROPPED:.0f} %": show(numbers["gain"]),
        "95 % interval of it": _span(numbers["gain_low"], numbers["gain_high"]),
        **{name: f"{count:,}" for name, count in counts.items()},
    }
    return TrustRow(name, numbers | counts, cells)


def _level_row(row: Mapping[str, Any], largest: int, decimals: int) -> LevelRow:
    numbers = {name: row[name] for name in ("median_size", "q25_size", "q75_size", "median_shift")}
    numbers |= {"largest": largest / row["sites"], "sites": row["sites"]}
    cells = {
        "median change": show(row["median_size"], decimals),
        "middle half of sites": _span(row["q25_size"], row["q75_size"], decimals),
        "median shift": show(row["median_shift"], decimals),
        "moved most at": f"{100 * numbers['largest']:.0f} %",
        "sites": f"{row['sites']:,}",
    }
    return LevelRow(row["level"], numbers, cells)


def _span(low: float | None, high: float | None, decimals: int = 3) -> str:
    return NONE if low is None else f"{show(low, decimals)} to {show(high, decimals)}"
