"""What W&B is told after evaluation: the report's numbers, tables, figures and page, and no path of this machine."""

import json
import sys
from dataclasses import replace

import pytest
from raciflux.config.raci import RaciConfig
from raciflux.config.schema import Config, DataConfig, LoggerConfig
from raciflux.evaluation.evaluate import evaluate_run
from raciflux.evaluation.scores.tables import summary
from raciflux.workflow import tracking_results
from raciflux.workflow.tracking_results import log_results, sorting_keys

from evaluation.fabricated import (
    fabricate_predictions,
    fabricate_run,
    fabricate_targets,
    with_distance,
    with_uncertainty,
)

from .wandb_files import offline_runs

CANARY = "canary-77ab-never-to-be-sent"
CONFIG = Config(
    experiment="trial",
    data=DataConfig(pair="terrestrial_gpp"),
    model=RaciConfig(),
    logger=LoggerConfig(wandb="offline", tags=["mine"]),
)
SAVED = f"""experiment: trial
output: /{CANARY}/runs
data:
  pair: terrestrial_gpp
  root: /{CANARY}/data
  source: {{kind: table, path: /{CANARY}/flux/daily.csv}}
model: {{name: raci, hidden: 64}}
logger: {{entity: {CANARY}}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run with baselines, odd sites and intervals, evaluated and told twice, secrets and paths lying about."""
    path = tmp_path_factory.mktemp(CANARY) / "20260101-raci"
    predictions = with_uncertainty(fabricate_predictions(odd_sites=("XX-S01",))).assign_attrs(seed=4, causal=1)
    predictions = with_distance(predictions)
    fabricate_run(path, predictions)
    for model in (path, path / "baselines" / "ct_lstm"):
        (model / "config.yaml").write_text(SAVED)
    (path / "command.txt").write_text(f"python scripts/train.py data=/{CANARY}/mine.yaml\n")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("WANDB_API_KEY", "USER", "LOGNAME", "SOME_SECRET"):
            patch.setenv(name, CANARY)
        patch.setattr("socket.gethostname", lambda: CANARY)
        for _ in range(2):
            log_results(CONFIG, path, evaluate_run(path))
    return path


@pytest.fixture(scope="module")
def told(folder):
    """The first session of each model, by name."""
    return {one.run.display_name: one for one in reversed(offline_runs(folder))}


def test_each_model_has_one_result_in_the_group_of_its_experiment(told):
    assert set(told) == {"raci-GPP-s4", "ct_lstm-GPP-s4", "site_mean-GPP-s4"}
    for name, one in told.items():
        assert (one.run.run_group, one.run.job_type, one.exit_code) == ("trial", "result", 0)
        assert set(one.run.tags) == {name.split("-")[0], "terrestrial_gpp", "GPP", "all folds", "seed4", "mine"}
        assert one.config["run"] == "20260101-raci" and one.config["question"] == "unseen"
    assert told["raci-GPP-s4"].config["model"] == {"name": "raci", "hidden": 64}
    assert told["raci-GPP-s4"].config["data"]["source"]["path"] == "daily.csv"


def test_runs_are_sorted_by_the_numbers_of_metrics_json(folder, told):
    for name, place in {"raci": folder, "site_mean": folder / "baselines" / "site_mean"}.items():
        block = json.loads((place / "metrics.json").read_text())["scores"]["measured"]
        sent = told[f"{name}-GPP-s4"].summary
        said = {
            "score/measured/median_r2": block["per_site"]["r2"]["median"],
            "score/measured/median_rmse": block["per_site"]["rmse"]["median"],
            "score/measured/pooled_r2": block["pooled"]["r2"],
            "score/measured/sites": block["sites"],
            "scale/measured/anomaly/median_r2": block["time_scales"]["anomaly"]["per_site"]["r2"]["median"],
            "scale/measured/monthly/pooled_rmse": block["time_scales"]["monthly"]["pooled"]["rmse"],
            "ceiling/measured/median_r2": block["noise_ceiling"]["per_site"]["r2"]["median"],
            "interval/measured/coverage": block["intervals"]["bounds"]["coverage"]["mean"],
            "interval/measured/width": block["intervals"]["bounds"]["width"]["mean"],
            "interval/measured/crps": block["intervals"]["quantiles"]["crps"]["mean"],
            "trust/measured/rank_correlation": block["trust"]["rank_correlation"]["farthest"]["value"],
            "trust/measured/gain": block["trust"]["gain"]["farthest"]["value"],
        }
        assert {key: sent[key] for key in said} == pytest.approx(said)
        assert "score/convention/median_r2" in sent


def test_a_number_that_is_undefined_is_not_sent():
    predictions = fabricate_predictions(sites=4, with_expected=False)
    predictions.attrs["min_scored_days"] = 10_000  # no site enters
    keys = sorting_keys(summary(predictions))
    assert keys["score/measured/sites"] == 0 and "score/measured/median_r2" not in keys
    assert not any(name.startswith(("ceiling", "interval", "trust")) for name in keys)
    assert all(isinstance(value, int | float) for value in keys.values())


def test_the_tables_of_the_report_are_there_as_numbers(folder, told):
    main = told["raci-GPP-s4"]
    block = json.loads((folder / "metrics.json").read_text())["scores"]["measured"]
    headline = [row for row in main.table("tables/headline") if row["score"] == "measured"]
    assert [row["model"] for row in headline] == ["raci", "ct_lstm", "site_mean", "noise ceiling"]
    assert headline[0]["median_r2"] == block["per_site"]["r2"]["median"] and headline[0]["days"] == block["days"]
    scales = {(row["score"], row["model"], row["scale"]): row for row in main.table("tables/time_scales")}
    assert scales["measured", "raci", "weekly"]["values"] == block["time_scales"]["weekly"]["values"]
    groups = {(row["score"], row["model"], row["by"], row["label"]): row for row in main.table("tables/groups")}
    assert groups["measured", "raci", "igbp", "ENF"]["median_r2"] == block["by"]["igbp"]["ENF"]["median_r2"]
    sites = main.table("tables/sites")
    assert len(sites) == 24 and {"site_id", "lat", "r2", "rmse", "enters"} <= set(sites[0])


def test_trust_reasons_and_neighbours_are_tables_too(folder, told):
    main = told["raci-GPP-s4"]
    block = json.loads((folder / "metrics.json").read_text())["scores"]["measured"]["trust"]
    trust = {(row["score"], row["model"], row["distance"]): row for row in main.table("tables/trust")}
    slow = trust["measured", "raci", "slow role"]
    assert slow["rank_correlation"] == block["rank_correlation"]["slow"]["value"]
    assert slow["gain"] == block["gain"]["slow"]["value"] and slow["clusters"] == block["clusters"] == 6
    context = main.table("tables/context")
    assert {row["model"] for row in context} == {"raci"}
    assert [row["level"] for row in context] == ["months", "years", "statics"]
    assert context[0]["largest"] == 1.0 and context[0]["sites"] == 12
    shown = main.table("tables/neighbours")
    assert len(shown) == 12 * 32 and {"site_id", "role", "kind", "neighbour_id", "weight"} <= set(shown[0])


def test_a_baseline_has_its_own_sites_and_leaves_the_rest_to_the_run(told):
    baseline = told["site_mean-GPP-s4"]
    names = {name for row in baseline.history for name in row if not name.startswith("_")}
    assert {name.rsplit("/", 1)[0] for name in names} == {"tables/sites"}
    assert baseline.table("tables/sites") != told["raci-GPP-s4"].table("tables/sites")


def test_figures_and_report_are_there(folder, told):
    files = told["raci-GPP-s4"].folder / "files" / "media"
    drawn = {path.stem for path in (folder / "figures").glob("*.png")}
    assert {"comparison", "scatter", "learning_curves", "distance_map", "trust", "context"} <= drawn
    assert {path.name.split("_")[0] for path in files.rglob("*.png")} == {name.split("_")[0] for name in drawn}
    captions = [v for row in told["raci-GPP-s4"].history for k, v in row.items() if k.startswith("figures/scatter/cap")]
    assert captions and "scored days" in captions[0]
    (page,) = files.rglob("*.html")
    assert "median R²" in page.read_text() and "hidden: 64" in page.read_text()


def test_nothing_about_the_machine_is_sent(folder, told):
    for session in offline_runs(folder):
        sent = "\n".join(session.sent)
        files = [path for path in (session.folder / "files").rglob("*") if path.is_file()]
        content = b"".join(path.read_bytes() for path in files).decode(errors="replace")
        assert session.run.host == "" and files
        assert "artifact {" not in sent  # its manifest would tell where the file lay here
        for secret in (CANARY, str(folder), sys.executable):
            assert secret not in sent and secret not in content
    assert CANARY in (folder / "report.html").read_text()  # what stays at home does say where things lie


def test_told_again_it_is_the_same_run(folder):
    sessions = offline_runs(folder)
    assert len(sessions) == 6 and len({one.run.run_id for one in sessions}) == 3
    assert (folder / "wandb_result_id.txt").read_text().strip() in {one.run.run_id for one in sessions}


def test_each_target_is_a_result_of_its_own(tmp_path):
    path = fabricate_targets(tmp_path / "run")
    log_results(CONFIG, path, evaluate_run(path))
    sessions = offline_runs(path)
    assert {one.run.display_name for one in sessions} == {"raci-GPP", "raci-NEE", "lstm-GPP", "lstm-NEE"}
    assert len({one.run.run_id for one in sessions}) == 4


def test_a_single_fold_is_named_and_a_page_too_large_stays_at_home(tmp_path, monkeypatch):
    predictions = fabricate_predictions(sites=4)
    fabricate_run(tmp_path / "run", predictions.assign(fold=("site", [3] * 4)), baselines=())
    monkeypatch.setattr(tracking_results, "LARGEST_PAGE", 1000)
    log_results(CONFIG, tmp_path / "run", evaluate_run(tmp_path / "run"))
    (session,) = offline_runs(tmp_path / "run")
    assert "fold3" in session.run.tags
    assert list(session.folder.rglob("*.png")) and not list(session.folder.rglob("*.html"))


def test_switched_off_it_writes_nothing_and_needs_no_wandb(tmp_path, monkeypatch):
    path = fabricate_run(tmp_path / "run", fabricate_predictions(sites=4), baselines=())
    evaluations = evaluate_run(path)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setitem(sys.modules, "wandb", None)  # importing it fails
    log_results(replace(CONFIG, logger=LoggerConfig(wandb="disabled")), path, evaluations)
    assert sorted(tmp_path.rglob("*")) == before
