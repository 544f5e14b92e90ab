"""Two processes learn what one learns from the same global batches, and leave one run folder behind."""

import json
import os
import pickle
import shutil
import signal
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from raciflux import stopping
from raciflux.config.models import LstmConfig
from raciflux.config.raci import RaciConfig, RetrievalConfig
from raciflux.config.schema import Config, HeadConfig, TrainerConfig
from raciflux.config.transfer import StageConfig
from raciflux.errors import UserError
from raciflux.modules import losses
from raciflux.modules.checkpoints import load_checkpoint
from raciflux.modules.knowledge.terms import Said
from raciflux.transfer import JointTraining
from raciflux.workflow.learn import Learned
from raciflux.workflow.rank import Rank
from raciflux.workflow.ranks import beside_other_ranks, pickled
from raciflux.workflow.seeded_steps import SeededSteps
from test_joint import BATCH, module_of
from tiny_networks import CONFIGS
from two_domains import CONFIG, transferred

# The fourth batch of the towers' first epoch holds one window, so that the other rank has none.
STAGE = StageConfig(steps=10, check_every=5, batch_size=34)
# Dropout, hidden neighbours and questions of own days are drawn by each rank for itself.
LSTM = LstmConfig(hidden=6, dropout=0.0)
RACI = RaciConfig(
    hidden=6,
    regime=4,
    embedding=3,
    dropout=0.0,
    body="tcn",
    moments=True,
    retrieval=RetrievalConfig(neighbours=2, width=3, neighbour_dropout=0.0),
)
RACI.first_guess.trees.rounds = 5
RACI.own_days.visibility = ["unseen"]
FINE_TUNING = {"thaw": ["fast_encoder@2"], "rates": ["head@0.5"], "l2_sp": 0.1}
CASES: dict[str, dict[str, Any]] = {
    "scratch": {},
    "finetune": {"transfer": FINE_TUNING, "head": HeadConfig(kind="quantile", quantiles=3)},
    "residual": {},
    "stacking": {},
    "mixed": {},
    "adversarial": {},
    "reweight": {"transfer": {"reuse": False}},
    "finetune, raci": {"model": RACI},
    "adversarial, raci": {"model": RACI},
}

TWO = TrainerConfig(devices=2)
SLOW = ("finetune, raci", "adversarial, raci", "stacking", "residual")


def config_of(devices: int, model: Any = LSTM, **sections: Any) -> Config:
    trainer = replace(CONFIG.trainer, devices=devices)
    return replace(CONFIG, model=model, trainer=trainer, **sections)


def learned_by(
    devices: int, home: Path, technique: str, transfer: dict[str, Any] | None = None, **keys: Any
) -> Learned:
    home.mkdir(exist_ok=True)
    stages = {"pretrain": STAGE, "finetune": STAGE, "name": technique}
    return transferred(home / "run", config=config_of(devices, **keys), **stages, **(transfer or {}))


def weights(home: Path) -> dict[str, torch.Tensor]:
    """The last weights of every stage of a run."""
    found = {}
    for path in sorted((home / "run").glob("**/checkpoints/*/best.ckpt")):
        last = path.with_name("last.ckpt")
        state = load_checkpoint(last if last.exists() else path)["state_dict"]
        found |= {f"{path.parent.name} {name}": value for name, value in state.items()}
    return found


def logged(home: Path, stage: str = "towers") -> pl.DataFrame:
    return pl.read_csv(home / "run" / "logs" / stage / "metrics.csv")


@pytest.mark.parametrize(
    "case", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in CASES]
)
def test_two_processes_learn_what_one_learns(tmp_path, case):
    homes = [tmp_path / "one", tmp_path / "two"]
    technique = case.split(",")[0]
    one, two = (learned_by(n, home, technique, **CASES[case]) for n, home in enumerate(homes, start=1))
    alone, beside = (weights(home) for home in homes)
    assert alone.keys() == beside.keys()
    for name, value in alone.items():
        torch.testing.assert_close(beside[name], value, rtol=1e-5, atol=1e-5, msg=lambda said, of=name: f"{of}: {said}")
    assert two.score == pytest.approx(one.score, rel=1e-5)
    np.testing.assert_allclose(two.predicted.flux, one.predicted.flux, rtol=1e-5, atol=1e-5)
    for column in ("val/score", "val/GPP/median_r2", "train/loss"):
        np.testing.assert_allclose(*(logged(home)[column].drop_nulls() for home in homes), rtol=1e-5, atol=1e-6)
    files = [
        sorted(str(path.relative_to(home)) for path in home.rglob("*") if "pretrained" not in path.parts)
        for home in homes
    ]
    assert files[0] == files[1]
    assert not torch.distributed.is_initialized()


def test_a_training_of_two_that_broke_off_ends_as_the_uninterrupted_one(tmp_path, monkeypatch):
    learned_by(2, tmp_path / "whole", "mixed")
    start = JointTraining.on_train_batch_start

    def killed(self, trainer, module, batch, batch_idx):  # in rank zero alone: the other is another process
        if trainer.global_step == 7:  # after the checkpoint of step 5
            raise RuntimeError("killed")
        start(self, trainer, module, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(JointTraining, "on_train_batch_start", killed)
        with pytest.raises(RuntimeError, match="killed"):
            learned_by(2, tmp_path / "broken", "mixed")
    assert not torch.distributed.is_initialized()
    shutil.copytree(tmp_path / "broken", tmp_path / "by one")
    learned_by(2, tmp_path / "broken", "mixed")
    learned_by(1, tmp_path / "by one", "mixed")
    whole, broken, by_one = (weights(tmp_path / name) for name in ("whole", "broken", "by one"))
    assert all(torch.equal(value, broken[name]) for name, value in whole.items())
    for name, value in whole.items():
        torch.testing.assert_close(by_one[name], value, rtol=1e-5, atol=1e-5, msg=lambda said, of=name: f"{of}: {said}")
    before = (tmp_path / "broken" / "run" / "checkpoints" / "towers" / "finished.json").stat()
    learned_by(2, tmp_path / "broken", "mixed")  # finished: nobody is started, nobody waits
    after = (tmp_path / "broken" / "run" / "checkpoints" / "towers" / "finished.json").stat()
    assert before.st_mtime_ns == after.st_mtime_ns


def test_two_processes_that_are_asked_to_stop_leave_at_one_step_and_end_as_the_uninterrupted_ones(
    tmp_path, monkeypatch, capfd
):
    learned_by(2, tmp_path / "whole", "mixed")
    start = SeededSteps.on_train_batch_start

    def asked(self, trainer, *others):  # of rank zero alone
        if trainer.global_step == 6:
            os.kill(os.getpid(), signal.SIGUSR1)
        start(self, trainer, *others)

    with monkeypatch.context() as patch, stopping.listening(), pytest.raises(stopping.Stopped, match="SIGUSR1"):
        patch.setattr(SeededSteps, "on_train_batch_start", asked)
        learned_by(2, tmp_path / "stopped", "mixed")
    said = capfd.readouterr().err
    assert not torch.distributed.is_initialized() and "Traceback" not in said and "failed" not in said
    (last,) = (tmp_path / "stopped").glob("**/last.ckpt")
    assert load_checkpoint(last)["global_step"] == 7
    learned_by(2, tmp_path / "stopped", "mixed")
    whole, stopped = (weights(tmp_path / name) for name in ("whole", "stopped"))
    assert all(torch.equal(value, stopped[name]) for name, value in whole.items())


def test_a_pretraining_that_is_there_is_taken(tmp_path):
    homes = [tmp_path / name for name in ("first", "second")]
    for home in homes:
        transferred(home, config=config_of(2), name="finetune")
    records = [json.loads((home / "pretraining.json").read_text()) for home in homes]
    assert records[0]["taken_from"] is None and records[1]["taken_from"] is not None
    assert records[0]["devices"] == 2


def _meet(rank: Rank) -> None:
    where = f"tcp://{rank.main_address}:{rank.main_port}"
    torch.distributed.init_process_group(
        "gloo", where, timedelta(seconds=20), rank=rank.global_rank(), world_size=rank.world_size()
    )


def _die(rank: Rank) -> None:
    _meet(rank)
    os.kill(os.getpid(), signal.SIGKILL)


def _err(rank: Rank) -> None:
    _meet(rank)
    raise UserError("what rank zero says too")


@pytest.mark.parametrize("fate", [_die, _err])
def test_a_rank_that_fails_ends_the_others(fate, capfd):
    with pytest.raises(UserError, match="rank 1 of the training is gone"), beside_other_ranks(fate, TWO) as rank:
        assert rank is not None
        _meet(rank)
        torch.distributed.all_reduce(torch.ones(1))
    assert not torch.distributed.is_initialized()
    assert "rank zero says" not in capfd.readouterr().err


def test_what_knowledge_costs_is_a_mean_over_the_days_of_all_ranks(monkeypatch):
    days = torch.ones(2, 3, dtype=torch.bool)
    said = Said(BATCH, days, [], again=lambda batch: [])
    alone = said.mean([torch.full((2, 3), 5.0)], days)
    monkeypatch.setattr(losses.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(losses.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(losses.distributed, "all_reduce", lambda total: total.add_(18))  # another rank has 18 days
    assert alone == 5.0 and said.mean([torch.full((2, 3), 5.0)], days) == 5.0 * 2 * 6 / 24


@pytest.mark.parametrize("name", CONFIGS)
def test_every_network_goes_to_the_other_ranks_as_it_is(name):
    module = module_of(name)
    del module.__dict__["log_dict"]  # of the test that made it
    copied = pickle.loads(pickled(module))

    assert torch.equal(copied.network(BATCH), module.network(BATCH))
    assert [p.requires_grad for p in copied.parameters()] == [p.requires_grad for p in module.parameters()]


@pytest.mark.parametrize("name", CONFIGS)
def test_a_window_before_the_record_teaches_nothing(name):
    module = module_of(name).train()
    kept = ("site", "day")
    empty = {key: value if key in kept else torch.zeros_like(value) for key, value in BATCH.items()}
    module.loss_of(empty, module.loss).backward()
    assert all(not p.grad.any() for p in module.parameters() if p.grad is not None)
