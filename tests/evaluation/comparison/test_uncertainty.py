"""Coverage, width at matched coverage and CRPS of models compared: against loops, and only where all have them."""

import shutil
import subprocess
from dataclasses import asdict

import numpy as np
import pytest
from raciflux.evaluation.comparison.bootstrap import cluster_draws
from raciflux.evaluation.comparison.compare import compare
from raciflux.evaluation.comparison.files import comparison_tex, write_comparison
from raciflux.evaluation.comparison.tables import comparison_notes, uncertainty_tables
from raciflux.evaluation.evaluate import _differences
from raciflux.evaluation.scored import ScoredRun
from raciflux.evaluation.scores.intervals import Intervals
from raciflux.evaluation.scores.tables import scored_days

from ..fabricated import fabricate_predictions, with_uncertainty

DRAWS = 120


def made_up(model="raci", error=1.0, seed=0, sites=24, **options):
    """Predictions with intervals and quantiles."""
    predictions = fabricate_predictions(sites=sites, years=1, model=model, error=error + seed / 100)
    return with_uncertainty(predictions.assign_attrs(seed=seed, min_scored_days=60), **options)


def stretched(predictions, factor):
    middle, half = (predictions["lower"] + predictions["upper"]) / 2, (predictions["upper"] - predictions["lower"]) / 2
    return predictions.assign(lower=middle - factor * half, upper=middle + factor * half)


@pytest.fixture(scope="module")
def several():
    return [made_up(), made_up(seed=1), made_up("lstm", 1.3)]


def test_a_models_numbers_are_those_of_its_metrics_averaged_over_seeds(written, several):
    runs = [written(one) for one in several]
    for under in compare(runs, draws=DRAWS).scores:
        blocks = [ScoredRun.of(run).summary["scores"][under.score]["intervals"] for run in runs]
        for line, of_seeds in zip(under.models, (blocks[:2], blocks[2:]), strict=True):
            found = {name: line.estimates[name].value for name in ("coverage", "matched_width", "crps")}
            assert found["coverage"] == pytest.approx(np.mean([one["bounds"]["coverage"]["mean"] for one in of_seeds]))
            assert found["crps"] == pytest.approx(np.mean([one["quantiles"]["crps"]["mean"] for one in of_seeds]))
            exact = np.mean([one["bounds"]["matched"]["width"] for one in of_seeds])
            assert found["matched_width"] == pytest.approx(exact, rel=2e-4), "a grid of factors"
        assert under.interval_level == 0.9


def test_the_factor_is_found_inside_each_draw(written, several):
    first, other = several[0], several[2]
    under = compare([written(first), written(other)], draws=DRAWS, scores=["measured"]).scores[0]
    widths = []
    for predictions in (first, other):
        scored = scored_days(predictions, "measured")
        enters = np.flatnonzero(scored.sum(1) >= 60)
        counts = cluster_draws(predictions["cluster"].to_numpy()[enters], DRAWS)
        widths.append(
            [
                Intervals.of(predictions.isel(site=drawn), scored[drawn]).matched(np.ones(len(drawn), bool))["width"]
                for drawn in (np.repeat(enters, row) for row in counts)
            ]
        )
    (difference,) = [pair.differences["matched_width"] for pair in under.pairs]
    expected = np.quantile(np.subtract(widths[1], widths[0]), [0.025, 0.975])
    assert (difference.low, difference.high) == pytest.approx(expected, rel=0.02)
    fixed = np.quantile(widths[1], [0.025, 0.975])
    own = under.models[1].estimates["matched_width"]
    assert (own.low, own.high) == pytest.approx(fixed, rel=0.01)


def test_models_that_differ_in_the_nominal_width_alone_do_not_differ(written, several):
    wide = stretched(several[0], 3).assign_attrs(model="wide")
    under = compare([written(several[0]), written(wide)], draws=DRAWS, scores=["measured"]).scores[0]
    raci, other = (line.estimates for line in under.models)
    assert other["coverage"].value > raci["coverage"].value + 0.05
    difference = under.pairs[0].differences["matched_width"]
    assert abs(difference.value) < 0.005 * raci["matched_width"].value
    assert max(abs(difference.low), abs(difference.high)) < 0.01 * raci["matched_width"].value
    assert under.pairs[0].differences["crps"].value == 0.0, "the quantiles are the same"
    assert difference.p is None, "the claims are of RMSE"


def test_intervals_too_wide_or_too_narrow_for_any_factor_are_undefined_not_wrong(written, several):
    for factor in (1e-6, 1e6):
        odd = stretched(several[0], factor).assign_attrs(model="odd")
        under = compare([written(several[0]), written(odd)], draws=DRAWS, scores=["measured"]).scores[0]
        estimate = under.models[1].estimates["matched_width"]
        assert (estimate.value, estimate.low, estimate.high) == (None, None, None)


UNLIKE = {
    "no intervals": lambda run: run.drop_vars(["lower", "upper"]),
    "another level": lambda run: run.assign_attrs(interval_level=0.8),
    "other days": lambda run: run.assign(
        lower=run["lower"].where(run["time"].dt.month > 6), upper=run["upper"].where(run["time"].dt.month > 6)
    ),
}


@pytest.mark.parametrize("why", UNLIKE)
def test_intervals_that_are_not_alike_are_left_out(written, several, why):
    comparison = compare([written(several[0]), written(UNLIKE[why](several[2]))], draws=DRAWS)
    for under in comparison.scores:
        assert all("matched_width" not in line.estimates and "crps" in line.estimates for line in under.models)
        assert [header for header, _ in uncertainty_tables(under)] == [("model", "CRPS"), ("models", "Δ CRPS")]
        assert under.interval_level is None
    assert not any("matched" in line for line in comparison_notes(comparison))


def test_quantiles_of_other_levels_are_left_out(written, several):
    coarse = made_up("lstm", 1.3, quantiles=9)
    under = compare([written(several[0]), written(coarse)], draws=DRAWS).scores[0]
    assert "crps" not in under.pairs[0].differences and "matched_width" in under.pairs[0].differences
    bare = [one.drop_vars(["lower", "upper", "prediction_quantile", "quantile"]) for one in (several[0], several[2])]
    assert uncertainty_tables(compare([written(one) for one in bare], draws=DRAWS).scores[0]) == []


def test_single_folds_and_another_order_of_sites_give_the_same_numbers(written, several):
    raci, lstm = several[0], several[2]
    fold = raci["fold"].to_numpy()
    parts = [written(raci.isel(site=np.flatnonzero(fold == k)[::-1])) for k in range(5)]
    whole = compare([written(raci), written(lstm)], draws=DRAWS).scores
    pooled = compare([*parts, written(lstm)], draws=DRAWS).scores
    assert "crps" in pooled[0].models[0].estimates and "coverage" in pooled[1].models[0].estimates
    for one, other in zip(pooled, whole, strict=True):
        assert list(_differences(asdict(one), asdict(other), "")) == []


def test_the_tables_and_files_show_them(written, several, tmp_path):
    comparison = compare([written(one) for one in several], draws=DRAWS)
    under = comparison.scores[0]
    (header, rows), (_, pairs) = uncertainty_tables(under)
    assert header == ("model", "coverage", "width at matched coverage", "CRPS") and len(rows) == 2 and len(pairs) == 1
    assert rows[0][1].startswith(f"{under.models[0].estimates['coverage'].value:.3f}\n")
    write_comparison(comparison, tmp_path)
    assert ",matched_width," in (tmp_path / "comparison.csv").read_text()
    assert "width at matched coverage" in comparison_tex(comparison)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
def test_latex_compiles_the_tables(written, several, tmp_path):
    nasty = several[2].assign_attrs(model=r"50%_of #1 & $x^2$ {a}\b ~ 面")
    (tmp_path / "tables.tex").write_text(comparison_tex(compare([written(several[0]), written(nasty)], draws=DRAWS)))
    (tmp_path / "paper.tex").write_text(
        r"\documentclass{article}\usepackage[utf8]{inputenc}\usepackage{booktabs}"
        r"\begin{document}\input{tables.tex}\end{document}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=60)
    assert done.returncode == 0, done.stdout[-2000:]


def test_notes_say_what_is_understated_and_what_validation_has_seen(written):
    runs = [written(score=0.9, seed=seed) for seed in range(3)]
    notes = comparison_notes(compare([*runs, written(model="lstm", score=0.8)], draws=DRAWS))
    assert any("2/3 of 3 seeds" in line and "understate" in line for line in notes)
    assert any("validation sites of one fold are tested in others" in line for line in notes)
    alone = comparison_notes(compare([written(), written(model="lstm")], draws=DRAWS))
    assert not any("understate" in line or "of one fold" in line for line in alone)
    years = [one.predictions().assign_attrs(question="new_years") for one in (runs[0], written(model="lstm"))]
    shown = comparison_notes(compare([written(one, score=0.5) for one in years], draws=DRAWS))
    assert not any("of one fold" in line for line in shown)
