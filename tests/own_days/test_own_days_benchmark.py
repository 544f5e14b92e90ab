"""The benchmark of own days on a tiny world: every method answers, answers are kept, the page holds the tables."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from raciflux.errors import UserError
from raciflux.own_days.question_files import FewShotFile, GapFile, write_questions
from raciflux.own_days.questions import draw_gaps, draw_starts
from raciflux.workflow.adapt import read_base
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.own_days.ask import Question, questions, site_rows
from benchmarks.own_days.main import measure_own_days
from benchmarks.own_days.methods import METHODS, REFERENCES
from benchmarks.own_days.settings import FILES, parse_settings
from benchmarks.own_days.summary import lines
from benchmarks.own_days.table import Table

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def output(calibrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with questions of the tiny world under the names of the committed ones, few of each site."""
    folder = tmp_path_factory.mktemp("raci")
    record = read_base([calibrated]).record
    days = {str(name): record.measured[place] for name, place in record.site.items()}
    starts = {name: draw_starts(name, record.dates, measured)[:1] for name, measured in list(days.items())[:12]}
    gaps = {name: draw_gaps(name, record.dates, measured) for name, measured in list(days.items())[:6]}
    few = {name: {length: firsts[:1] for length, firsts in of.items()} for name, of in gaps.items() if of}
    write_questions(
        FewShotFile("x", (), {name: drawn for name, drawn in starts.items() if drawn} | {"XX-Away": ("2001-01-01",)}),
        folder / "questions" / f"{FILES['few_shot']}.json",
    )
    write_questions(GapFile("x", (), few), folder / "questions" / f"{FILES['gap']}.json")
    return folder


def asked(kind: str, output: Path) -> list[str]:
    return [f"own_days={kind}", f"questions={output}/questions/{FILES[kind]}.json", f"output={output}"]


@pytest.fixture(scope="module", params=["few_shot", pytest.param("gap", marks=pytest.mark.slow)])
def measured(request, calibrated: Path, raci: Path, output: Path) -> tuple[str, Path]:
    kind = request.param
    arguments = [*asked(kind, output), f"base=[{calibrated}]", f"raci=[{raci}]"]
    measure_own_days([*arguments, "draws=100"], QUIET)
    return kind, output


def test_every_method_answers_every_question_on_the_same_days(measured):
    kind, folder = measured
    table = pl.read_csv(folder / f"{kind}.csv")
    asked = {name for name, method in METHODS[kind].items() if method.uses != "fine_tuned"}
    assert set(table["method"]) == asked
    first, days = table.columns[3:5]
    per_question = table.group_by("site", "target", first, days).agg(pl.col("method").len(), pl.col("days").n_unique())
    assert set(per_question["method"]) == {len(asked)} and set(per_question["days"]) == {1}
    if kind == "few_shot":
        zero = table.filter(pl.col("method") == "zero_shot").group_by("site", "start").agg(pl.col("rmse").n_unique())
        assert set(zero["rmse"]) == {1}, "scored on the same days whatever is shown"


def test_the_page_holds_each_method_against_each_reference(measured):
    kind, folder = measured
    page = (folder / f"{kind}.md").read_text()
    for reference in REFERENCES[kind]:
        assert f"against {reference}" in page
    assert page.count("| empirical_bayes |") == 4 * len(REFERENCES[kind])
    assert "`base=[" in page and "`raci=[" in page


def test_without_jobs_the_page_is_written_anew_and_nobody_is_asked(measured, tmp_path):
    kind, folder = measured
    page, answers = folder / f"{kind}.md", folder / f"{kind}.csv"
    before, stamp = page.read_text(), answers.stat().st_mtime_ns
    page.unlink()
    measure_own_days([*asked(kind, folder), "jobs=0", "draws=100"], QUIET)
    assert page.read_text() == before and answers.stat().st_mtime_ns == stamp
    with pytest.raises(UserError, match="holds no answer"):
        measure_own_days([f"own_days={kind}", f"output={tmp_path}", "jobs=0"], QUIET)


def test_a_page_says_which_runs_each_method_was_given(tmp_path):
    row = ("AA-Bog", "AA-Bog", "GPP", "2001-01-01", 7, "zero_shot", 1.0, 30)
    table = Table("few_shot", "few_shot_v1", tmp_path)
    table.add("zero_shot", ["runs/a"], [row])
    table.add("ridge", ["runs/b"], [(*row[:5], "ridge", 0.9, 30)])
    table.write()
    measure_own_days(["own_days=few_shot", f"output={tmp_path}", "jobs=0", "draws=100"], QUIET)
    page = (tmp_path / "few_shot.md").read_text()
    assert "`base=[runs/a]` (zero_shot)" in page and "`base=[runs/b]` (ridge)" in page


def test_answers_are_kept_while_their_runs_are_the_same(calibrated, calibrated_mean, output, measured):
    kind, folder = measured
    arguments = [*asked(kind, folder), "draws=100", "methods=[zero_shot]"]
    path, sidecar = folder / f"{kind}.csv", folder / f"{kind}.runs.json"
    before, stamp = path.read_text(), path.stat().st_mtime_ns
    measure_own_days([*arguments, f"base=[{calibrated}]"], QUIET)
    assert path.stat().st_mtime_ns == stamp
    measure_own_days([*arguments, f"base=[{calibrated_mean}]"], QUIET)
    after = pl.read_csv(path)
    assert json.loads(sidecar.read_text())["methods"]["zero_shot"] == [str(calibrated_mean)]
    old = pl.read_csv(before.encode())
    changed = after.join(old, on=[*old.columns[:6]]).filter(pl.col("rmse") != pl.col("rmse_right"))
    assert set(changed["method"]) == {"zero_shot"} and after.height == old.height


def test_a_method_without_an_answer_is_named(calibrated):
    record = read_base([calibrated]).record
    scored = record.measured[0]
    question = iter([Question("2001-01-01", 7, np.zeros_like(scored), scored)])
    with pytest.raises(UserError, match="silent: no answer for FCH4"):
        site_rows("silent", lambda site, shown: record.flux[site] * np.nan, record, 0, question, np.ones_like(scored))


def test_a_perfect_answer_has_no_error_and_hidden_days_are_not_shown(calibrated):
    record = read_base([calibrated]).record
    (one,) = questions("gap", [("2003-05-01", 30)], record, 0)
    assert not (one.shown & one.scored).any()
    rows = site_rows("all", lambda site, shown: record.flux[site], record, 0, iter([one]), np.ones_like(one.scored))
    assert all(row[6] == 0.0 for row in rows)


def test_lines_hold_pooled_errors_of_sites_against_the_reference():
    rows = [
        {"site": f"s{i}", "cluster": i, "target": "NEE", "method": method, "days_asked": 7, "rmse": rmse, "days": days}
        for i in range(20)
        for method, of_starts in (("zero_shot", ((1.0, 10), (3.0, 30))), ("better", ((0.5, 10), (1.5, 30))))
        for rmse, days in of_starts
    ]
    zero, better = lines(pl.DataFrame(rows), "NEE", "zero_shot", 100)
    assert zero.change == 0 and zero.p is None
    assert zero.rmse == pytest.approx(np.sqrt((10 * 1 + 30 * 9) / 40))
    assert better.change == pytest.approx(-0.5) and better.within == pytest.approx((-0.5, -0.5))
    assert (better.sites, better.clusters) == (20, 20)
    few = pl.DataFrame([row | {"cluster": 0} for row in rows])
    assert [line.within for line in lines(few, "NEE", "zero_shot", 100)] == [None, None]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["own_days=few_shot"], "name the runs that are corrected"),
        (["own_days=gap", "base=[x]", "methods=[ridge]"], "own_days=gap has no 'ridge'"),
        (["own_days=gap", "base=[x]", "methods=[raci_zero_shot]"], "name them with raci=[RUN]"),
        (["own_days=few_shot", "base=[x]", "sede=1"], "speed=... or transfer=... names the benchmark"),
    ],
)
def test_mistakes_are_said_in_one_line(arguments, says):
    with pytest.raises(UserError) as caught:
        parse_settings(arguments)
    assert says in str(caught.value)


def test_other_data_are_refused(calibrated, output, monkeypatch):
    import raciflux.workflow.adapt as adapt

    real = adapt.read_base

    def moved(runs, *, out_of_fold=True):
        base = real(runs, out_of_fold=out_of_fold)
        return base if out_of_fold else replace(base, record=replace(base.record, flux=base.record.flux + 1))

    monkeypatch.setattr(adapt, "read_base", moved)
    with pytest.raises(UserError, match="other data than those of base"):
        measure_own_days(
            ["own_days=few_shot", f"base=[{calibrated}]", f"raci=[{calibrated}]", f"output={output}"], QUIET
        )
