"""Tables on paper and on screens: no digit is lost, however narrow."""

import io
import re
from pathlib import Path

import pytest
from raciflux.evaluation.comparison.compare import compare
from raciflux.evaluation.comparison.console import print_comparison
from raciflux.evaluation.console import print_evaluation
from raciflux.evaluation.evaluate import score_run
from rich.console import Console

from .fabricated import fabricate_predictions, fabricate_run, with_distance

LONG = "a_rather_long_name_of_a_model_that_somebody_gave_it_in_a_sweep"
NUMBER = re.compile(r"[−+]?\d[\d,]*(?:\.\d+)?")


def said(show, *, width: int, terminal: bool) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None)
    show(console)
    return console.file.getvalue()


def numbers(text: str) -> list[str]:
    """Every number of the tables, in any order: wrapped cells come in other lines."""
    return sorted(NUMBER.findall("\n".join(line for line in text.splitlines() if not line.startswith("report:"))))


@pytest.fixture
def shown(tmp_path: Path, written):
    predictions = with_distance(fabricate_predictions(sites=4, model=LONG))
    run = fabricate_run(tmp_path / "run", predictions, ("ct_lstm",))
    (evaluation,) = score_run(run)
    comparison = compare([written(model=LONG), written(model="lstm", error=1.2)], draws=120)
    return {
        "evaluation": lambda console: print_evaluation(evaluation, console),
        "comparison": lambda console: print_comparison(comparison, console),
    }


@pytest.mark.parametrize("what", ["evaluation", "comparison"])
def test_a_file_holds_the_whole_table_at_80_columns(shown, what: str):
    text = said(shown[what], width=80, terminal=False)
    rows = [line for line in text.splitlines() if line.strip().startswith(LONG)]
    assert rows and "…" not in text
    assert max(map(len, rows)) < len(LONG) + 160, "as wide as it needs to be"
    assert numbers(text) == numbers(said(shown[what], width=400, terminal=False))


@pytest.mark.parametrize("width", [80, 50, 20])
@pytest.mark.parametrize("what", ["evaluation", "comparison"])
def test_a_narrow_terminal_wraps_names_and_cuts_no_number(shown, what: str, width: int):
    text = said(shown[what], width=width, terminal=True)
    assert "…" not in text
    assert numbers(text) == numbers(said(shown[what], width=400, terminal=True))


@pytest.mark.parametrize("name", ["[bold]x", "[/]", "[/red] y", "[link=https://example.org]z"])
def test_brackets_in_names_from_data_are_shown_and_style_nothing(tmp_path: Path, name: str):
    predictions = fabricate_predictions(sites=3, model=name, odd_sites=(name,))
    predictions["site_id"] = ("site", [name, "XX-S01", "XX-S02"])
    predictions["igbp"] = ("site", [name, "GRA", "GRA"])
    predictions.attrs["units"] = name
    (evaluation,) = score_run(fabricate_run(tmp_path / name.replace("/", "_"), predictions))
    text = said(lambda console: print_evaluation(evaluation, console), width=200, terminal=False)
    assert text.count(name) >= 3  # a model, a unit, an odd site


def test_trust_is_told_of_a_model_with_a_bank_and_of_no_other(tmp_path: Path):
    known = with_distance(fabricate_predictions(sites=24))
    (evaluation,) = score_run(fabricate_run(tmp_path / "bank" / "run", known, ()))
    text = said(lambda console: print_evaluation(evaluation, console), width=160, terminal=False)
    found = evaluation.run.summary["scores"]["measured"]["trust"]["rank_correlation"]["farthest"]["value"]
    line = next(line for line in text.splitlines() if line.strip().startswith("the larger of both"))
    assert f"{found:.3f}" in line and "24" in line and "12" in line
    (evaluation,) = score_run(fabricate_run(tmp_path / "none" / "run", fabricate_predictions(sites=4), ()))
    assert "bank" not in said(lambda console: print_evaluation(evaluation, console), width=160, terminal=False)
