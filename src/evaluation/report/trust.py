"""The report's section on how far to trust a prediction: does distance from the bank tell where the model errs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..headline import show
from ..reasons import trust_rows
from ..scored import ScoredRun
from ..scores.trust import DROPPED
from .tables import Column, Line, Table

READING = (
    "distance: dissimilarity index, the distance in a role's descriptors to the nearest training site that may be "
    "seen, over the mean distance between training sites (Meyer and Pebesma 2021)",
    "rank correlation: partial Spearman correlation over sites of distance with RMSE over the standard deviation of "
    "the predictions, given the mean prediction; above 0, far sites err more than near ones",
    f"gain: how much lower the mean nRMSE (RMSE over observed standard deviation) is when the {100 * DROPPED:.0f} % of "
    "sites farthest from the bank are dropped than when as many are dropped at random",
    "intervals: 95 % of 10,000 resamples of the clusters of sites",
)


@dataclass(frozen=True)
class TrustSection:
    """What the section shows."""

    table: Table
    fact: str
    notes: tuple[str, ...] = READING


def trust_section(run: ScoredRun) -> TrustSection | None:
    """Return the section under the primary score; None for a model without a bank."""
    rows = trust_rows(run, run.primary)
    if not rows:
        return None
    lines = [Line((row.name, *row.cells.values())) for row in rows]
    table = Table([Column("distance", is_text=True), *map(Column, rows[0].cells)], lines)
    return TrustSection(table, _sides(run.summary["scores"][run.primary]["trust"]))


def _sides(block: Mapping[str, Any]) -> str:
    """Say how many sites lie inside the area of applicability, and how large the error is on either side."""
    said = [
        f"{block[side]['sites']:,} sites {side}, mean nRMSE {show(block[side]['mean_nrmse'], 2)}"
        for side in ("inside", "outside")
    ]
    return f"Area of applicability: {'; '.join(said)}."
