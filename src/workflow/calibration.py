"""From out-of-fold predictions at the training clusters of a fold to intervals at its test sites.

Each training cluster is predicted by a model that never saw it (``calibration_parts.py``); the errors there set the
width of the intervals (``evaluation/conformal.py``). Those models learn from fewer sites than the one whose intervals
they set, so their errors are, if anything, a little larger.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..config.schema import Config
from ..datamodules.cube import DIMS
from ..datamodules.splits import Split
from ..evaluation.conformal import Band, Calibration, FloatArray, Kind, calibrate


def calibrate_fold(split: Split, parts: Sequence[xr.Dataset], config: Config) -> Calibration:
    """Learn the width of intervals from out-of-fold predictions of one target.

    Scores are of predicted quantiles where there are some, else of the kind that ``calibration.score`` names. Days
    count as they do in the primary score ("measured"), at sites with at least ``data.split.min_scored_days`` of them.

    Parameters
    ----------
    split : the outer split.
    parts : one dataset a part, as ``predictions`` lays it out: ``prediction``, ``observed``, ``measured`` (site, time),
        ``prediction_quantile`` (quantile, site, time) of a distribution.

    Raises
    ------
    ValueError
        If a site is no labelled training site of the split, or is there twice.
    UserError
        If there are too few sites for ``calibration.level``.
    """
    names = np.concatenate([part["site_id"].to_numpy().astype(str) for part in parts])
    strange = set(names.tolist()) - (set(split.train) - set(split.unlabelled))
    if strange or len(set(names.tolist())) < len(names):
        raise ValueError(f"calibration of fold {split.fold} on sites {sorted(strange)[:3]}, or on a site twice")
    level = config.calibration.level
    kind = cast(Kind, "quantile" if "prediction_quantile" in parts[0] else config.calibration.score)
    counted = [_scored_days(part, config.data.split.min_scored_days) for part in parts]
    floor = _mean_flux(parts, counted) if kind == "normalised" else 0.0
    scores = [
        _band(part, kind, level, floor).scores(_site_by_time(part, "observed"))[days]
        for part, days in zip(parts, counted, strict=True)
    ]
    sites = np.nonzero(np.concatenate(counted))[0]
    return calibrate(kind, np.concatenate(scores), sites, level, floor)


def with_interval(predictions: xr.Dataset, calibration: Calibration) -> xr.Dataset:
    """Return predictions with ``lower`` and ``upper`` (site, time) beside them, and how they were made.

    What was observed is not looked at.
    """
    band = _band(predictions, calibration.kind, calibration.level, calibration.floor)
    lower, upper = (end.astype(np.float32) for end in calibration.interval(band))
    method = f"cross-conformal over training clusters, {calibration.kind} scores, each site weighing alike"
    with_ends = predictions.assign(lower=(DIMS, lower), upper=(DIMS, upper))
    return with_ends.assign_attrs(interval_level=calibration.level, interval_method=method)


def _band(predictions: xr.Dataset, kind: Kind, level: float, floor: float) -> Band:
    """Return what the predictions say of each day, ready to be widened for ``level``."""
    if kind == "quantile":
        return Band.quantile(*(_quantile(predictions, q) for q in ((1.0 - level) / 2.0, (1.0 + level) / 2.0)))
    mean = _site_by_time(predictions, "prediction")
    return Band.absolute(mean) if kind == "absolute" else Band.normalised(mean, np.abs(mean) + floor)


def _quantile(predictions: xr.Dataset, level: float) -> FloatArray:
    """Predicted quantile (site, time) on straight lines between the stored ones; the outermost where there is none."""
    stored = predictions["quantile"].to_numpy()
    values = predictions["prediction_quantile"].transpose("quantile", *DIMS)
    place = float(np.interp(level, stored, np.arange(len(stored))))
    below = min(int(place), len(stored) - 2)
    low, high = (values.isel(quantile=i).to_numpy().astype(np.float64) for i in (below, below + 1))
    return np.asarray(low + (high - low) * (place - below))


def _scored_days(predictions: xr.Dataset, fewest: int) -> NDArray[np.bool_]:
    """Days (site, time) of the primary score, at sites that have at least ``fewest`` of them."""
    known = np.isfinite(_site_by_time(predictions, "prediction")) & np.isfinite(_site_by_time(predictions, "observed"))
    counted = predictions["measured"].transpose(*DIMS).to_numpy().astype(bool) & known
    return np.asarray(counted & (counted.sum(1) >= fewest)[:, None])


def _mean_flux(parts: Sequence[xr.Dataset], counted: Sequence[NDArray[np.bool_]]) -> float:
    """Mean size of the predicted flux, each site counting once: the scale of a day on which nothing is predicted."""
    sites = [
        np.abs(flux[days]).mean()
        for part, of_part in zip(parts, counted, strict=True)
        for flux, days in zip(_site_by_time(part, "prediction"), of_part, strict=True)
        if days.any()
    ]
    return float(np.mean(sites)) if sites else 0.0


def _site_by_time(predictions: xr.Dataset, name: str) -> FloatArray:
    return predictions[name].transpose(*DIMS).to_numpy().astype(np.float64)
