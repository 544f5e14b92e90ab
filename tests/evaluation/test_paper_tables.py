import re
import shutil
import subprocess
from pathlib import Path

import polars as pl
import pytest
from raciflux.evaluation.evaluate import Evaluation, score_run
from raciflux.evaluation.latex import escaped, unit
from raciflux.evaluation.paper_tables import latex_tables, write_paper_tables

from .fabricated import fabricate_predictions, fabricate_run, with_uncertainty

PDFLATEX = shutil.which("pdflatex")
NASTY = r"50%_of #1 & $x^2$ {a}\b ~ Größe 面"


@pytest.fixture
def evaluation(tmp_path: Path) -> Evaluation:
    predictions = with_uncertainty(fabricate_predictions(sites=6, years=4, odd_sites=("XX-S02",)))
    return score_run(fabricate_run(tmp_path / "run", predictions.assign_attrs(model="raci_v1", causal=0)))[0]


def test_the_csv_files_hold_the_numbers_of_metrics_json(evaluation: Evaluation, tmp_path: Path):
    write_paper_tables(evaluation.run, evaluation.baselines, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "sites.csv",
        "summary.csv",
        "table.tex",
    ]
    summary, sites = pl.read_csv(tmp_path / "summary.csv"), pl.read_csv(tmp_path / "sites.csv")
    assert summary.height == 3 * 2 * 2 and sites.height == 3 * 2 * 6
    for model in evaluation.models:
        row = summary.filter(model=model.model, score="measured", odd_sites="in").row(0, named=True)
        block = model.summary["scores"]["measured"]
        assert row["per_site.r2.median"] == pytest.approx(block["per_site"]["r2"]["median"])
        assert row["time_scales.anomaly.pooled.r2"] == pytest.approx(block["time_scales"]["anomaly"]["pooled"]["r2"])
        assert row["error_parts.mse.season"] == pytest.approx(block["error_parts"]["mse"]["season"])
        assert (row["sites"], row["clusters"], row["days"]) == (6, 3, block["days"])
        assert summary.filter(model=model.model, score="measured", odd_sites="out")["sites"].item() == 5
        own = sites.filter(model=model.model, score="measured", site_id="XX-S04").row(0, named=True)
        assert own["rmse"] == pytest.approx(model.sites.filter(score="measured", site_id="XX-S04")["rmse"].item())
    assert summary["intervals.bounds.coverage.mean"].null_count() == 0


def rows_of(text: str) -> list[list[str]]:
    return [re.split(r"(?<!\\)&", line) for line in text.splitlines() if line.endswith(r"\\")]


def test_the_latex_is_well_formed(evaluation: Evaluation):
    text = latex_tables(evaluation.run, evaluation.baselines)
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", body):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0 and len(re.findall(r"(?<!\\)\$", body)) % 2 == 0
    assert body.count(r"\begin{table}") == body.count(r"\end{table}") == 4
    assert {len(row) for row in rows_of(body)} == {8}
    assert not re.search(r"(?<!\\)[%#]|[^\x00-\x7f]", body) and r"raci\_v1 (not causal)" in body
    block = evaluation.run.summary["scores"]["measured"]
    assert f"${block['per_site']['r2']['median']:.2f}$ $[" in body and f"{block['days']:,}".replace(",", r"\,") in body


def test_undefined_numbers_are_dashes(tmp_path: Path):
    predictions = fabricate_predictions(sites=2).assign_attrs(min_scored_days=10_000)
    (nothing,) = score_run(fabricate_run(tmp_path / "run", predictions, ()))
    text = latex_tables(nothing.run, [])
    write_paper_tables(nothing.run, [], tmp_path / "tables")
    assert "raci & -- & -- & -- & -- & 0 & 0 & 0" in text and "nan" not in text.lower()


def test_text_is_escaped_and_units_raised():
    assert escaped("a_b 5% & #") == r"a\_b 5\% \& \#" and escaped("a\nb") == "a b"
    assert unit("gC m-2 d-1") == "gC m$^{-2}$ d$^{-1}$"


@pytest.mark.skipif(PDFLATEX is None, reason="no LaTeX on this machine")
@pytest.mark.parametrize("model", ["raci_v1", NASTY])
def test_latex_compiles_it(evaluation: Evaluation, tmp_path: Path, model: str):
    evaluation.run.summary["model"] = model
    write_paper_tables(evaluation.run, evaluation.baselines, tmp_path)
    (tmp_path / "paper.tex").write_text(
        r"\documentclass{article}\usepackage[utf8]{inputenc}\usepackage{booktabs}"
        r"\begin{document}\input{table.tex}\end{document}"
    )
    command = [str(PDFLATEX), "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=60)
    assert done.returncode == 0, done.stdout[-2000:]
