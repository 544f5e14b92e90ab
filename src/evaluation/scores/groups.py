"""Scores by class of ecosystem and by region of the world."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...variables import CLASSES
from ..metrics import FloatArray, Sums, r2, rmse
from .spread import number

UNKNOWN = "unknown"
BANDS: tuple[tuple[float, str, str], ...] = (
    (23.5, "northern tropical", "southern tropical"),
    (50.0, "northern temperate", "southern temperate"),
    (66.5, "boreal", "subantarctic"),
    (90.0, "arctic", "antarctic"),
)
"""Latitude up to which a band reaches, and its name in each hemisphere; tropics and polar circles, and 50 degrees."""


def region(lat: FloatArray) -> NDArray[np.str_]:
    """Name the latitude band of each site (site,); ``lat`` in degrees north, the equator counts as north."""
    limits = [limit for limit, _, _ in BANDS[:-1]]
    band = np.searchsorted(limits, np.abs(lat), side="right")
    names = np.array([(north, south) for _, north, south in BANDS])
    named = names[band, (lat < 0).astype(np.int64)]
    return np.where(np.isfinite(lat), named, UNKNOWN)


def members(table: pl.DataFrame, kept: NDArray[np.bool_]) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """For each class that ``table`` knows and for ``region``, the ``kept`` (site,) sites of each label (site,)."""
    grouped = {}
    for name in (*(name for name in CLASSES if name in table.columns), "region"):
        labels = table[name].to_numpy().astype(str)
        grouped[name] = {str(label): kept & (labels == label) for label in np.unique(labels[kept])}
    return grouped


def by_group(table: pl.DataFrame, sums: Sums, kept: NDArray[np.bool_]) -> dict[str, dict[str, Any]]:
    """Score the ``kept`` (site,) sites by each class that ``table`` knows, and by region.

    Parameters
    ----------
    table : per-site table of one score, in the order of the site axis, see :func:`.tables.per_site`.
    sums : (site,)

    Returns
    -------
    For each of ``igbp, koppen, ..., region`` and each label there: ``sites, clusters, days, sites_without_r2``, and
    ``median_r2, median_rmse`` over sites, ``pooled_r2, pooled_rmse`` over days (null where undefined).
    """
    return {
        name: {label: _scores(table, sums, sites) for label, sites in labels.items()}
        for name, labels in members(table, kept).items()
    }


def _scores(table: pl.DataFrame, sums: Sums, sites: NDArray[np.bool_]) -> dict[str, Any]:
    group, pooled = table.filter(sites), sums[sites].pooled()
    return {
        "sites": group.height,
        "clusters": group["cluster"].n_unique(),
        "days": int(group["days"].sum()),
        "sites_without_r2": group["r2"].null_count(),
        "median_r2": _median(group["r2"]),
        "median_rmse": _median(group["rmse"]),
        "pooled_r2": number(r2(pooled)),
        "pooled_rmse": number(rmse(pooled)),
    }


def _median(values: pl.Series) -> float | None:
    known = values.drop_nulls().to_numpy()
    return float(np.median(known)) if known.size else None
