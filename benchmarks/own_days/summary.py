"""From a table of questions to mean per-site errors, and how much lower than a reference's they are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from raciflux.evaluation.comparison.bootstrap import (
    FEWEST_CLUSTERS,
    cluster_draws,
    holm,
    interval,
    p_value,
    weighted_mean,
)

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """One method at one number of days, against a reference on the same sites; shares, -0.1 is 10 % lower."""

    method: str
    days: int
    rmse: float
    change: float
    within: tuple[float, float] | None
    p: float | None
    sites: int
    clusters: int


def lines(table: pl.DataFrame, target: str, reference: str, draws: int) -> list[Line]:
    """Hold every method of a flux against ``reference``, p-values adjusted together (Holm).

    A site's RMSE is over the scored days of all its questions of one number of days; sites weigh alike, and clusters of
    them are resampled. Sites that one of the two methods lacks are left out of their comparison.

    Parameters
    ----------
    table : columns site, cluster, target, method, days_asked, rmse, days.
    """
    of_site = (
        table.filter(pl.col("target") == target)
        .group_by("method", "days_asked", "site", "cluster")
        .agg(rmse=((pl.col("rmse") ** 2 * pl.col("days")).sum() / pl.col("days").sum()).sqrt())
    )
    found = []
    for method in table["method"].unique(maintain_order=True):
        for days in sorted(of_site["days_asked"].unique()):
            at = of_site.filter(pl.col("days_asked") == days)
            both = at.filter(pl.col("method") == method).join(
                at.filter(pl.col("method") == reference), on="site", suffix="_reference"
            )
            if both.height:
                found.append(_line(both.sort("site"), method, days, draws, own=method == reference))
    return _adjusted(found)


def _line(both: pl.DataFrame, method: str, days: int, draws: int, *, own: bool) -> Line:
    mine, theirs = both["rmse"].to_numpy(), both["rmse_reference"].to_numpy()
    cluster = both["cluster"].to_numpy()
    clusters = len(np.unique(cluster))
    change = mine.mean() / theirs.mean() - 1
    within, p = None, None
    if not own and clusters >= FEWEST_CLUSTERS:
        counts = cluster_draws(cluster, draws)
        drawn = weighted_mean(mine, counts) / weighted_mean(theirs, counts) - 1
        within, p = interval(drawn), p_value(drawn)
    return Line(method, days, float(mine.mean()), float(change), within, p, both.height, clusters)


def _adjusted(found: Sequence[Line]) -> list[Line]:
    tested = [line.p for line in found if line.p is not None]
    adjusted = iter(holm(tested))
    return [line if line.p is None else Line(**{**line.__dict__, "p": next(adjusted)}) for line in found]
