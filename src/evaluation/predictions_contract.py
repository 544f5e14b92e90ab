"""What a ``predictions.zarr`` must hold: dims (site, time) with the test sites, each once (folds pooled).

* ``prediction``, ``observed`` float32, NaN where there is none; ``expected`` (optional) the truth without noise;
* ``measured`` bool, the days of the primary score; ``convention`` bool, QC >= 0.75 (quality *measured* only);
* per site ``lat, lon, cluster, fold`` and classes (``igbp, koppen, ...``) where known;
* attributes ``target, units, model, experiment, pair, quality, min_scored_days, odd_sites`` (a JSON list).

Optional, of models that know their uncertainty:

* ``lower, upper`` float32, the bounds of an interval, NaN where there is none, with the attributes ``interval_level``
  (its nominal level, 0-1) and ``interval_method`` (text);
* ``prediction_quantile`` (quantile, site, time) with the coordinate ``quantile`` (levels, 0-1, increasing);
* ``prediction_spread`` (site, time), the standard deviation over the members of an ensemble.

Optional, of models with a bank of training sites: ``dissimilarity_slow, dissimilarity_fast`` (site,), the distance to
it in each role, NaN where nothing of it may be seen, with the attribute ``threshold`` (one number, or one a fold); and
``inside_area`` (site,) int8, 1 where the site is within the threshold of every role.

Optional attributes: ``question`` (*unseen*, the default, or *new_years*), ``causal`` (1, or 0 for a model that looks
at days to come) and ``seed``.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr

from ..errors import UserError
from .wording import QUESTIONS, SCORES

ATTRIBUTES = ("target", "units", "model", "experiment", "pair", "quality", "min_scored_days", "odd_sites")
DAILY = ("site", "time")
PER_SITE = ("site_id", "lat", "lon", "cluster", "fold")
BOUNDS = ("lower", "upper")
QUANTILES = "prediction_quantile"
DISSIMILARITY, INSIDE = "dissimilarity_", "inside_area"
DISTANCES = tuple(f"{DISSIMILARITY}{role}" for role in ("slow", "fast"))
OPTIONAL: dict[str, tuple[str, ...]] = {
    "expected": DAILY,
    **dict.fromkeys(BOUNDS, DAILY),
    "prediction_spread": DAILY,
    QUANTILES: ("quantile", *DAILY),
    **dict.fromkeys((*DISTANCES, INSIDE), ("site",)),
}


def check_predictions(dataset: xr.Dataset, path: Path) -> None:
    """Check a predictions dataset against the contract of this module.

    Raises
    ------
    UserError
        Naming the first thing that is missing, repeated, crossed or infinite.
    """
    for trouble in _troubles(dataset):
        raise UserError(f"{path}: {trouble}")


def _troubles(dataset: xr.Dataset) -> Iterator[str]:
    """Find what is wrong, in an order in which each check may rely on the ones before."""
    yield from _attributes(dataset)
    yield from _shapes(dataset)
    yield from _repeated(dataset)
    yield from _values(dataset)
    if QUANTILES in dataset:
        yield from _quantiles(dataset)
    if any(name in dataset for name in BOUNDS):
        yield from _bounds(dataset)
    if any(name in dataset for name in (*DISTANCES, INSIDE)):
        yield from _distances(dataset)


def _attributes(dataset: xr.Dataset) -> Iterator[str]:
    attrs = dataset.attrs
    for name in ATTRIBUTES:
        if name not in attrs:
            yield f"attribute {name!r} is missing; write such a file with run_folder.write_predictions"
    if attrs["quality"] not in SCORES:
        yield f"quality {attrs['quality']!r} is unknown; expected one of {', '.join(SCORES)}"
    if attrs.get("question", "unseen") not in QUESTIONS:
        yield f"question {attrs['question']!r} is unknown; expected one of {', '.join(QUESTIONS)}"
    if attrs.get("causal", 1) not in (0, 1):
        yield f"attribute 'causal' is {attrs['causal']!r}; expected 1, or 0 for a model that looks at days to come"


def _shapes(dataset: xr.Dataset) -> Iterator[str]:
    flags = ("measured", "convention") if "convention" in SCORES[dataset.attrs["quality"]] else ("measured",)
    needed: dict[str, tuple[str, ...]] = dict.fromkeys(("prediction", "observed", *flags), DAILY)
    needed |= {name: ("site",) for name in PER_SITE} | {"time": ("time",)}
    needed |= {name: dims for name, dims in OPTIONAL.items() if name in dataset}
    needed |= {"quantile": ("quantile",)} if QUANTILES in dataset else {}
    for name, dims in needed.items():
        if name not in dataset.variables:
            yield f"variable {name!r} is missing; expected it with dims {dims}"
        if dataset[name].dims != dims:
            yield f"variable {name!r} has dims {dataset[name].dims}; expected {dims}"


def _repeated(dataset: xr.Dataset) -> Iterator[str]:
    ids, counts = np.unique(_site_id(dataset), return_counts=True)
    for site in ids[counts > 1]:
        yield f"site {str(site)!r} stands there more than once; each test site is scored once"
    days, counts = np.unique(dataset["time"].to_numpy(), return_counts=True)
    for day in days[counts > 1]:
        yield f"day {str(day)[:10]} stands there more than once; each day is scored once"


def _values(dataset: xr.Dataset) -> Iterator[str]:
    for name in ("prediction", *OPTIONAL):
        if name in dataset:
            infinite = np.isinf(dataset[name].transpose("site", ...).to_numpy())
            for site in _site_id(dataset)[infinite.any(tuple(range(1, infinite.ndim)))]:
                why = "the model diverged; train with a lower learning rate"
                if name in BOUNDS:
                    why = "too few sites to calibrate on; leave such a bound NaN"
                if name in DISTANCES:
                    why = "it may see nothing of the bank; leave such a distance NaN"
                yield f"infinite {name} at site {str(site)!r}: {why}"


def _quantiles(dataset: xr.Dataset) -> Iterator[str]:
    levels = dataset["quantile"].to_numpy().astype(float)
    if not levels.size or levels.min() <= 0 or levels.max() >= 1 or (np.diff(levels) <= 0).any():
        yield f"levels of {QUANTILES!r} are {levels.tolist()}; expected them to increase between 0 and 1"


def _bounds(dataset: xr.Dataset) -> Iterator[str]:
    for name in BOUNDS:
        if name not in dataset:
            yield f"variable {name!r} is missing; an interval needs both of {', '.join(BOUNDS)}"
    for name in ("interval_level", "interval_method"):
        if name not in dataset.attrs:
            yield f"attribute {name!r} is missing; an interval must say it"
    if not 0 < float(dataset.attrs["interval_level"]) < 1:
        yield f"attribute 'interval_level' is {dataset.attrs['interval_level']!r}; expected a share between 0 and 1"
    lower, upper = (dataset[name].to_numpy() for name in BOUNDS)
    for site in _site_id(dataset)[(lower > upper).any(1)]:
        yield f"'lower' is above 'upper' at site {str(site)!r}; order the bounds before writing them"


def _distances(dataset: xr.Dataset) -> Iterator[str]:
    for name in (*DISTANCES, INSIDE):
        if name not in dataset:
            yield f"variable {name!r} is missing; the distance to a bank is told of every role, with {INSIDE!r}"
    for name in DISTANCES:
        if "threshold" not in dataset[name].attrs:
            yield f"variable {name!r} has no attribute 'threshold'; say up to where the bank reaches"
        for site in _site_id(dataset)[dataset[name].to_numpy() < 0]:
            yield f"negative {name} at site {str(site)!r}; a distance is 0 or more"
    if not np.isin(dataset[INSIDE].to_numpy(), (0, 1)).all():
        yield f"variable {INSIDE!r} holds other values than 0 and 1"


def _site_id(dataset: xr.Dataset) -> np.ndarray[tuple[int, ...], np.dtype[np.str_]]:
    return dataset["site_id"].to_numpy().astype(object).astype(str)
