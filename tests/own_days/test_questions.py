"""Questions are a pure draw of name, dates and measured days, show what they may, and survive a file."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.errors import UserError
from raciflux.own_days import questions
from raciflux.own_days.question_files import FewShotFile, GapFile, read_few_shot, read_gaps, write_questions
from raciflux.own_days.questions import (
    around_gap,
    days_a_year_later,
    draw_gaps,
    draw_starts,
    first_days,
    inside_gap,
)

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.own_days.make_questions import RECIPES, make
from benchmarks.own_days.settings import QUESTIONS

DATES = np.datetime64("2001-01-01", "ns") + np.arange(1500) * np.timedelta64(1, "D")


def measured(seed: int, share: float = 0.4) -> np.ndarray:
    days = np.random.default_rng(seed).random((len(DATES), 2)) < share
    days[:40] = days[-40:] = False
    return days


def position(start: str) -> int:
    return int((np.datetime64(start) - DATES[0].astype("datetime64[D]")).astype(int))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.sampled_from(["DE-Tha", "XX-T01", "FI-Hyy"]))
def test_starts_can_be_answered_and_scored(seed, site):
    days = measured(seed)
    starts = draw_starts(site, DATES, days)
    assert len(set(starts)) == 5 and list(starts) == sorted(starts)
    for start in starts:
        assert first_days(start, 7, DATES, days).any(0).all()
        assert (days_a_year_later(start, DATES, days).sum(0) >= 120).all()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.floats(0.15, 0.9))
def test_gaps_lie_apart_inside_the_record_and_can_be_scored(seed, share):
    days = measured(seed, share)
    both = days.all(1)
    for length, starts in draw_gaps("DE-Tha", DATES, days).items():
        first = np.array([position(start) for start in starts])
        assert 1 <= len(first) <= 10
        assert (np.diff(first) >= length).all()
        for day in first:
            assert both[day : day + length].sum() >= max(1, 0.2 * length)
            assert both[: day - 1].any() and both[day + length + 1 :].any(), "own days are shown on both sides"


def test_a_site_is_asked_the_same_whatever_its_fluxes_neighbours_and_seed_of_the_day():
    days = measured(1)
    assert draw_starts("DE-Tha", DATES, days) == draw_starts("DE-Tha", DATES, days.copy())
    assert draw_starts("DE-Tha", DATES, days) != draw_starts("DE-Hai", DATES, days)
    assert draw_gaps("DE-Tha", DATES, days) != draw_gaps("DE-Tha", DATES, days, seed=1)


def test_short_records_are_not_asked():
    days = measured(2)
    assert draw_starts("DE-Tha", DATES[:500], days[:500]) == ()
    assert draw_gaps("DE-Tha", DATES[:700], days[:700]) == {}
    assert draw_gaps("DE-Tha", DATES, measured(2, 0.05)) == {}
    assert draw_starts("DE-Tha", DATES, np.zeros_like(days)) == ()


def test_a_target_that_a_site_never_measured_does_not_stand_in_the_way():
    days = measured(3)
    days[:, 1] = False
    assert draw_starts("DE-Tha", DATES, days) == draw_starts("DE-Tha", DATES, days[:, :1])


def test_what_is_shown_is_never_scored():
    days = np.ones((len(DATES), 2), bool)
    for start in ("2001-03-01", "2002-06-10"):
        first = position(start)
        shown, scored = first_days(start, 365, DATES, days), days_a_year_later(start, DATES, days)
        assert shown[first : first + 365].all() and shown.sum() == 2 * 365
        assert not scored[: first + 365].any() and scored[first + 365 :].all()
        shown, scored = around_gap(start, 30, DATES, days), inside_gap(start, 30, DATES, days)
        assert scored[first : first + 30].all() and scored.sum() == 2 * 30
        assert not shown[first - 1 : first + 31].any() and shown.sum() == 2 * (len(DATES) - 32)


def test_files_come_back(tmp_path):
    few = FewShotFile("mine", ("a=b",), {"DE-Tha": ("2001-01-02", "2003-04-05")})
    gap = GapFile("mine", (), {"DE-Tha": {1: ("2001-01-02", "2001-01-03"), 30: ("2002-01-01",)}})
    write_questions(few, tmp_path / "few.json")
    write_questions(gap, tmp_path / "gap.json")
    assert read_few_shot(tmp_path / "few.json") == few
    assert read_gaps(tmp_path / "gap.json") == gap


GOOD = {"name": "x", "version": 1, "kind": "few_shot", "sites": {"A": ["2001-01-01"]}}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"version": 2}, "version 2 is unknown"),
        ({"kind": "gap"}, "'few_shot' was expected"),
        ({"sits": {}}, "no key 'sits'; did you mean 'sites'"),
        ({"sites": {}}, "holds no site"),
        ({"sites": {"A": ["2001-1-1"]}}, "'2001-1-1' is no date"),
        ({"sites": {"A": ["2001-01-02", "2001-01-01"]}}, "must increase"),
        ({"sites": {"A": "2001-01-01"}}, "expected a list of dates"),
        ({"name": 3}, "'name' must be text"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path, change, says):
    path = tmp_path / "x.json"
    path.write_text(json.dumps(GOOD | change))
    with pytest.raises(UserError, match=r"x\.json") as caught:
        read_few_shot(path)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_key_and_overlapping_gaps_are_refused(tmp_path):
    path = tmp_path / "x.json"
    path.write_text(json.dumps({key: value for key, value in GOOD.items() if key != "sites"}))
    with pytest.raises(UserError, match="'sites' is missing"):
        read_few_shot(path)
    path.write_text(json.dumps(GOOD | {"kind": "gap", "sites": {"A": {"7": ["2001-01-01", "2001-01-07"]}}}))
    with pytest.raises(UserError, match="gaps of 7 days overlap on 2001-01-07"):
        read_gaps(path)
    path.write_text(json.dumps(GOOD | {"kind": "gap", "sites": {"A": {"a week": ["2001-01-01"]}}}))
    with pytest.raises(UserError, match="lengths in days"):
        read_gaps(path)


@pytest.mark.data
@pytest.mark.parametrize("name", RECIPES)
def test_the_committed_questions_are_the_draw(data_root, name):
    read = read_few_shot if name.startswith("few_shot") else read_gaps
    assert read(QUESTIONS / f"{name}.json") == make(name, data_root)


def test_the_longest_shown_stretch_ends_before_what_is_scored():
    assert max(questions.SHOWN_DAYS) <= questions.SCORED_AFTER
