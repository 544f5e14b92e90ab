"""The main job from the command line: a run folder that says all, holds no secret, and can be gone on with."""

import fcntl
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from raciflux.errors import UserError
from raciflux.stopping import Stopped
from raciflux.workflow.prepare import prepare
from raciflux.workflow.seeded_steps import SeededSteps

from .conftest import CANARY, SCRIPTS, TINY, Finished, Run, load_script


def test_the_table_shows_raci_beside_the_baselines_and_ends_with_report_and_time(finished: Finished) -> None:
    for words in ("raci", "ct_lstm", "site_mean", "ceiling", "report.html", "time:"):
        assert words in finished.printed, finished.printed


def test_nothing_is_printed_that_a_user_cannot_act_on(finished: Finished) -> None:
    assert "Warning" not in finished.printed and "WARNING" not in finished.printed, finished.printed


def test_the_run_folder_holds_what_makes_it_repeatable(finished: Finished) -> None:
    names = {path.name for path in finished.folder.iterdir()}
    expected = "config.yaml command.txt versions.json splits.json scaler.yaml checkpoints metrics.json predictions.zarr"
    assert names >= set(expected.split()) | {"figures", "report.html", "wandb", "bank.npz", "neighbours.parquet"}
    assert names >= {"neighbour_seasons.parquet", "context.parquet"}
    for model in ("ct_lstm", "site_mean"):
        baseline = {path.name for path in (finished.folder / "baselines" / model).iterdir()}
        assert baseline >= {"config.yaml", "metrics.json", "predictions.zarr"}
    for stage, kept in (("pretrain", ["best"]), ("towers", ["best", "last"])):
        assert (finished.folder / "logs" / stage / "metrics.csv").is_file()
        for name in kept:
            torch.load(finished.folder / "checkpoints" / stage / f"{name}.ckpt", weights_only=True)
    assert json.loads((finished.folder / "pretraining.json").read_text())["taken_from"] is None


def test_secrets_and_environment_are_written_nowhere(finished: Finished) -> None:
    assert CANARY not in finished.printed
    for path in finished.folder.rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path


def test_only_test_sites_are_predicted_and_training_saw_none_of_their_clusters(finished: Finished) -> None:
    split = json.loads((finished.folder / "splits.json").read_text())
    predictions = xr.open_zarr(finished.folder / "predictions.zarr")
    assert set(predictions["site_id"].to_numpy()) == set(split["test"])
    assert not set(split["test"]) & (set(split["train"]) | set(split["validation"]))
    with np.load(finished.folder / "bank.npz") as bank:
        assert set(bank["site_id"]) <= set(split["train"])


def test_pretrained_weights_reached_the_towers(finished: Finished) -> None:
    fate = json.loads((finished.folder / "transfer.json").read_text())["tensors"]
    assert set(fate.values()) == {"loaded"}


def test_a_finished_run_resumed_trains_nothing_and_changes_nothing(finished: Finished, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished.folder, tmp_path / "run"))
    before = xr.open_zarr(folder / "predictions.zarr").load()
    load_script("train").main([f"resume={folder}"])
    xr.testing.assert_identical(before, xr.open_zarr(folder / "predictions.zarr").load())


def test_a_run_that_lost_its_last_stage_goes_on_to_the_same_predictions(finished: Finished, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished.folder, tmp_path / "run"))
    before = xr.open_zarr(folder / "predictions.zarr").load()
    shutil.rmtree(folder / "predictions.zarr")
    (folder / "checkpoints" / "towers" / "finished.json").unlink()
    load_script("train").main([f"resume={folder}"])
    xr.testing.assert_identical(before, xr.open_zarr(folder / "predictions.zarr").load())


def test_a_resumed_run_is_held_to_its_split_and_keeps_its_identity(finished: Finished, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished.folder, tmp_path / "run"))
    before = (folder / "config.yaml").read_text(), (folder / "versions.json").read_text()
    shutil.rmtree(folder / "predictions.zarr")
    load_script("train").main([f"resume={folder}"])
    assert before == ((folder / "config.yaml").read_text(), (folder / "versions.json").read_text())
    shutil.rmtree(folder / "predictions.zarr")
    split = json.loads((folder / "splits.json").read_text())
    split["train"].append(split["test"].pop())
    (folder / "splits.json").write_text(json.dumps(split))
    with pytest.raises(UserError, match="another split"):
        load_script("train").main([f"resume={folder}"])


def test_a_killed_run_is_finished_by_resume(tmp_path: Path, run_script: Run) -> None:
    many = ["model=lstm", "transfer.pretrain.steps=60", "transfer.pretrain.patience=100", "compare=[]"]
    kept = (a for a in TINY if not a.startswith(("transfer.pretrain.steps", "model.first_guess")))
    arguments = [*kept, *many, "logger.wandb=disabled", f"output={tmp_path}"]
    process = subprocess.Popen([sys.executable, str(SCRIPTS / "train.py"), *arguments], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while not list(tmp_path.glob("*/*/checkpoints/*/last.ckpt")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (folder,) = (tmp_path / "embedded_wetland_ch4").iterdir()
    assert not (folder / "predictions.zarr").exists()
    done = run_script("train", [f"resume={folder}"])
    assert done.returncode == 0, done.stderr
    assert (folder / "metrics.json").is_file() and not (folder / "report.html").exists()  # as it was asked for


def test_two_processes_cannot_write_one_run(finished: Finished) -> None:
    with (finished.folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another process"):
            load_script("train").main([f"resume={finished.folder}"])


def test_a_full_disk_is_one_line_and_leaves_no_half_written_result(tmp_path: Path, run_script: Run) -> None:
    def little_room() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # a file past this fails as on a full disk

    done = run_script("train", [*TINY, f"output={tmp_path}", "logger.wandb=disabled"], preexec_fn=little_room)
    assert done.returncode == 2, done.stderr
    last_line = done.stderr.strip().splitlines()[-1]
    assert last_line.startswith("error: ") and "cannot be written (File too large)" in last_line, done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("predictions.zarr")) and not list(tmp_path.rglob("metrics.json"))


@pytest.mark.slow
def test_several_devices_leave_one_run_and_say_everything_once(tmp_path: Path, run_script: Run) -> None:
    keys = ["trainer.devices=2", "trainer.accelerator=cpu", "model=lstm", "compare=[]", "transfer=finetune"]
    tiny = [text for text in TINY if not text.startswith("model.first_guess")]
    done = run_script("train", [*tiny, *keys, f"output={tmp_path}", "logger.wandb=disabled"])
    assert done.returncode == 0, done.stderr
    assert "arning" not in done.stdout + done.stderr and done.stderr.count("lstm towers: 4 steps") == 1, done.stderr
    (folder,) = (tmp_path / "embedded_wetland_ch4").iterdir()
    assert (folder / "predictions.zarr").is_dir()


def signalled_at(monkeypatch: pytest.MonkeyPatch, where: str, number: signal.Signals) -> None:
    """Have this process sent a signal when it comes to a place."""
    place = {
        "reading": (prepare.__module__, "describe_towers"),
        "a step": (SeededSteps, "on_train_batch_start"),
        "predicting": ("raciflux.workflow.learn", "predict_among_ranks"),
        "evaluating": ("raciflux.evaluation.evaluate", "evaluate_run"),
    }[where]
    owner = importlib.import_module(place[0]) if isinstance(place[0], str) else place[0]
    original = getattr(owner, place[1])

    def asked(*arguments: object, **keys: object) -> object:
        os.kill(os.getpid(), number)
        return original(*arguments, **keys)

    monkeypatch.setattr(owner, place[1], asked)


@pytest.mark.usefixtures("ctrl_c_is_heard")
def test_asked_to_stop_anywhere_it_ends_and_goes_on_to_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = [*(text for text in TINY if not text.startswith("model.first_guess")), "model=lstm", "compare=[]"]
    small += ["transfer=scratch", "logger.wandb=disabled"]
    train = load_script("train").main
    train([*small, f"output={tmp_path / 'straight'}"])
    arguments, told = [*small, f"output={tmp_path / 'pieces'}"], []
    asked = (("reading", signal.SIGTERM), ("a step", signal.SIGUSR1), ("a step", signal.SIGINT))
    for where, number in (*asked, ("predicting", signal.SIGTERM), ("evaluating", signal.SIGUSR1)):
        with monkeypatch.context() as patch, pytest.raises(Stopped) as stopped:
            signalled_at(patch, where, number)
            train(arguments)
        told.append((stopped.value.by, stopped.value.kept))
        for folder in tmp_path.glob("pieces/*/*"):
            arguments = [f"resume={folder}"]
            assert str(folder) in str(stopped.value) or where == "reading"
    assert told == [
        (signal.SIGTERM, False),  # nothing was there to keep
        (signal.SIGUSR1, True),
        (signal.SIGINT, True),
        (signal.SIGTERM, True),
        (signal.SIGUSR1, True),
    ]
    train(arguments)
    straight, pieces = (next(tmp_path.glob(f"{name}/*/*")) for name in ("straight", "pieces"))
    before, after = (xr.open_zarr(folder / "predictions.zarr").load() for folder in (straight, pieces))
    xr.testing.assert_identical(before, after)
    assert (straight / "metrics.json").read_text() == (pieces / "metrics.json").read_text()
