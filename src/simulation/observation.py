"""How a tower sees a flux: random error, gaps short and long, and the gap-filler's guesses among what was measured."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from .series import Series

_MIN_RECORD_YEARS = 2.0
_PARTITION_DAYS = 15  # of nights from which a day's respiration is estimated
_PARTITION_ERROR = 0.1  # of that estimate, relative
_FILL_STEPS = (
    (3, 0.97),
    (7, 0.93),
    (14, 0.75),
    (30, 0.4),
    (60, 0.15),
)  # half-window in days, share counted as well filled


@dataclass(frozen=True)
class ObservationParameters:
    """How well a flux is observed.

    Attributes
    ----------
    noise_floor : standard deviation of a fully measured day's error near zero flux, in units of the flux.
    noise_slope : its growth with the flux's magnitude (Richardson et al. 2006, Agric. For. Meteorol. 136, 1-18).
    measured : typical share of a day that survives quality control.
    short_gaps : of a few days, a year. long_gaps : of weeks, a year.
    winter_power : chance that a dark winter silences a high-latitude tower.
    """

    noise_floor: float
    noise_slope: float
    measured: float = 0.62
    short_gaps: float = 9.0
    long_gaps: float = 0.9
    winter_power: float = 0.5


@dataclass(frozen=True)
class Observed:
    """What a tower's file holds; each (site, day).

    Attributes
    ----------
    value : flux, NaN where nothing could be filled. qc : share of the day measured or well filled. measured : share
    measured.
    """

    value: Series
    qc: Series
    measured: Series


def observe(truth: Series, sun: Series, generators: list[np.random.Generator], p: ObservationParameters) -> Observed:
    """Observe true fluxes.

    Parameters
    ----------
    truth : (site, day). sun : extraterrestrial radiation, W m-2 (site, day). generators : one a site.
    """
    measured = np.stack([_measured_share(light, rng, p) for light, rng in zip(sun, generators, strict=True)])
    error = np.stack([rng.laplace(0.0, np.sqrt(0.5), truth.shape[1]) for rng in generators])
    spread = (p.noise_floor + p.noise_slope * np.abs(truth)) / np.sqrt(np.maximum(measured, 0.05))
    seen = np.where(measured > 0.0, truth + spread * error, np.nan)
    filled, trust = fill(seen, measured)
    # a day's file value mixes its measured half-hours with filled ones
    value = np.where(
        measured > 0.0, measured * seen + (1.0 - measured) * np.where(np.isnan(filled), seen, filled), filled
    )
    alive = np.stack([_alive(truth.shape[1], rng) for rng in generators])
    value = np.where(alive, value, np.nan)
    qc = np.where(np.isnan(value), 0.0, measured + (1.0 - measured) * trust)
    return Observed(value, qc, np.where(np.isnan(value), 0.0, measured))


def partition(net: Series, respiration: Series, generators: list[np.random.Generator]) -> tuple[Series, Series]:
    """Split an observed net exchange into production and respiration, as the night-time method does.

    Respiration is estimated in windows of nights (Reichstein et al. 2005, Global Change Biology 11, 1424-1439), so its
    error is smooth and grows with it; production is what then remains, ``GPP = RECO - NEE``, noise of the day included.

    Parameters
    ----------
    net : (site, day) as observed, NaN where missing. respiration : the true one. generators : one a site.

    Returns
    -------
    Production and respiration (site, day), missing where ``net`` is.
    """
    error = np.stack([rng.standard_normal(net.shape[1]) for rng in generators])
    smooth = uniform_filter1d(error, _PARTITION_DAYS, axis=1, mode="reflect") * np.sqrt(_PARTITION_DAYS)
    estimated = np.where(np.isfinite(net), respiration * (1.0 + _PARTITION_ERROR * smooth), np.nan)
    return estimated - net, estimated


def fill(seen: Series, measured: Series) -> tuple[Series, Series]:
    """Guess each day from the measured days around it, in windows that widen until enough are found.

    A daily stand-in for marginal distribution sampling (Reichstein et al. 2005, Global Change Biology 11, 1424-1439).

    Returns
    -------
    guess : (site, day), NaN where no window holds enough. trust : share counted as well filled, less in wide windows.
    """
    known = np.isfinite(seen) & (measured > 0.2)
    value = np.where(known, seen, 0.0)
    guess, trust = np.full(seen.shape, np.nan), np.zeros(seen.shape)
    for half, share in _FILL_STEPS:
        size = 2 * half + 1
        count = uniform_filter1d(known.astype(np.float64), size, axis=1, mode="constant") * size
        total = uniform_filter1d(value, size, axis=1, mode="constant") * size
        here = np.isnan(guess) & (count >= 1.5)
        guess[here] = total[here] / count[here]
        trust[here] = share
    return guess, trust


def _measured_share(
    sun: NDArray[np.float64], rng: np.random.Generator, p: ObservationParameters
) -> NDArray[np.float64]:
    """Share of each day (day,) that one tower measures, 0 in its gaps."""
    days = len(sun)
    site = np.clip(p.measured + 0.1 * rng.standard_normal(), 0.35, 0.85)
    share = rng.beta(5.0 * site, 5.0 * (1.0 - site), days)
    years = days / 365.25
    gap = np.zeros(days, dtype=np.bool_)
    short = rng.poisson(p.short_gaps * years)
    long = rng.poisson(p.long_gaps * years)
    starts = rng.integers(0, days, short + long)
    lengths = np.concatenate([rng.geometric(0.35, short), np.rint(rng.lognormal(3.3, 0.7, long)).astype(np.int64)])
    for start, length in zip(starts, lengths, strict=True):
        gap[start : start + length] = True
    dark = sun < 70.0  # W m-2 above the atmosphere: solar panels starve
    edges = np.flatnonzero(np.diff(dark.astype(np.int8), prepend=0, append=0))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if rng.random() < p.winter_power:
            wait = rng.integers(0, max((stop - start) // 2, 1))
            gap[start + wait : stop] = True
    return np.where(gap, 0.0, np.round(share * 48.0) / 48.0)


def _alive(days: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Days (day,) between a tower's first and last; towers come and go, but stay two years if they can."""
    least = min(_MIN_RECORD_YEARS * 365.25, days)
    length = int(rng.uniform(least, 1.5 * days)) if rng.random() < 0.6 else days
    start = int(rng.integers(0, max(days - length, 0) + 1))
    alive = np.zeros(days, dtype=np.bool_)
    alive[start : start + length] = True
    return alive
