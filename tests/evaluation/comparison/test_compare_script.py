import csv
import json
from pathlib import Path

import pytest
from raciflux.errors import UserError
from raciflux.evaluation.comparison.folders import compare_folders

from ..fabricated import fabricate_predictions, fabricate_run, fabricate_targets
from ..test_evaluate_script import evaluate


def test_one_run_is_compared_with_the_models_beside_it(run: Path):
    done = evaluate("compare", run, "--draws", 200)
    assert done.returncode == 0 and done.stderr == ""
    for said in ("GPP (partitioned)", "raci", "ct_lstm", "− raci", "6 clusters are too few", "XX-S00", "chosen on"):
        assert said in done.stdout, said
    stored = json.loads((run / "comparison" / "comparison.json").read_text())
    (compared,) = compare_folders([run], draws=200).values()
    pair = stored["scores"][0]["pairs"][0]
    assert (pair["model"], pair["reference"]) == ("ct_lstm", "raci")
    value = compared.scores[0].pairs[0].differences["mean_rmse"].value
    assert pair["differences"]["mean_rmse"] == {"value": value, "low": None, "high": None, "p": None, "p_holm": None}
    rows = list(csv.DictReader((run / "comparison" / "comparison.csv").open()))
    (row,) = [
        row
        for row in rows
        if (row["score"], row["model"], row["reference"], row["statistic"])
        == ("measured", "ct_lstm", "raci", "mean_rmse")
    ]
    assert float(row["value"]) == value and row["low"] == "" and row["clusters"] == "6"


def test_runs_with_intervals_through_the_script(tmp_path: Path):
    predictions = [fabricate_predictions(sites=24, error=error) for error in (0.8, 0.81)]
    runs = [
        fabricate_run(tmp_path / f"raci{seed}", one.assign_attrs(seed=seed), ("ct_lstm",))
        for seed, one in enumerate(predictions)
    ]
    done = evaluate("compare", *runs, "--draws", 200, "--score", "measured", "--output", tmp_path / "tables")
    assert done.returncode == 0 and done.stderr == ""
    stored = json.loads((tmp_path / "tables" / "comparison.json").read_text())
    assert [(line["model"], line["seeds"]) for line in stored["scores"][0]["models"]] == [
        ("raci", [0, 1]),
        ("ct_lstm", [0, 1]),
    ], "seeds of one model bring the models beside them"
    assert [one["score"] for one in stored["scores"]] == ["measured"]
    difference = stored["scores"][0]["pairs"][0]["differences"]["mean_rmse"]
    assert difference["low"] < difference["value"] < difference["high"]
    assert f"{difference['low']:+.2f} to {difference['high']:+.2f}".replace("-", "−") in done.stdout
    latex = (tmp_path / "tables" / "comparison.tex").read_text()
    assert (
        r"ct\_lstm $-$ raci &" in latex and latex.count(r"\begin{tabular}") == 2 and r"$\Delta$ median R$^{2}$" in latex
    )
    assert (
        latex.count(r"\caption{GPP (partitioned) [gC m$^{-}$$^{2}$ d$^{-}$$^{1}$] at unseen sites, measured: 24") == 2
    )
    table = [line for line in latex.splitlines() if line.endswith(r"\\")]
    assert {line.count("&") - line.count(r"\&") for line in table} == {6, 7}, "models, and pairs"
    assert r"& in \% &" in latex
    assert not any("?" in line for line in latex.splitlines()), "a letter that LaTeX is not told of"


def test_several_targets_are_compared_in_turn(tmp_path: Path):
    run = fabricate_targets(tmp_path / "run")
    done = evaluate("compare", run, "--draws", 200)
    assert done.returncode == 0 and done.stderr == ""
    assert "GPP (partitioned)" in done.stdout and "NEE [" in done.stdout
    for target in ("GPP", "NEE"):
        stored = json.loads((run / "comparison" / target / "comparison.json").read_text())
        assert stored["target"] == target
    assert list(compare_folders([run], target="NEE", draws=200)) == ["NEE"]


def test_a_target_that_only_one_run_has(tmp_path: Path):
    several = fabricate_targets(tmp_path / "several")
    gpp, nee = (
        fabricate_run(tmp_path / target, fabricate_predictions(target=target, model="alone"), ())
        for target in ("GPP", "NEE")
    )
    with pytest.raises(UserError, match="no target is common"):
        compare_folders([gpp, nee])
    with pytest.raises(UserError, match="has no target 'NEE', only GPP"):
        compare_folders([several, gpp], target="NEE")


def test_an_ensemble_is_a_run_like_any_other(tmp_path: Path):
    runs = [
        fabricate_run(tmp_path / f"raci{seed}", fabricate_predictions(error=0.8 + seed / 100).assign_attrs(seed=seed))
        for seed in range(2)
    ]
    ensemble = tmp_path / "ensemble"
    done = evaluate("ensemble", *runs, "--output", ensemble)
    assert done.returncode == 0 and done.stderr == ""
    assert "raci_ensemble" in done.stdout and str(ensemble / "report.html") in done.stdout
    assert (ensemble / "metrics.json").is_file() and len(json.loads((ensemble / "members.json").read_text())) == 2
    assert evaluate(ensemble, "--check").returncode == 0
    again = evaluate("ensemble", *runs, "--output", ensemble)
    assert again.returncode == 2 and again.stdout == "" and again.stderr.count("\n") == 1


def test_refusals_are_one_line_and_status_2(run: Path, tmp_path: Path):
    other = fabricate_run(tmp_path / "other", fabricate_predictions(sites=10, model="lstm"), ())
    done = evaluate("compare", run, other)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
    assert str(other) in done.stderr and "XX-S10" in done.stderr
    assert not (run / "comparison").exists()
