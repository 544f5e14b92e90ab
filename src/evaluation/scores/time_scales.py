"""Scores at each time scale, from daily values: where in time a model is right, and where it is not.

Observed and predicted are aggregated over the same days, those that a score admits and that have a prediction:

* ``daily``; ``weekly`` (Monday to Sunday, at least 4 of its days); ``monthly`` (at least 15 days);
* ``seasonal_cycle``: for each calendar month, the mean over years of the monthly means;
* ``anomaly``: days minus the seasonal cycle of their own record (observed minus the observed, predicted minus the
  predicted); days of a month that has no cycle are left out;
* ``yearly``: yearly means (at least 183 days);
* ``inter_annual``: yearly means minus their mean, of each record its own: the change from year to year without the
  level. Like the per-site numbers of ``yearly`` it needs 3 years;
* ``site_mean``: one value a site, the mean over its days; R2 only across sites.

R2, RMSE as in :mod:`raciflux.evaluation.metrics`. The scales are those of FLUXCOM's and FLUXtrapolation's
evaluations: Tramontana et al. (2016), doi:10.5194/bg-13-4291-2016; arXiv 2605.19812.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics import FloatArray, Sums, r2, rmse
from .spread import number, spread

DAYS_A_WEEK, DAYS_A_MONTH, DAYS_A_YEAR = 4, 15, 183
YEARS_A_SITE = 3
SCALES = ("daily", "weekly", "monthly", "seasonal_cycle", "anomaly", "yearly", "inter_annual", "site_mean")
ROUNDING = 1e-9  # of the daily spread: an aggregate that varies by less is constant, float32 knows no finer

Pairs = tuple[FloatArray, FloatArray]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Scale:
    """One time scale.

    Attributes
    ----------
    sums : (site,) statistics of the scale's values; ``sums.n`` is their number.
    days : (site,) days behind them.
    per_site : (site,) whether the site has enough values for numbers of its own.
    """

    sums: Sums
    days: NDArray[np.int64]
    per_site: Flags


def time_scales(
    observed: NDArray[np.floating],
    predicted: NDArray[np.floating],
    counted: Flags,
    dates: NDArray[np.datetime64],
) -> dict[str, Scale]:
    """Aggregate to every scale of ``SCALES``.

    Parameters
    ----------
    observed, predicted : (site, day), one unit, finite where counted.
    counted : (site, day).
    dates : (day,), each once, in any order.
    """
    o, level_o = _from_first(observed, counted)
    p, level_p = _from_first(predicted, counted)
    daily, of_days = (o, p), Sums.of(observed, predicted, counted)
    month, year = _month(dates), _from_zero(dates.astype("datetime64[Y]").astype(np.int64))
    weekly = _means(daily, counted, _week(dates), DAYS_A_WEEK)
    monthly = _means(daily, counted, month, DAYS_A_MONTH)
    yearly = _means(daily, counted, year, DAYS_A_YEAR)
    cycle = _seasonal_cycle(*monthly)
    enough = (yearly[1] > 0).sum(1) >= YEARS_A_SITE
    every = np.ones(len(o), bool)

    def scale(values: Pairs, days: NDArray[np.int64], per_site: Flags = every, *, level: bool = True) -> Scale:
        o_level, p_level = (level_o, level_p) if level else (0.0, 0.0)
        sums = Sums.of(values[0] + o_level, values[1] + p_level, days > 0)
        return Scale(_without_rounding(sums, of_days), days.sum(1), per_site)

    return {
        "daily": Scale(of_days, counted.sum(1), every),
        "weekly": scale(*weekly),
        "monthly": scale(*monthly),
        "seasonal_cycle": scale(*cycle),
        "anomaly": scale(*_anomalies(daily, counted, cycle, month % 12), level=False),
        "yearly": scale(*yearly, enough),
        "inter_annual": scale(*_changes(yearly[0], np.where(enough[:, None], yearly[1], 0)), level=False),
        "site_mean": scale(*_means(daily, counted, np.zeros(len(dates), np.int64), 1)),
    }


def summarise(scales: Mapping[str, Scale], kept: Flags, cluster: NDArray[np.int64]) -> dict[str, Any]:
    """Summarise the ``kept`` (site,) sites at each scale; ``cluster`` (site,).

    Returns
    -------
    For each scale: ``per_site`` and ``pooled`` ``r2`` and ``rmse``, number of ``sites`` (with a value), ``clusters``,
    ``values`` and ``days`` behind them.
    """
    return {name: _summarise(scale, kept & (scale.sums.n > 0), cluster) for name, scale in scales.items()}


def _summarise(scale: Scale, kept: Flags, cluster: NDArray[np.int64]) -> dict[str, Any]:
    own, pooled = scale.sums[kept & scale.per_site], scale.sums[kept].pooled()
    return {
        "sites": int(kept.sum()),
        "clusters": np.unique(cluster[kept]).size,
        "values": int(pooled.n),
        "days": int(scale.days[kept].sum()),
        "per_site": {"r2": spread(r2(own)), "rmse": spread(rmse(own))},
        "pooled": {"r2": number(r2(pooled)), "rmse": number(rmse(pooled))},
    }


def _from_first(values: NDArray[np.floating], counted: Flags) -> tuple[FloatArray, FloatArray]:
    """Differences (site, day) from the site's first counted day, and that day (site, 1).

    A constant record is then exactly 0 everywhere, and so is every mean of it: no rounding passes for a spread.
    """
    exact = np.where(counted, values, 0.0).astype(np.float64)
    first = np.take_along_axis(exact, counted.argmax(1)[:, None], 1) if exact.shape[1] else np.zeros((len(exact), 1))
    return np.where(counted, exact - first, 0.0), first


def _means(values: Pairs, counted: Flags, period: NDArray[np.int64], least: int) -> tuple[Pairs, NDArray[np.int64]]:
    """Means (site, period) over the counted days, and the days behind: 0 and no mean where fewer than ``least``."""
    days = _sums(counted.astype(np.float64), period).astype(np.int64)
    days[days < least] = 0
    o, p = (_sums(np.where(counted, each, 0.0), period) / np.maximum(days, 1) for each in values)
    return (o, p), days


def _seasonal_cycle(monthly: Pairs, days: NDArray[np.int64]) -> tuple[Pairs, NDArray[np.int64]]:
    """Mean over years (site, calendar month) of monthly means (site, month), and the days behind."""
    calendar_month = np.arange(days.shape[1]) % 12
    means, _ = _means(monthly, days > 0, calendar_month, 1)
    return means, _sums(days.astype(np.float64), calendar_month).astype(np.int64)


def _anomalies(
    daily: Pairs, counted: Flags, cycle: tuple[Pairs, NDArray[np.int64]], season: NDArray[np.int64]
) -> tuple[Pairs, NDArray[np.int64]]:
    """Days (site, day) minus the cycle; days of a calendar month without a cycle are left out."""
    (o, p), days = cycle
    return (daily[0] - o[:, season], daily[1] - p[:, season]), (counted & (days > 0)[:, season]).astype(np.int64)


def _changes(yearly: Pairs, days: NDArray[np.int64]) -> tuple[Pairs, NDArray[np.int64]]:
    """Yearly means (site, year) minus their own mean over the years that have days."""
    n = np.maximum((days > 0).sum(1, keepdims=True), 1)
    o, p = (each - np.where(days > 0, each, 0.0).sum(1, keepdims=True) / n for each in yearly)
    return (o, p), days


def _sums(values: FloatArray, period: NDArray[np.int64]) -> FloatArray:
    """Sum (site, day) to (site, period); periods are numbered from 0."""
    periods = int(period.max(initial=-1)) + 1
    cell = np.arange(len(values))[:, None] * periods + period
    return np.asarray(
        np.bincount(cell.ravel(), values.ravel(), len(values) * periods).reshape(len(values), periods), np.float64
    )


def _without_rounding(sums: Sums, daily: Sums) -> Sums:
    with np.errstate(invalid="ignore"):
        least = ROUNDING**2 * sums.n * daily.ss_o / np.maximum(daily.n, 1)
    return replace(sums, ss_o=np.where(sums.ss_o > least, sums.ss_o, 0.0))


def _week(dates: NDArray[np.datetime64]) -> NDArray[np.int64]:
    since_monday = dates.astype("datetime64[D]").astype(np.int64) + 3  # 1970-01-01 was a Thursday
    return _from_zero(since_monday // 7)


def _month(dates: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Months counted from a January on, so that the remainder by 12 is the calendar month."""
    year = _from_zero(dates.astype("datetime64[Y]").astype(np.int64))
    return np.asarray(12 * year + dates.astype("datetime64[M]").astype(np.int64) % 12)


def _from_zero(periods: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(periods - periods.min()) if periods.size else periods
