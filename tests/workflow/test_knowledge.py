"""Knowledge switched on from the command line: from simulation to towers, in each stage's log, resumed and off."""

import csv
from pathlib import Path

import numpy as np
import pytest
from raciflux.config.compose import compose
from raciflux.evaluation.run_folder import RunFolder
from raciflux.workflow.prepare import prepare
from raciflux.workflow.progress import RunProgress
from raciflux.workflow.stages import quiet
from raciflux.workflow.train import run_fold

SMALL = [
    "compare=[]",
    "model.hidden=8",
    "data.source.places=12",
    "data.source.years=2",
    "data.simulation.places=12",
    "data.simulation.years=1",
    "data.split.folds=3",
    "data.split.min_scored_days=30",
    "data.window={warmup_days: 30, scored_days: 90, block_days: 30, history_blocks: 3}",
    *(f"transfer.{stage}.{key}" for stage in ("pretrain", "finetune") for key in ("batch_size=8", "check_every=10")),
    "transfer.pretrain.steps=10",
    "transfer.finetune.steps=20",
    "trainer={progress: false, accelerator: cpu}",
    "logger.wandb=disabled",
]
BALANCED = ["data=carbon_balance", "model=lstm"]
TERMS = ("non_negative", "range", "temperature", "light")
WEIGHTS = [f"knowledge.{name}=1" for name in TERMS]


def run(folder: Path, *overrides: str) -> dict[str, np.ndarray]:
    """Train a fold; return what it predicts."""
    quiet()
    folder.mkdir(exist_ok=True)
    config = compose([*SMALL, *overrides, f"output={folder}"])
    prepared = prepare(config)
    run_fold(config, prepared, 0, folder, RunProgress(30, False))
    targets = prepared.roles.targets
    of = {name: RunFolder(folder, name if len(targets) > 1 else None) for name in targets}
    return {name: place.predictions()["prediction"].to_numpy() for name, place in of.items()}


def logged(folder: Path, stage: str) -> dict[str, list[float]]:
    """Logged values by name."""
    with (folder / "logs" / stage / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows if row[name]] for name in rows[0]}


def test_each_term_is_logged_in_both_stages_of_a_transfer(tmp_path: Path) -> None:
    said = run(tmp_path / "with", *BALANCED, *WEIGHTS)
    without = run(tmp_path / "without", *BALANCED)
    for stage in ("pretrain", "towers"):
        told = logged(tmp_path / "with", stage)
        assert {name for name in told if "knowledge" in name} == {f"train/knowledge/{term}" for term in TERMS}
        assert all(np.isfinite(told[f"train/knowledge/{term}"]).all() for term in TERMS)
        assert not any("knowledge" in name for name in logged(tmp_path / "without", stage))
    assert not np.array_equal(said["GPP"], without["GPP"], equal_nan=True)
    np.testing.assert_array_equal(said["NEE"], said["RECO"] - said["GPP"])


def test_weights_of_zero_are_no_weights_to_the_bit(tmp_path: Path) -> None:
    zeros = [f"knowledge.{name}=0" for name in (*TERMS, "balance")]
    off, without = run(tmp_path / "off", *BALANCED, *zeros), run(tmp_path / "without", *BALANCED)
    for name in off:
        np.testing.assert_array_equal(off[name], without[name])


@pytest.mark.parametrize("head", ["quantile", pytest.param("mixture", marks=pytest.mark.slow)])
def test_raci_with_neighbours_own_days_and_a_distribution_of_asinh_learns_with_it(tmp_path: Path, head: str) -> None:
    overrides = ["model=raci", "model.first_guess.trees.rounds=5", "model.retrieval.neighbours=2", f"head.kind={head}"]
    said = run(tmp_path / head, *overrides, "data.asinh_at=10", "knowledge.temperature=1", "knowledge.range=1")
    assert np.isfinite(said["FCH4"]).mean() > 0.9
    assert max(logged(tmp_path / head, "towers")["train/knowledge/temperature"]) < 1.0
