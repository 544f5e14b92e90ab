"""The series that the report's own plot draws: packed small, the most telling sites first.

A site's block is the deflate of three byte planes: high bytes, low bytes (column, day) and flags (day). A value is
``low + (code - 1) * step`` of its column, code 0 a missing day; 4094 steps span a column's range, so a value is off by
1/8000 of that range at most. ``report_series.js`` is the other end.
"""

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..scored import ScoredRun
from ..scores.tables import score_names, scored_days

LEVELS = 4095  # codes of a value; 3.6 digits of the range, finer than any screen
BUDGET = 4_500_000  # characters of all blocks: the page stays below 6 MB, figures included
SEED = 0  # of the order in which sites without rank of their own are taken
BAND = ("lower", "upper")


def pack_series(run: ScoredRun, baselines: Sequence[ScoredRun], budget: int = BUDGET) -> dict[str, Any]:
    """Pack observed and predicted days of as many sites as fit into ``budget`` characters.

    Returns
    -------
    ``columns`` (names, baselines last), ``baselines`` (their number), ``sites``: for each ``id``, ``start`` (days since
    1970-01-01), ``days``, per column ``low`` and ``step``, and ``data`` (base64); sorted by name.
    """
    names = ["prediction", "observed", *(name for name in BAND if name in run.predictions)]
    day = run.predictions["time"].to_numpy().astype("datetime64[D]").astype(np.int64)
    columns = [run.predictions[name].to_numpy() for name in names]
    columns += [_aligned(baseline.predictions, run.predictions) for baseline in baselines]
    flags = _flags(run.predictions)
    sites: list[dict[str, Any]] = []
    for site in _telling_first(run):
        place = run.position(site)
        block = _site(day, np.stack([column[place] for column in columns]), flags[place])
        if not block:
            continue
        budget -= len(block["data"])
        if sites and budget < 0:
            break
        sites.append({"id": site, **block})
    return {
        "columns": [*names, *(baseline.model for baseline in baselines)],
        "baselines": len(baselines),
        "sites": sorted(sites, key=lambda site: str(site["id"])),
    }


def ranked_sites(run: ScoredRun) -> dict[str, str]:
    """Best, median and worst site of the primary score; empty where no site has an R2."""
    ranked = run.entering(run.primary)["site_id"].to_list()
    return {"best": ranked[0], "median": ranked[len(ranked) // 2], "worst": ranked[-1]} if ranked else {}


def _telling_first(run: ScoredRun) -> list[str]:
    """Best, median, worst, then the other scored sites in seeded order, then those in no score."""
    ranked, every = run.entering(run.primary)["site_id"].to_list(), run.predictions["site_id"].to_numpy().tolist()
    shuffled = np.random.default_rng(SEED).permutation(np.array(ranked, dtype=object)).tolist()
    return list(dict.fromkeys([*ranked_sites(run).values(), *shuffled, *every]))


def _flags(predictions: xr.Dataset) -> NDArray[np.uint8]:
    """Bit 0: the day is in the primary score; bit 1: it is in the other one, if there is one. (site, time)."""
    flags = np.zeros(predictions["observed"].shape, np.uint8)
    for bit, score in enumerate(score_names(predictions)):
        flags |= scored_days(predictions, score).astype(np.uint8) << bit
    return flags


def _aligned(baseline: xr.Dataset, run: xr.Dataset) -> NDArray[np.floating]:
    """Return a baseline's prediction on the sites and days of the run; NaN where it has none."""
    named = baseline["prediction"].assign_coords(site=baseline["site_id"].to_numpy())
    return named.reindex(site=run["site_id"].to_numpy(), time=run["time"].to_numpy()).to_numpy()


def _site(day: NDArray[np.int64], values: NDArray[np.floating], flags: NDArray[np.uint8]) -> dict[str, Any] | None:
    """Pack one site from its first to its last observed or predicted day, on a calendar without holes."""
    known = np.flatnonzero(np.isfinite(values[:2]).any(0))
    if not known.size:
        return None
    first, last = int(day[known[0]]), int(day[known[-1]])
    within = slice(known[0], known[-1] + 1)
    place = day[within] - first
    whole = np.full((len(values), last - first + 1), np.nan)
    whole[:, place] = values[:, within]
    whole_flags = np.zeros(last - first + 1, np.uint8)
    whole_flags[place] = flags[within]
    codes, low, step = _quantise(whole)
    planes = (codes >> 8).astype(np.uint8).tobytes() + (codes & 255).astype(np.uint8).tobytes() + whole_flags.tobytes()
    data = base64.b64encode(zlib.compress(planes, 9)).decode("ascii")
    return {"start": first, "days": last - first + 1, "low": low, "step": step, "data": data}


def _quantise(values: NDArray[np.floating]) -> tuple[NDArray[np.uint16], list[float], list[float]]:
    """Codes (column, day) with 0 for missing, and each column's lowest value and step."""
    known = np.isfinite(values)
    low = np.where(known, values, np.inf).min(1)
    high = np.where(known, values, -np.inf).max(1)
    low, high = np.where(known.any(1), low, 0.0), np.where(known.any(1), high, 0.0)
    low = np.array([_short(value) for value in low])
    step = np.array([_short(value) for value in (high - low) / (LEVELS - 1)])
    level = np.divide(values - low[:, None], step[:, None], out=np.zeros_like(values), where=step[:, None] > 0)
    codes = np.where(known, np.clip(np.rint(level), 0, LEVELS) + 1, 0)
    return codes.astype(np.uint16), low.tolist(), step.tolist()


def _short(value: float) -> float:
    return float(f"{value:.6g}")
