"""Pretraining is done once: found again by what decides it, and by nothing else."""

import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from raciflux.config.models import LightGbmConfig, LstmConfig, TcnConfig
from raciflux.config.schema import Config, HeadConfig
from raciflux.config.trainings import pretrainings
from raciflux.errors import UserError
from raciflux.modules.checkpoints import network_weights
from raciflux.workflow import pretraining
from raciflux.workflow.learned_from import LearnedFrom
from two_domains import CONFIG, simulated_cube, transferred

from worlds import tiny_cube


def record(folder: Path) -> dict:
    return json.loads((folder / "pretraining.json").read_text())


def weights(folder: Path, stage: str) -> dict[str, torch.Tensor]:
    return network_weights(folder / "checkpoints" / stage / "best.ckpt")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_a_second_run_takes_the_pretraining_and_ends_with_the_same_weights(tmp_path):
    said: list[str] = []
    for name in ("first", "second"):
        transferred(tmp_path / name, said=said)
    transferred(tmp_path / "alone", reuse=False)
    first, second, alone = (record(tmp_path / name) for name in ("first", "second", "alone"))
    assert first["taken_from"] is None and alone["taken_from"] is None
    assert second["taken_from"] == str(tmp_path / "pretrained" / first["id"])
    assert any("taken from" in line and first["id"] in line for line in said)
    assert len(list((tmp_path / "pretrained").iterdir())) == 1
    for stage in ("pretrain", "towers"):
        of_first = weights(tmp_path / "first", stage)
        assert same(of_first, weights(tmp_path / "second", stage)) and same(
            of_first, weights(tmp_path / "alone", stage)
        )


def test_a_run_needs_no_folder_but_its_own(tmp_path):
    transferred(tmp_path / "first")
    shared = next((tmp_path / "pretrained").iterdir())
    before = weights(tmp_path / "first", "pretrain")
    (shared / "checkpoints" / "pretrain" / "best.ckpt").unlink()
    transferred(tmp_path / "first")  # resumed: its own copy is enough
    assert same(before, weights(tmp_path / "first", "pretrain"))


def keys(fold: int = 0, config: Config = CONFIG, simulation: None = None, **transfer: Any) -> tuple[str, ...]:
    """What a sweep, which reads no data, says of the run that `transferred` does."""
    split = replace(config.data.split, fold=fold)
    data = replace(config.data, split=split)
    return pretrainings(replace(config, data=data, transfer=replace(config.transfer, **transfer)))


WARMER = simulated_cube().assign(TA=simulated_cube()["TA"] + 1)
OTHERS = {
    "another model": {"config": replace(CONFIG, model=TcnConfig(hidden=6))},
    "another width": {"config": replace(CONFIG, model=LstmConfig(hidden=5))},
    "another head": {"config": replace(CONFIG, head=HeadConfig(kind="quantile", quantiles=3))},
    "another seed": {"config": replace(CONFIG, seed=3)},
    "other steps": {"pretrain": replace(CONFIG.transfer.pretrain, steps=6)},
    "another simulation": {"simulation": WARMER},
    "inputs scaled by the towers": {"inputs": "towers"},
}


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS.keys())
def test_whatever_decides_it_makes_another(tmp_path, change):
    transferred(tmp_path / "first")
    transferred(tmp_path / "other", **change)
    assert record(tmp_path / "other")["taken_from"] is None
    assert "simulation" in change or keys(**change) != keys()


SHARED = {
    "another technique": {"name": "stacking"},
    "other fine-tuning": {"freeze": ["head"], "finetune": replace(CONFIG.transfer.finetune, steps=6)},
    "another seed, one of pretraining": {"config": replace(CONFIG, seed=3), "pretrain_seed": 0},
    "another fold, no cell near a tower": {"fold": 1},
}


@pytest.mark.parametrize("change", SHARED.values(), ids=SHARED.keys())
def test_whatever_does_not_decide_it_shares_it(tmp_path, change):
    transferred(tmp_path / "first")
    transferred(tmp_path / "other", **change)
    place = tmp_path / "other" / "emulator" if change.get("name") == "stacking" else tmp_path / "other"
    assert record(place)["taken_from"] is not None
    assert keys(**change) == keys() or "fold" in change


def test_what_a_sweep_expects_to_be_shared_without_a_look_at_the_data():
    everywhere = {"leave_out": "all"}
    assert keys() != keys(fold=1)  # whether a cell lies near a tower is for the data to say
    assert keys(**everywhere) == keys(fold=1, **everywhere) != keys()
    assert keys(leave_out_near="home.csv") != keys()
    assert keys(inputs="towers", **everywhere) != keys(fold=1, inputs="towers", **everywhere)
    assert keys(reuse=False) == keys(pretrained="elsewhere") == keys(name="scratch") == keys(name="adversarial") == ()
    trees, beside = replace(CONFIG, model=LightGbmConfig()), replace(CONFIG, model=TcnConfig(), compare=["lstm"])
    assert keys(config=trees) == ()
    assert keys(config=trees, name="stacking", emulator="lstm") == keys(config=replace(CONFIG, model=LstmConfig()))
    assert set(keys(config=beside)) > set(keys(config=replace(CONFIG, model=LstmConfig())))


def test_folds_that_leave_out_other_cells_share_only_what_none_of_them_tests(tmp_path):
    towers = tiny_cube()
    at_towers = simulated_cube(at=towers, sites=8)
    for fold in (0, 1):
        transferred(tmp_path / f"tested{fold}", simulation=at_towers, fold=fold)
    assert record(tmp_path / "tested0")["id"] != record(tmp_path / "tested1")["id"]
    far = simulated_cube(sites=10).assign_coords(site_id=("site", np.array([f"far{i}" for i in range(10)])))
    both = {**far.coords, "lat": ("site", np.r_[at_towers["lat"].to_numpy()[:4], far["lat"].to_numpy()[4:]])}
    mixed = far.assign_coords(
        lat=both["lat"], lon=("site", np.r_[at_towers["lon"].to_numpy()[:4], far["lon"].to_numpy()[4:]])
    )
    for fold in (0, 1):
        transferred(tmp_path / f"all{fold}", simulation=mixed, fold=fold, leave_out="all")
    assert record(tmp_path / "all0")["id"] == record(tmp_path / "all1")["id"]
    assert record(tmp_path / "all1")["taken_from"] is not None


def test_one_of_an_earlier_version_is_shared_and_says_from_then_on_what_it_learned_from(tmp_path):
    transferred(tmp_path / "first")
    shared = next((tmp_path / "pretrained").iterdir())
    for name in ("scaler.yaml", "places.parquet"):
        (shared / "checkpoints" / "pretrain" / name).unlink()
    transferred(tmp_path / "second")
    assert record(tmp_path / "second")["taken_from"] == str(shared)
    for folder in (shared, tmp_path / "second"):
        learned = LearnedFrom.load(folder / "checkpoints" / "pretrain")
        assert learned.scaler.targets[0].mean > 5 and learned.places["site_id"].str.starts_with("cell").all()


def test_who_wants_what_another_makes_waits_for_it(tmp_path, monkeypatch):
    train, started = pretraining._train, threading.Event()

    def slowly(*arguments):
        started.set()
        time.sleep(0.5)
        train(*arguments)

    monkeypatch.setattr(pretraining, "_train", slowly)
    first = threading.Thread(target=transferred, args=(tmp_path / "first",))
    first.start()
    started.wait(60)
    said: list[str] = []
    transferred(tmp_path / "second", said=said)
    first.join()
    assert record(tmp_path / "second")["taken_from"] is not None
    assert any("waiting for another process" in line for line in said)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "pretrained").write_text("a file where the folder should be")
    with pytest.raises(UserError, match=r"pretrained.*cannot be written.*transfer\.reuse=false"):
        transferred(tmp_path / "run")
