"""A run says where the simulation hurts, by validation alone."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from raciflux.config.models import SiteMeanConfig
from raciflux.workflow import train
from raciflux.workflow.learn import Learned
from raciflux.workflow.negative_transfer import is_held
from raciflux.workflow.progress import RunProgress
from two_domains import CONFIG, prepared_of, simulated_cube

from worlds import tiny_cube, tiny_split


def run(folder: Path, said: list[str], name: str = "finetune", **changes) -> dict:
    transfer = replace(CONFIG.transfer, name=name, against_scratch=True)
    config = replace(CONFIG, transfer=transfer, output=str(folder.parent), **changes)
    progress = RunProgress(1, False, speaks=False)
    progress.say = said.append  # type: ignore[method-assign]
    folder.mkdir(exist_ok=True)
    towers = tiny_cube()
    train._learn_and_predict(config, prepared_of(towers, simulated_cube()), tiny_split(towers), folder, progress)
    record = folder / "against_scratch.json"
    return json.loads(record.read_text()) if record.exists() else {}


@pytest.mark.parametrize(("transferred", "scratch", "hurts"), [(0.9, 0.8, True), (0.7, 0.8, False)])
def test_it_says_which_is_better(tmp_path, monkeypatch, transferred, scratch, hurts):
    learn = train.learn

    def scored(config, *others) -> Learned:
        score = scratch if config.transfer.name == "scratch" else transferred
        return replace(learn(config, *others), score=score)

    monkeypatch.setattr(train, "learn", scored)
    said: list[str] = []
    record = run(tmp_path / "run", said)
    assert record == {"technique": "finetune", "score": transferred, "scratch": scratch, "negative": hurts}
    (line,) = (line for line in said if "on validation" in line)
    assert ("negative transfer" in line) == hurts and f"{transferred:.3f}" in line and f"{scratch:.3f}" in line


@pytest.mark.parametrize("name", ["finetune", "stacking", "mixed"])
def test_the_scratch_beside_it_is_the_scratch_that_stands_alone(tmp_path, name):
    from two_domains import transferred

    record = run(tmp_path / "run", [], name)
    assert record["scratch"] == transferred(tmp_path / "alone", name="scratch").score
    assert record["score"] == json.loads((tmp_path / "run" / "validation.json").read_text())["score"]


def test_who_takes_nothing_from_the_simulation_is_held_against_nothing():
    asked = replace(CONFIG, transfer=replace(CONFIG.transfer, against_scratch=True))
    assert is_held(asked)
    assert not is_held(replace(asked, model=SiteMeanConfig()))
    by_series = replace(asked.transfer, name="stacking", simulated_flux="series")
    assert is_held(replace(asked, model=SiteMeanConfig(), transfer=by_series))
    assert not is_held(replace(asked, transfer=replace(asked.transfer, name="scratch")))
    assert not is_held(CONFIG)
