"""Resumed is the same run to the bit: weights, scores and what ends a stage."""

import csv
import json
import math
import os
import shutil
import signal
from dataclasses import replace

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from raciflux import stopping
from raciflux.config.keys import keys_of
from raciflux.config.raci import RaciConfig, RetrievalConfig
from raciflux.config.schema import Config, DataConfig, TrainerConfig
from raciflux.config.transfer import StageConfig, TransferConfig
from raciflux.datamodules.base import FluxDataModule
from raciflux.errors import UserError
from raciflux.modules.checkpoints import load_checkpoint
from raciflux.workflow.progress import RunProgress
from raciflux.workflow.stages import StageFolder, build_bank, build_module, fit, quiet

from worlds import tiny_cube, tiny_data

STAGE = StageConfig(steps=22, batch_size=8, check_every=4, patience=100, learning_rate=0.02)
MODEL = RaciConfig(hidden=6, regime=4, embedding=3, retrieval=RetrievalConfig(neighbours=2, width=3))
CONFIG = Config(
    experiment="tiny",
    data=DataConfig(pair="terrestrial_gpp"),
    model=MODEL,
    transfer=TransferConfig(name="scratch", finetune=STAGE),
)


class KilledError(Exception):
    """Stands for a machine that goes down."""


class KillAt(Callback):
    def __init__(self, step):
        self.step = step

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.step:
            raise KilledError


@pytest.fixture(scope="module")
def data() -> FluxDataModule:
    return tiny_data(tiny_cube(), batch_size=STAGE.batch_size)


def train(data, folder, stage=STAGE, callbacks=(), config=CONFIG):
    quiet()
    module = build_module(config, stage, data, build_bank(config, data))
    return fit(config, stage, StageFolder(folder, "towers"), data, module, list(callbacks), [], RunProgress(1, False))


def last_state(folder):
    return load_checkpoint(folder / "checkpoints" / "towers" / "last.ckpt")["state_dict"]


def scores(folder):
    """Validation score by step, as the log has it."""
    with (folder / "logs" / "towers" / "metrics.csv").open() as file:
        return {int(row["step"]): row["val/score"] for row in csv.DictReader(file) if row.get("val/score")}


@pytest.fixture(scope="module")
def straight(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("straight")
    return folder, train(data, folder).state_dict()


@pytest.mark.parametrize("step", [6, 8, 13])  # between two checkpoints, at one, and in a later epoch
def test_killed_and_resumed_it_is_the_same_run(data, straight, tmp_path, step):
    folder, best = straight
    with pytest.raises(KilledError):
        train(data, tmp_path, callbacks=[KillAt(step)])
    assert not (tmp_path / "checkpoints" / "towers" / "finished.json").exists()
    torch.manual_seed(1234)  # what another process happens to have drawn
    resumed = train(data, tmp_path).state_dict()
    assert all(torch.equal(resumed[name], value) for name, value in best.items())
    assert all(torch.equal(last_state(tmp_path)[name], value) for name, value in last_state(folder).items())


def test_dropout_is_on_in_these_runs(data):
    """So that the test above holds its randomness, too."""
    assert MODEL.dropout > 0
    assert MODEL.retrieval.neighbour_dropout > 0
    module = build_module(CONFIG, STAGE, data, build_bank(CONFIG, data)).train()
    batch = data.arrays.gather(next(iter(data.train_dataloader())), "train")
    assert not torch.equal(module.network(batch), module.network(batch))


def test_a_stage_ends_with_its_best_weights(data, straight):
    folder, best = straight
    stored = load_checkpoint(folder / "checkpoints" / "towers" / "best.ckpt")["state_dict"]
    assert all(torch.equal(best[name], value) for name, value in stored.items())
    logged = {step: float(score) for step, score in scores(folder).items()}
    assert len(logged) == STAGE.steps // STAGE.check_every
    content = load_checkpoint(folder / "checkpoints" / "towers" / "best.ckpt")
    assert content["global_step"] - 1 == min(logged, key=logged.get)
    assert StageFolder(folder, "towers").score() == pytest.approx(min(logged.values()), rel=1e-6)


def test_a_finished_stage_is_not_trained_again(data, straight, tmp_path):
    folder, best = straight
    again = train(data, folder, callbacks=[KillAt(1)])
    assert all(torch.equal(again.state_dict()[name], value) for name, value in best.items())


class DivergeAt(Callback):
    """Stands for a step that is too long."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_end(self, trainer, pl_module, *_):
        if trainer.global_step == self.step:
            torch.nn.init.constant_(pl_module.network.head.read[-1].weight, torch.nan)


def test_a_training_that_diverges_stops_and_keeps_the_weights_before_or_is_refused(data, tmp_path):
    late, early = tmp_path / "late", tmp_path / "early"
    module = train(data, late, callbacks=[DivergeAt(8)])
    assert all(torch.isfinite(weight).all() for weight in module.state_dict().values())
    assert max(scores(late)) == 7, "not a step after the validation that tells"
    for step in (STAGE.check_every, STAGE.check_every + 1):  # with a validation before the next step, and without
        with pytest.raises(UserError, match=r"early.*diverged"):
            train(data, early / str(step), callbacks=[DivergeAt(step)])
        assert not StageFolder(early / str(step), "towers").finished.exists()


def test_a_stage_shorter_than_a_check_is_validated_at_its_end(data, tmp_path):
    train(data, tmp_path, replace(STAGE, steps=3, check_every=100))
    assert scores(tmp_path).keys() == {2}


@pytest.mark.parametrize("precision", sorted({*keys_of({})["trainer.precision"].choices} - {"32-true", "16-mixed"}))
def test_every_precision_that_a_cpu_offers_trains(data, tmp_path, precision):
    config = replace(CONFIG, trainer=TrainerConfig(precision=precision))
    train(data, tmp_path, replace(STAGE, steps=3), config=config)
    assert all(math.isfinite(float(score)) for score in scores(tmp_path).values())


def test_a_stage_that_was_to_stop_early_stops_there_when_it_is_gone_on_with(data, tmp_path):
    still = replace(STAGE, patience=1, learning_rate=0.0)  # no validation is better than the first

    class StopAsked(Callback):
        def on_validation_start(self, trainer, module):
            if trainer.global_step == 8:
                os.kill(os.getpid(), signal.SIGTERM)

    train(data, tmp_path / "straight", still)
    with stopping.listening(), pytest.raises(stopping.Stopped, match="SIGTERM, what was done is kept"):
        train(data, tmp_path / "stopped", still, [StopAsked()])
    train(data, tmp_path / "stopped", still, [KillAt(9)])
    ends = [(tmp_path / run / "checkpoints/towers/finished.json").read_text() for run in ("straight", "stopped")]
    assert json.loads(ends[0])["steps"] == 8 and ends[0] == ends[1]


def test_an_early_best_is_still_the_best_after_an_interruption(data, tmp_path):
    still = replace(STAGE, learning_rate=0.0)  # no validation is better than the first
    with pytest.raises(KilledError):
        train(data, tmp_path, still, [KillAt(9)])
    train(data, tmp_path, still)
    assert load_checkpoint(tmp_path / "checkpoints" / "towers" / "best.ckpt")["global_step"] == 4


def damaged(path, how):
    """Damage a file as a machine would that lost power, or a disk that lost a bit."""
    content = bytearray(path.read_bytes())
    if how == "torn":
        del content[len(content) // 2 :]
    elif how == "empty":
        content.clear()
    elif how == "never written":
        content[4096:8192] = bytes(4096)
    else:
        content[len(content) // 2] ^= 8
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["torn", "empty", "never written", "a bit flipped"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(data, straight, tmp_path, capsys, how):
    with pytest.raises(KilledError):
        train(data, tmp_path, callbacks=[KillAt(13)])
    checkpoints = tmp_path / "checkpoints" / "towers"
    steps = [load_checkpoint(checkpoints / name)["global_step"] for name in ("previous.ckpt", "last.ckpt")]
    assert steps == [8, 12]
    damaged(checkpoints / "last.ckpt", how)
    (checkpoints / ".last.ckpt.left").mkdir()  # by a session that was killed while it wrote
    resumed = train(data, tmp_path).state_dict()
    said = [line for line in capsys.readouterr().err.splitlines() if "damaged" in line]
    assert len(said) == 1 and "last.ckpt" in said[0] and said[0].endswith("going on from the one before")
    assert all(torch.equal(resumed[name], value) for name, value in straight[1].items())
    assert all(torch.equal(last_state(tmp_path)[name], value) for name, value in last_state(straight[0]).items())
    assert scores(tmp_path) == scores(straight[0])
    assert not (checkpoints / ".last.ckpt.left").exists()


@pytest.mark.parametrize("left", [("last.ckpt", "previous.ckpt"), ("previous.ckpt",)])
def test_without_a_good_checkpoint_a_stage_starts_anew(data, straight, tmp_path, capsys, left):
    with pytest.raises(KilledError):
        train(data, tmp_path, callbacks=[KillAt(13)])
    checkpoints = tmp_path / "checkpoints" / "towers"
    for name in left:
        damaged(checkpoints / name, "torn")
    if len(left) == 1:
        (checkpoints / "last.ckpt").unlink()
    resumed = train(data, tmp_path).state_dict()
    assert capsys.readouterr().err.count("the stage starts anew") == 1
    assert all(torch.equal(resumed[name], value) for name, value in straight[1].items())


def test_a_checkpoint_of_another_version_is_not_gone_on_from(data, straight, tmp_path, capsys):
    with pytest.raises(KilledError):
        train(data, tmp_path, callbacks=[KillAt(7)])
    last = tmp_path / "checkpoints" / "towers" / "last.ckpt"
    content = load_checkpoint(last)
    del content["callbacks"]["StageCheckpoint"]
    torch.save(content, last)
    resumed = train(data, tmp_path).state_dict()
    assert "of another version of raciflux: the stage starts anew" in capsys.readouterr().err
    assert all(torch.equal(resumed[name], value) for name, value in straight[1].items())


def test_lost_best_weights_are_written_again_from_the_checkpoint(data, straight, tmp_path):
    folder = shutil.copytree(straight[0], tmp_path / "run")
    (folder / "checkpoints" / "towers" / "best.ckpt").unlink()
    again = train(data, folder, callbacks=[KillAt(20)])  # only what came after it is done again
    assert all(torch.equal(again.state_dict()[name], value) for name, value in straight[1].items())
