import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from raciflux.errors import UserError
from raciflux.evaluation.console import print_evaluation
from raciflux.evaluation.evaluate import evaluate_run, score_run, stored_differences
from raciflux.evaluation.report.write import write_report
from raciflux.evaluation.run_folder import RunFolder, write_json, write_predictions
from rich.console import Console

from .fabricated import fabricate_predictions, fabricate_run, fabricate_targets

SCRIPT = Path(__file__).parents[2] / "scripts" / "evaluate.py"
TABLES = {"summary.csv", "sites.csv", "table.tex"}
FIGURES = {"comparison", "series", "scatter", "error_map", "neighbours", "context", "learning_curves"}


def evaluate(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "140"}
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)


def store_metrics(run: Path) -> None:
    """Write metrics.json as an evaluation does, without its figures."""
    for model in score_run(run)[0].models:
        write_json(model.summary, model.folder.path / "metrics.json")


def test_a_run_folder_is_all_it_needs(run: Path):
    done = evaluate(run)
    assert done.returncode == 0 and done.stderr == ""
    for model in ("raci", "ct_lstm", "site_mean", "noise ceiling", "partitioned", str(run / "report.html")):
        assert model in done.stdout
    assert {path.stem for path in (run / "figures").iterdir()} == FIGURES
    for folder in (run, run / "baselines" / "ct_lstm"):
        stored = json.loads((folder / "metrics.json").read_text())
        assert stored == score_run(folder)[0].run.summary
    median = stored["scores"]["measured"]["per_site"]["r2"]["median"]
    assert f"{median:.3f}" in done.stdout.replace("−", "-")

    names = ["metrics.json", "report.html", *(f"figures/{name}.png" for name in FIGURES)]
    first = {name: (run / name).read_bytes() for name in names}
    evaluate_run(run)
    assert {name: (run / name).read_bytes() for name in names} == first, "the same run gives the same files"


def test_check_finds_a_number_that_was_touched_and_writes_nothing(run: Path):
    store_metrics(run)
    assert stored_differences(score_run(run)[0]) == []
    file = run / "baselines" / "ct_lstm" / "metrics.json"
    stored = json.loads(file.read_text())
    stored["scores"]["convention"]["pooled"]["rmse"] *= 1.001
    file.write_text(json.dumps(stored))
    before = file.read_text()
    done = evaluate(run, "--check")
    assert done.returncode == 2 and file.read_text() == before
    assert done.stderr.count("\n") == 1 and "ct_lstm" in done.stderr and "scores.convention.pooled.rmse" in done.stderr


def test_check_finds_predictions_that_were_touched(run: Path):
    store_metrics(run)
    predictions = RunFolder(run).predictions()
    predictions["prediction"][0, 100:200] += 1
    write_predictions(predictions, run / "predictions.zarr")
    assert any("scores.convention" in line for line in stored_differences(score_run(run)[0]))


@pytest.mark.parametrize("trouble", ["no folder", "no predictions", "no metadata", "cut chunk"])
def test_missing_or_corrupt_predictions_are_one_line(run: Path, trouble: str):
    store = run / "predictions.zarr"
    if trouble == "no folder":
        run = run / "elsewhere"
    if trouble == "no predictions":
        shutil.rmtree(store)
    if trouble == "no metadata":
        (store / "zarr.json").write_text("{")
    if trouble == "cut chunk":
        chunk = next(path for path in (store / "prediction").rglob("*") if path.is_file() and path.name != "zarr.json")
        chunk.write_bytes(chunk.read_bytes()[:100])
    with pytest.raises(UserError) as caught:
        evaluate_run(run)
    assert "\n" not in str(caught.value) and str(run) in str(caught.value)
    assert not (run / "report.html").exists()


def test_the_script_says_so_and_leaves_with_status_2(tmp_path: Path):
    done = evaluate(tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert str(tmp_path / "predictions.zarr") in done.stderr


def test_a_run_that_scores_no_site_still_has_a_report(tmp_path: Path):
    run = fabricate_run(tmp_path / "run", fabricate_predictions(sites=2).assign_attrs(min_scored_days=10_000), ())
    (evaluation,) = evaluate_run(run)
    assert evaluation.report.is_file()
    assert evaluation.run.summary["scores"]["measured"]["sites"] == 0


def test_baselines_scored_on_other_days_are_pointed_out(run: Path):
    path = run / "baselines" / "ct_lstm" / "predictions.zarr"
    predictions = RunFolder(path.parent).predictions()
    predictions["measured"][2, :100] = False
    write_predictions(predictions, path)
    (evaluation,), console = score_run(run), Console(record=True, width=140)
    print_evaluation(evaluation, console)
    said = "ct_lstm was not scored on the same sites and days as raci (measured)"
    assert said in console.export_text()
    write_report(evaluation.run, evaluation.baselines, [], evaluation.report)
    assert said in evaluation.report.read_text()


def test_a_run_with_two_targets_is_evaluated_twice(tmp_path: Path):
    run = fabricate_targets(tmp_path / "run")
    done = evaluate(run)
    assert done.returncode == 0 and done.stderr == ""
    assert "NEE [" in done.stdout and "GPP (partitioned)" in done.stdout and done.stdout.count("lstm") >= 4
    for target in ("GPP", "NEE"):
        for folder in (run, run / "baselines" / "lstm"):
            assert json.loads((folder / "targets" / target / "metrics.json").read_text())["target"] == target
        assert (run / "targets" / target / "report.html").is_file() and (run / "targets" / target / "figures").is_dir()
        assert {path.name for path in (run / "targets" / target / "tables").iterdir()} == TABLES
    assert "targets/NEE/report.html" in (run / "report.html").read_text()
    assert not (run / "metrics.json").exists() and not (run / "figures").exists() and not (run / "tables").exists()
    assert evaluate(run, "--check").returncode == 0


def test_the_folder_of_one_target_is_not_taken_for_a_run(tmp_path: Path):
    run = fabricate_targets(tmp_path / "run")
    for path in (run / "targets" / "GPP", run / "baselines" / "lstm" / "targets" / "GPP"):
        with pytest.raises(UserError, match="one target of the run") as caught:
            evaluate_run(path)
        assert str(caught.value).endswith(str(path.parents[1])) and "\n" not in str(caught.value)
        assert not (path / "report.html").exists()


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_usage_names_every_command(arguments):
    done = evaluate(*arguments)
    assert "{run,compare,ensemble,adapt}" in done.stdout + done.stderr


def test_new_years_are_not_called_unseen_sites(tmp_path: Path):
    run = fabricate_run(tmp_path / "run", fabricate_predictions(sites=4).assign_attrs(question="new_years", causal=0))
    (evaluation,), console = evaluate_run(run), Console(record=True, width=140)
    print_evaluation(evaluation, console)
    said = console.export_text()
    assert "in new years at known sites" in said and "unseen" not in said
    assert "raci (not causal)" in said and "raci is not causal" in said
    assert "unseen sites" not in evaluation.report.read_text()
