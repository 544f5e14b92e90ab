"""From predictions to per-site scores and the summary of ``metrics.json``.

A score counts the days that its rule admits (see :data:`raciflux.evaluation.wording.MEANINGS`) and the sites with at
least ``min_scored_days`` of them, whatever a model predicts there. Undefined numbers are null.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import xarray as xr
from numpy.typing import NDArray

from ...variables import CLASSES
from .. import metrics
from ..metrics import FloatArray, Sums
from ..wording import SCORES, question
from .error_parts import ErrorParts
from .groups import by_group, members, region
from .intervals import Intervals
from .quantile_scores import QuantileScores
from .spread import number, spread
from .time_scales import Scale, summarise, time_scales
from .trust import FARTHEST, Trust

METRICS: dict[str, Callable[[Sums], FloatArray]] = {
    "r2": metrics.r2,
    "rmse": metrics.rmse,
    "mae": metrics.mae,
    "bias": metrics.bias,
    "nrmse_std": metrics.nrmse_std,
    "nrmse_mean": metrics.nrmse_mean,
    "kge": metrics.kge,
    "r": metrics.pearson_r,
}


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
    One row for each score and site: ``score, site_id, lat, lon, cluster, fold``, classes where known, ``region``,
    scored ``days``, ``days_without_prediction``, ``enters`` (has ``min_scored_days``), the metrics in the target's
    unit, ``mean_observed``; ``coverage, width`` and ``crps`` of a model that gives intervals and quantiles;
    ``ceiling_r2`` where the truth without noise is known; of a model with a bank ``dissimilarity`` (the larger of the
    roles') and whether the site is ``inside`` its area of applicability.
    """
    return score(predictions)[0]


def summary(predictions: xr.Dataset) -> dict[str, Any]:
    """Summarise a run as ``metrics.json`` holds it: identity, ``scores``, ``without_odd_sites`` (null without any).

    Each of ``scores`` holds counts, and what ``spread``, ``metrics``, ``time_scales``, ``error_parts``, ``groups``,
    ``intervals``, ``quantile_scores`` and ``trust`` say of the sites that enter it.
    """
    return score(predictions)[1]


def score(predictions: xr.Dataset) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Return what ``per_site`` and ``summary`` return, from one pass over the days."""
    attrs = predictions.attrs
    site_id = predictions["site_id"].to_numpy().astype(str)
    odd = np.isin(site_id, json.loads(attrs["odd_sites"]))
    tables, scores, without_odd = [], {}, {}
    for name in score_names(predictions):
        statistics = _Statistics.of(predictions, name)
        table = _table(predictions, name, statistics)
        tables.append(table)
        scores[name] = _score(table, statistics, np.ones_like(odd))
        if odd.any():
            without_odd[name] = _score(table, statistics, ~odd)
    return pl.concat(tables), {
        **{name: attrs[name] for name in ("experiment", "pair", "model", "target", "units", "quality")},
        "question": question(attrs),
        "causal": bool(attrs["causal"]) if "causal" in attrs else None,
        "seed": int(attrs["seed"]) if "seed" in attrs else None,
        "min_scored_days": int(attrs["min_scored_days"]),
        "scores": scores,
        "without_odd_sites": {"sites": sorted(site_id[odd].tolist()), "scores": without_odd} if odd.any() else None,
    }


@dataclass(frozen=True)
class _Statistics:
    """What one score needs of each site."""

    days: NDArray[np.int64]  # (site,) scored days, predicted or not
    model: Sums  # (site,)
    truth: Sums | None  # (site,) of the truth without noise, where it is known: the noise ceiling
    scales: Mapping[str, Scale]
    parts: ErrorParts
    intervals: Intervals | None
    quantiles: QuantileScores | None
    trust: Trust | None

    @classmethod
    def of(cls, predictions: xr.Dataset, score: str) -> "_Statistics":
        scored, observed = scored_days(predictions, score), predictions["observed"].to_numpy()
        predicted, dates = predictions["prediction"].to_numpy(), predictions["time"].to_numpy()
        # A day without prediction cannot be scored: it is counted beside every score. Infinite ones are refused on
        # reading.
        counted = scored & np.isfinite(predicted)
        truth = None
        if "expected" in predictions:
            expected = predictions["expected"].to_numpy()
            truth = Sums.of(observed, expected, scored & np.isfinite(expected))
        scales = time_scales(observed, predicted, counted, dates)
        return cls(
            days=scored.sum(-1),
            model=scales["daily"].sums,
            truth=truth,
            scales=scales,
            parts=ErrorParts.of(observed, predicted, counted, dates),
            intervals=Intervals.of(predictions, scored),
            quantiles=QuantileScores.of(predictions, scored),
            trust=Trust.of(predictions, scales["daily"].sums),
        )


def _score(table: pl.DataFrame, statistics: _Statistics, kept: NDArray[np.bool_]) -> dict[str, Any]:
    """Summarise the kept sites of one score; ``table`` and ``kept`` are in the order of the site axis."""
    enters = table["enters"].to_numpy() & kept
    entering, cluster = table.filter(enters), table["cluster"].to_numpy()
    return {
        "sites": entering.height,
        "clusters": entering["cluster"].n_unique(),
        "days": int(entering["days"].sum()),
        "sites_below_min_days": int((kept & ~enters).sum()),
        "sites_without_r2": entering["r2"].null_count(),
        "days_without_prediction": int(entering["days_without_prediction"].sum()),
        "per_site": {name: spread(entering[name].to_numpy()) for name in METRICS},
        "pooled": _pooled(statistics.model[enters], METRICS),
        "noise_ceiling": _ceiling(statistics.truth[enters]) if statistics.truth else None,
        "time_scales": summarise(statistics.scales, enters, cluster),
        "error_parts": statistics.parts.summarise(enters, cluster),
        "by": by_group(table, statistics.model, enters),
        "intervals": _uncertainty(statistics, table, enters),
        "trust": statistics.trust.summarise(enters, cluster) if statistics.trust else None,
    }


def _uncertainty(statistics: _Statistics, table: pl.DataFrame, enters: NDArray[np.bool_]) -> dict[str, Any] | None:
    """Honesty of intervals (``bounds``) and of ``quantiles``, null where the model gives none."""
    intervals, quantiles, cluster = statistics.intervals, statistics.quantiles, table["cluster"].to_numpy()
    if intervals is None and quantiles is None:
        return None
    classes = members(table, enters)
    return {
        "bounds": intervals.summarise(enters, cluster, classes) if intervals else None,
        "quantiles": quantiles.summarise(enters, cluster, classes) if quantiles else None,
    }


def _ceiling(truth: Sums) -> dict[str, Any]:
    """Scores of the truth without noise against the observations: the best that any model can reach."""
    names = ("r2", "rmse")
    return {
        "per_site": {name: spread(METRICS[name](truth)) for name in names},
        "pooled": _pooled(truth, names),
    }


def _pooled(sums: Sums, names: Iterable[str]) -> dict[str, float | None]:
    pooled = sums.pooled()
    return {name: number(METRICS[name](pooled)) for name in names}


def _table(predictions: xr.Dataset, score: str, statistics: _Statistics) -> pl.DataFrame:
    known = [name for name in ("site_id", "lat", "lon", "cluster", "fold", *CLASSES) if name in predictions]
    sums, days = statistics.model, statistics.days
    columns: dict[str, Any] = {
        "score": [score] * days.size,
        **{name: predictions[name].to_numpy() for name in known},
        "region": region(predictions["lat"].to_numpy()),
        "days": days,
        "days_without_prediction": days - sums.n,
        "enters": days >= int(predictions.attrs["min_scored_days"]),
        **{name: _column(metric(sums)) for name, metric in METRICS.items()},
        "mean_observed": _column(np.where(sums.n > 0, sums.mean_o, np.nan)),
    }
    if statistics.intervals:
        columns |= {"coverage": _column(statistics.intervals.coverage), "width": _column(statistics.intervals.width)}
    if statistics.quantiles:
        columns["crps"] = _column(statistics.quantiles.crps)
    if statistics.trust:
        columns |= {"dissimilarity": _column(statistics.trust.dissimilarity[FARTHEST])}
        columns |= {"inside": np.where(statistics.trust.inside, "inside", "outside")}
    if statistics.truth:
        columns["ceiling_r2"] = _column(metrics.r2(statistics.truth))
    texts = {name: np.asarray(columns[name]).astype(str) for name in ("site_id", "region", *CLASSES) if name in columns}
    return pl.DataFrame(columns | texts)


def _column(values: FloatArray) -> pl.Series:
    return pl.Series(values, dtype=pl.Float64).fill_nan(None)
