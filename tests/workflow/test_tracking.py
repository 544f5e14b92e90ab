"""What W&B is told while a model trains: one run a training, readable curves, and nothing about the machine."""

import ast
import math
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import wandb
from raciflux.config.raci import RaciConfig, RetrievalConfig
from raciflux.config.schema import Config, DataConfig, LoggerConfig
from raciflux.config.sources import TableSource
from raciflux.config.transfer import StageConfig, TransferConfig
from raciflux.errors import UserError
from raciflux.workflow import tracking_run
from raciflux.workflow.progress import RunProgress
from raciflux.workflow.stages import StageFolder, build_bank, build_module, fit, quiet
from raciflux.workflow.tracking import steps_an_epoch, tracked_training
from raciflux.workflow.tracking_run import has_key, public

from worlds import tiny_cube, tiny_data

from .wandb_files import offline_runs

CANARY = "canary-5d1e-never-to-be-sent"
STAGE = StageConfig(steps=30, batch_size=8, check_every=10, patience=100, learning_rate=0.02)
SOURCE = TableSource(columns="fluxnet2015", path=f"/{CANARY}/daily.parquet", sites=f"{CANARY}/sites.csv")
CONFIG = Config(
    experiment="tiny",
    seed=7,
    output=f"/{CANARY}/runs",
    data=DataConfig(pair="terrestrial_gpp", root=f"/{CANARY}/data", source=SOURCE),
    model=RaciConfig(hidden=6, regime=4, embedding=3, retrieval=RetrievalConfig(neighbours=2, width=3)),
    transfer=TransferConfig(name="scratch", finetune=STAGE),
    logger=LoggerConfig(wandb="offline", project="flux", tags=["mine"]),
)
DISABLED = replace(CONFIG, logger=LoggerConfig(wandb="disabled"))


class BrokenError(Exception):
    """Stands for a training that fails."""


@pytest.fixture(scope="module")
def data():
    return tiny_data(tiny_cube(), batch_size=STAGE.batch_size)


def train(data, tracked, folder, *stages):
    quiet()
    for name in stages:
        module = build_module(CONFIG, STAGE, data, build_bank(CONFIG, data))
        place = StageFolder(folder, name)
        fit(CONFIG, STAGE, place, data, module, [], tracked.stage(name, data), RunProgress(1, False, False))


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    """A run folder whose training was tracked: both stages in a first session, the end again in a second."""
    run = tmp_path_factory.mktemp("output") / "20260101-raci"
    fold = run / "fold2"
    fold.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_API_KEY", CANARY)
        patch.setenv("USER", CANARY)
        patch.setattr("socket.gethostname", lambda: CANARY)
        with tracked_training(CONFIG, fold, 2) as tracked:
            train(data, tracked, fold, "pretrain", "towers")
            tracked.score(0.25)
        with tracked_training(CONFIG, fold, 2) as tracked:
            tracked.score(0.5)
    return run


@pytest.fixture(scope="module")
def told(folder):
    return next(one for one in offline_runs(folder) if one.history)


def test_a_training_stands_under_its_experiment_with_model_fold_and_seed(told):
    run = told.run
    assert (run.project, run.run_group, run.job_type, run.display_name) == ("flux", "tiny", "train", "raci-fold2-s7")
    assert set(run.tags) == {"raci", "terrestrial_gpp", "fold2", "seed7", "mine"}
    assert told.exit_code == 0


def test_runs_of_a_sweep_stand_under_its_name(tmp_path):
    logger = replace(CONFIG.logger, group="twelve_seeds")
    with tracked_training(replace(CONFIG, logger=logger), tmp_path, 0) as tracked:
        tracked.score(0.5)
    (one,) = offline_runs(tmp_path)
    assert one.run.run_group == "twelve_seeds"


def test_its_configuration_is_that_of_the_run_under_the_names_that_are_typed(told):
    config = told.config
    assert config["model"]["retrieval"] == asdict(CONFIG)["model"]["retrieval"]
    assert (config["seed"], config["data"]["split"]["kind"], config["transfer"]["finetune"]["steps"]) == (
        7,
        "spatial",
        30,
    )
    assert (config["run"], config["fold"]) == ("20260101-raci", 2)


def test_a_path_keeps_its_last_name_and_nothing_of_the_machine(told):
    config = told.config
    assert config["data"]["source"] == {
        "kind": "table",
        "columns": "fluxnet2015",
        "path": "daily.parquet",
        "sites": "sites.csv",
    }
    assert not {"output", "resume", "logger"} & set(config) and "root" not in config["data"]


def test_nothing_about_the_machine_is_sent(folder):
    for session in offline_runs(folder):
        sent = "\n".join(session.sent)
        assert session.run.host == "" and not session.run.HasField("git")
        assert CANARY not in sent and str(folder) not in sent and sys.executable not in sent
        assert not list((session.folder / "files").rglob("*.*"))


def test_the_curves_of_both_stages_stand_apart_and_count_from_the_start(told, data):
    for stage in ("pretrain", "towers"):
        scores = [row for row in told.history if f"{stage}/val/score" in row]
        assert [row[f"{stage}/step"] for row in scores] == [9, 19, 29]
        assert not any(name.startswith("towers" if stage == "pretrain" else "pretrain") for name in scores[0])
        losses = [row for row in told.history if f"{stage}/train/loss" in row]
        assert [row[f"{stage}/step"] for row in losses] == [9, 19, 29]
    assert not any(name.startswith(("train/", "val/", "epoch", "trainer/")) for row in told.history for name in row)


def test_an_epoch_is_a_pass_over_the_training_days(told, data):
    last = [row for row in told.history if "towers/epoch" in row][-1]
    windows = len(data.train_dataloader().sampler.epoch(0))
    assert steps_an_epoch(data) == math.ceil(windows / STAGE.batch_size) > 1
    assert last["towers/epoch"] == pytest.approx(29 / steps_an_epoch(data))


def test_metrics_are_defined_against_the_step_and_summarised_by_their_best(told):
    for stage in ("pretrain", "towers"):
        for name, best in {"score": "min", "GPP/mean_rmse": "min", "GPP/median_r2": "max"}.items():
            metric = told.metrics[f"{stage}/val/{name}"]
            assert metric.step_metric == f"{stage}/step" and getattr(metric.summary, best)
        assert told.metrics[f"{stage}/train/*"].step_metric == f"{stage}/step"
        assert {f"{stage}/step", f"{stage}/epoch"} <= set(told.metrics)
    scores = [row["towers/val/score"] for row in told.history if "towers/val/score" in row]
    assert told.summary["towers/val/score"]["min"] == pytest.approx(min(scores))
    assert told.summary["validation_score"] == 0.25


def test_a_second_session_goes_on_with_the_same_run(folder):
    first, second = offline_runs(folder)
    assert first.run.run_id == second.run.run_id == (folder / "fold2" / "wandb_id.txt").read_text().strip()
    assert first.run.resume and second.run.resume


def test_a_training_that_fails_is_marked_as_failed(tmp_path):
    with pytest.raises(BrokenError), tracked_training(CONFIG, tmp_path, 0):
        raise BrokenError
    (session,) = offline_runs(tmp_path)
    assert session.exit_code == 1


def test_switched_off_it_writes_nothing_and_needs_no_wandb(tmp_path, data, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)  # importing it fails
    with tracked_training(DISABLED, tmp_path, 0) as tracked:
        assert tracked.stage("towers", data) == []
        tracked.score(1.0)
    assert not list(tmp_path.iterdir())


def test_no_module_loads_wandb_before_it_is_wanted():
    sources = sorted(Path(tracking_run.__file__).parents[1].rglob("*.py"))
    using = [path for path in sources if "import wandb" in path.read_text()]
    assert len(using) >= 3
    for path in using:
        at_the_top = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import)]
        assert "wandb" not in {name.name for node in at_the_top for name in node.names}, path


def test_only_the_first_of_several_processes_tells(tmp_path, monkeypatch):
    monkeypatch.setattr("lightning.pytorch.utilities.rank_zero_only.rank", 1)
    with tracked_training(CONFIG, tmp_path, 0) as tracked:
        assert tracked.run is None
    assert not list(tmp_path.iterdir())


@pytest.fixture
def no_key(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_BASE_URL", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))


def test_it_is_online_only_where_a_key_is(no_key, tmp_path, monkeypatch):
    assert not has_key()
    (tmp_path / ".netrc").write_text("machine api.wandb.ai login user password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    assert has_key()
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert not has_key()
    monkeypatch.setenv("WANDB_API_KEY", "k")
    assert has_key()


@pytest.mark.parametrize(
    ("wanted", "key", "mode"),
    [("auto", "", "offline"), ("auto", "k", "online"), ("online", "", "online"), ("offline", "k", "offline")],
)
def test_the_mode_that_is_asked_of_wandb(no_key, tmp_path, monkeypatch, wanted, key, mode):
    asked = {}

    def refuse(**settings):
        asked.update(settings)
        raise wandb.errors.CommError("no network\nand a second line")

    monkeypatch.setenv("WANDB_API_KEY", key)
    monkeypatch.setattr("wandb.init", refuse)
    config = replace(CONFIG, logger=LoggerConfig(wandb=wanted))
    with pytest.raises(UserError, match=r"no network\).*logger\.wandb=offline$"), tracked_training(config, tmp_path, 0):
        pass
    assert asked["mode"] == mode


def test_reports_of_errors_stay_at_home_unless_the_user_has_said_otherwise(tmp_path, monkeypatch):
    seen = []

    def look(**settings):
        seen.append(tracking_run.os.environ["WANDB_ERROR_REPORTING"])
        raise wandb.errors.CommError("enough")

    monkeypatch.setattr("wandb.init", look)
    monkeypatch.delenv("WANDB_ERROR_REPORTING", raising=False)
    for wish in (None, "true"):
        if wish:
            monkeypatch.setenv("WANDB_ERROR_REPORTING", wish)
        with pytest.raises(UserError), tracked_training(CONFIG, tmp_path, 0):
            pass
        assert tracking_run.os.environ.get("WANDB_ERROR_REPORTING") == wish
    assert seen == ["false", "true"]


def test_paths_of_every_shape_lose_their_folders():
    config = {
        "data": {"root": "/a", "source": {"path": "C:\\Users\\me\\x.csv", "n": 3}, "sites": ["DE-Tha"]},
        "list": ["~/me/y", "z/"],
        "resume": "/b",
    }
    assert public(config) == {"data": {"source": {"path": "x.csv", "n": 3}, "sites": ["DE-Tha"]}, "list": ["y", "z"]}
