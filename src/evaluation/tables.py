"""From predictions to per-site scores and the summary of ``metrics.json``.

A score counts the days that its rule admits (see :data:`raciflux.evaluation.wording.MEANINGS`) and the sites with at
least ``min_scored_days`` of them, whatever a model predicts there. Undefined numbers are null.
"""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import xarray as xr
from numpy.typing import NDArray

from . import metrics
from .metrics import FloatArray, Sums
from .wording import SCORES

METRICS: dict[str, Callable[[Sums], FloatArray]] = {
    "r2": metrics.r2,
    "rmse": metrics.rmse,
    "mae": metrics.mae,
    "bias": metrics.bias,
    "nrmse_std": metrics.nrmse_std,
    "kge": metrics.kge,
    "r": metrics.pearson_r,
}
CLASS_COLUMNS = ("igbp", "koppen", "wetland")


def score_names(predictions: xr.Dataset) -> tuple[str, ...]:
    """Scores that the data admit, the primary one first."""
    return SCORES[predictions.attrs["quality"]]


def scored_days(predictions: xr.Dataset, score: str) -> NDArray[np.bool_]:
    """Days (site, time) that a score counts: admitted by its rule, and observed."""
    flag = "convention" if score == "convention" else "measured"
    return np.asarray(predictions[flag].to_numpy().astype(bool) & np.isfinite(predictions["observed"].to_numpy()))


def per_site(predictions: xr.Dataset) -> pl.DataFrame:
    """Score each site.

    Returns
    -------
    One row for each score and site: ``score, site_id, lat, lon, cluster, fold``, classes where known, scored ``days``,
    ``days_without_prediction``, ``enters`` (has ``min_scored_days``), the metrics in the target's unit,
    ``mean_observed``, and ``ceiling_r2`` where the truth without noise is known.
    """
    return pl.concat([_per_site_of(predictions, score) for score in score_names(predictions)])


def summary(predictions: xr.Dataset) -> dict[str, Any]:
    """Summarise a run as ``metrics.json`` holds it: identity, ``scores``, ``without_odd_sites`` (null without any)."""
    attrs = predictions.attrs
    site_id = predictions["site_id"].to_numpy().astype(str)
    odd = np.isin(site_id, json.loads(attrs["odd_sites"]))
    identity = {name: attrs[name] for name in ("experiment", "pair", "model", "target", "units", "quality")}
    return {
        **identity,
        "min_scored_days": int(attrs["min_scored_days"]),
        "scores": _scores(predictions),
        "without_odd_sites": {"sites": sorted(site_id[odd].tolist()), "scores": _scores(predictions.isel(site=~odd))}
        if odd.any()
        else None,
    }


def _scores(predictions: xr.Dataset) -> dict[str, Any]:
    return {score: _score(predictions, score) for score in score_names(predictions)}


def _score(predictions: xr.Dataset, score: str) -> dict[str, Any]:
    sites = _per_site_of(predictions, score)
    enters = sites["enters"].to_numpy()
    entering = sites.filter("enters")
    pooled = _sums(predictions, score)[enters].pooled()
    return {
        "sites": entering.height,
        "clusters": entering["cluster"].n_unique(),
        "days": int(entering["days"].sum()),
        "sites_below_min_days": sites.height - entering.height,
        "sites_without_r2": entering["r2"].null_count(),
        "days_without_prediction": int(entering["days_without_prediction"].sum()),
        "per_site": {name: _spread(entering[name]) for name in METRICS},
        "pooled": {name: _number(metric(pooled)) for name, metric in METRICS.items()},
        "noise_ceiling": _ceiling(predictions, score, enters),
    }


def _ceiling(predictions: xr.Dataset, score: str, enters: NDArray[np.bool_]) -> dict[str, Any] | None:
    """Scores of the truth without noise against the observations: the best that any model can reach."""
    if "expected" not in predictions:
        return None
    sums = _sums(predictions, score, predicted="expected")[enters]
    return {
        "per_site": {name: _spread(_column(METRICS[name](sums))) for name in ("r2", "rmse")},
        "pooled": {name: _number(METRICS[name](sums.pooled())) for name in ("r2", "rmse")},
    }


def _per_site_of(predictions: xr.Dataset, score: str) -> pl.DataFrame:
    sums = _sums(predictions, score)
    days = scored_days(predictions, score).sum(-1)
    text = {
        name: predictions[name].to_numpy().astype(str) for name in ("site_id", *CLASS_COLUMNS) if name in predictions
    }
    columns: dict[str, Any] = {
        "site_id": text.pop("site_id"),
        "lat": predictions["lat"].to_numpy(),
        "lon": predictions["lon"].to_numpy(),
        "cluster": predictions["cluster"].to_numpy(),
        "fold": predictions["fold"].to_numpy(),
        **text,
        "days": days,
        "days_without_prediction": days - sums.n,
        "enters": days >= int(predictions.attrs["min_scored_days"]),
        **{name: _column(metric(sums)) for name, metric in METRICS.items()},
        "mean_observed": _column(np.where(sums.n > 0, sums.mean_o, np.nan)),
    }
    if "expected" in predictions:
        columns["ceiling_r2"] = _column(metrics.r2(_sums(predictions, score, predicted="expected")))
    return pl.DataFrame(columns).select(pl.lit(score).alias("score"), pl.all())


def _sums(predictions: xr.Dataset, score: str, predicted: str = "prediction") -> Sums:
    values = predictions[predicted].to_numpy()
    # A day without prediction cannot be scored: it is counted beside every score. Infinite ones are refused on reading.
    counted = scored_days(predictions, score) & np.isfinite(values)
    return Sums.of(predictions["observed"].to_numpy(), values, counted)


def _column(values: FloatArray) -> pl.Series:
    return pl.Series(values, dtype=pl.Float64).fill_nan(None)


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _spread(values: pl.Series) -> dict[str, Any]:
    """Distribution over sites; quantiles interpolate linearly."""
    quantiles = {"median": 0.5, "q25": 0.25, "q75": 0.75, "p90": 0.9}
    return {
        "sites": len(values) - values.null_count(),
        "mean": _number(values.mean()),
        **{name: _number(values.quantile(q, "linear")) for name, q in quantiles.items()},
    }
