"""The two questions about a site with some days of its own: its first days are shown, or all days but a gap.

*Few-shot*: ``k`` contiguous days from a start date are shown; what is scored lies a year or more after the start, the
same days for every ``k``, none shown included. *Gap*: some days in a row are hidden, of all fluxes, with a margin of a
day on both sides; what is scored lies inside.

Questions are drawn for each site alone from its name, its dates and which of its days were measured, never from a flux:
other sites, and how well anything predicts, change nothing.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

STARTS = 5  # start dates a site
SHOWN_DAYS = (7, 30, 90, 365)  # days shown from a start
SCORED_AFTER = 365  # days after the start from which on days are scored
FEWEST_SCORED = 120  # scored days of a start

GAPS = 10  # gaps a site and length, fewer where a short record holds no more
GAP_DAYS = (1, 7, 30, 90)
MARGIN = 1  # days hidden on both sides of a gap, scored by nobody
GAP_SHARE = 0.2  # of a gap's days, and at least one, can be scored
GAP_RECORD = 730  # days from a site's first measured day to its last
GAP_MEASURED = 180  # measured days of that record

Days = NDArray[np.bool_]
Dates = NDArray[np.datetime64]


def draw_starts(site_id: str, dates: Dates, measured: Days, seed: int = 0) -> tuple[str, ...]:
    """Draw the start dates of a site's few-shot questions, as ISO dates in their order; none of too short a record.

    A date can be drawn if one of its first seven days was measured, so that every question shows something, and
    ``FEWEST_SCORED`` days from a year after it on.

    Parameters
    ----------
    dates : (day,) one after the other.
    measured : (day, target) days of the primary score; a target without any is left out.
    """
    counted = _of_every_target(measured)
    total = np.concatenate([[0], counted.cumsum()])
    day = np.arange(len(dates))
    later = total[-1] - total[np.minimum(day + SCORED_AFTER, len(dates))]
    soon = total[np.minimum(day + min(SHOWN_DAYS), len(dates))] - total[day]
    possible = np.flatnonzero((later >= FEWEST_SCORED) & (soon > 0))
    if len(possible) < STARTS:
        return ()
    drawn = _stream(site_id, seed, 0).choice(possible, STARTS, replace=False)
    return tuple(_iso(dates[i]) for i in np.sort(drawn))


def draw_gaps(site_id: str, dates: Dates, measured: Days, seed: int = 0) -> dict[int, tuple[str, ...]]:
    """Draw the first days of a site's gaps, ISO dates by length in days; nothing of too short a record.

    Gaps of one length do not overlap, begin and end inside the record, and hold measured days, ``GAP_SHARE`` of theirs
    or more. They are placed in random order until there are ``GAPS`` of them or no other fits.

    Parameters
    ----------
    dates, measured : as in ``draw_starts``.
    """
    counted = _of_every_target(measured)
    record = np.flatnonzero(counted)
    if len(record) < GAP_MEASURED or record[-1] - record[0] + 1 < GAP_RECORD:
        return {}
    total = np.concatenate([[0], counted.cumsum()])
    gaps = {}
    for length in GAP_DAYS:
        first = np.arange(record[0] + MARGIN + 1, record[-1] - MARGIN - length + 1)
        held = total[first + length] - total[first]
        possible = first[held >= max(1, int(np.ceil(GAP_SHARE * length)))]
        drawn: list[int] = []
        for day in _stream(site_id, seed, length).permutation(possible).tolist():
            if len(drawn) < GAPS and all(abs(day - other) >= length for other in drawn):
                drawn.append(day)
        gaps[length] = tuple(_iso(dates[i]) for i in sorted(drawn))
    return {length: starts for length, starts in gaps.items() if starts}


def first_days(start: str, days: int, dates: Dates, trainable: Days) -> Days:
    """Return the fluxes (day, target) that a few-shot question shows: the trainable ones of ``days`` days."""
    return np.asarray(trainable & _span(start, 0, days, dates)[:, None])


def days_a_year_later(start: str, dates: Dates, measured: Days) -> Days:
    """Return the fluxes (day, target) that a few-shot question scores, whatever it shows."""
    return np.asarray(measured & (dates >= _day(start) + SCORED_AFTER)[:, None])


def around_gap(start: str, days: int, dates: Dates, trainable: Days) -> Days:
    """Return the fluxes (day, target) that a gap question shows: all trainable ones outside of gap and margin."""
    return np.asarray(trainable & ~_span(start, -MARGIN, days + MARGIN, dates)[:, None])


def inside_gap(start: str, days: int, dates: Dates, measured: Days) -> Days:
    """Return the fluxes (day, target) that a gap question scores."""
    return np.asarray(measured & _span(start, 0, days, dates)[:, None])


def _of_every_target(measured: Days) -> Days:
    """Days (day,) on which every target that the site has was measured."""
    there = measured[:, measured.any(0)]
    return np.asarray(there.all(1) & there.any(1))


def _span(start: str, low: int, high: int, dates: Dates) -> Days:
    """Mask (day,) of the days from ``low`` to before ``high`` days after ``start``."""
    first = _day(start)
    return np.asarray((dates >= first + low) & (dates < first + high))


def _day(start: str) -> np.datetime64:
    return np.datetime64(start, "D")


def _iso(date: np.datetime64) -> str:
    return str(date.astype("datetime64[D]"))


def _stream(site_id: str, seed: int, purpose: int) -> np.random.Generator:
    """Random numbers of a site's own, whatever stands beside it in a table."""
    name = int.from_bytes(hashlib.sha256(site_id.encode()).digest()[:8], "big")
    return np.random.default_rng([seed, purpose, name])
