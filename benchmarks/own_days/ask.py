"""Ask a method every question of a file, and score what it says."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from raciflux.errors import UserError
from raciflux.own_days.answers import SiteAnswer
from raciflux.own_days.question_files import read_few_shot, read_gaps
from raciflux.own_days.questions import SHOWN_DAYS, around_gap, days_a_year_later, first_days, inside_gap
from raciflux.own_days.records import Record

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Question:
    """One question of one site.

    Attributes
    ----------
    first, days : start and number of days that are shown, or hidden.
    shown, scored : (day, target).
    """

    first: str
    days: int
    shown: Mask
    scored: Mask


def asked_of_sites(kind: str, path: Path) -> dict[str, list[tuple[str, int]]]:
    """First day and number of days of every question, by site."""
    if kind == "few_shot":
        starts = read_few_shot(path).sites
        return {site: [(first, days) for first in firsts for days in SHOWN_DAYS] for site, firsts in starts.items()}
    gaps: Mapping[str, Mapping[int, tuple[str, ...]]] = read_gaps(path).sites
    return {
        site: [(first, days) for days, firsts in lengths.items() for first in firsts] for site, lengths in gaps.items()
    }


def questions(kind: str, asked: list[tuple[str, int]], record: Record, site: int) -> Iterator[Question]:
    """Lay what is shown and scored on the days of a record."""
    dates, trainable, measured = record.dates, record.trainable[site], record.measured[site]
    for first, days in asked:
        if kind == "few_shot":
            shown, scored = first_days(first, days, dates, trainable), days_a_year_later(first, dates, measured)
        else:
            shown, scored = around_gap(first, days, dates, trainable), inside_gap(first, days, dates, measured)
        yield Question(first, days, shown, scored)


def site_rows(
    method: str, answer: SiteAnswer, record: Record, site: int, asked: Iterator[Question], answerable: Mask
) -> list[tuple[str, int, str, str, int, str, float, int]]:
    """Score a method at one site: site, cluster, target, first day, days, method, RMSE and scored days a question.

    Parameters
    ----------
    answerable : (day, target) days on which every method is asked: those that the base predicts.

    Raises
    ------
    UserError
        If the method has no answer for a day that is scored.
    """
    name, rows = str(record.site_id[site]), []
    for question in asked:
        said = answer(site, question.shown)
        for target, flux in enumerate(record.targets):
            days = question.scored[:, target] & answerable[:, target]
            if not days.any():
                continue
            error = said[days, target].astype(np.float64) - record.flux[site, days, target]
            if not np.isfinite(error).all():
                raise UserError(
                    f"{method}: no answer for {flux} at {name} on a day that question {question.first} scores"
                )
            rmse = float(np.sqrt((error**2).mean()))
            cluster = int(record.cluster[site])
            rows.append((name, cluster, flux, question.first, question.days, method, rmse, int(days.sum())))
    return rows
