"""Every model learns every pair: a fold from the prepared data to predictions of each target, in two steps.

By default every model learns the pair of the most targets, and the house's model every pair; the rest is slow.
"""

import gc
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from raciflux.config.compose import compose
from raciflux.config.models import ESTIMATORS, MODELS
from raciflux.config.schema import Config
from raciflux.config.trainings import models_of
from raciflux.datamodules import PAIRS
from raciflux.datamodules.cube import write_zarr
from raciflux.evaluation.run_folder import RunFolder
from raciflux.workflow.prepare import Prepared, prepare
from raciflux.workflow.progress import RunProgress
from raciflux.workflow.stages import quiet
from raciflux.workflow.train import run_fold

from worlds import CLUSTER_KM, balance_cube, carbon_cube, uptake_cube

SMALL = [
    "model=raci",
    "model.first_guess.trees.rounds=20",
    f"compare=[{','.join(name for name in MODELS if name != 'raci')}]",
    "transfer=scratch",
    "transfer.finetune.steps=2",
    "transfer.finetune.check_every=2",
    "transfer.finetune.batch_size=4",
    "data.simulation=null",
    "data.window.warmup_days=30",
    "data.window.scored_days=60",
    "data.split.folds=3",
    "data.split.fold=0",
    "data.split.min_scored_days=30",
    "trainer.progress=false",
    "logger.wandb=disabled",
]
EMBEDDED = ["data.source.places=9", "data.source.years=2"]
PARTS_OF_BALANCE = ("GPP", "RECO", "NEE")
STORED = ["data.source={kind: cube, path: towers.zarr}", f"data.split.cluster_km={CLUSTER_KM}"]


MOST_TARGETS = max(PAIRS, key=lambda name: len(PAIRS[name].pair.targets))
CASES = [
    pytest.param(pair, name, marks=() if pair == MOST_TARGETS or name == "raci" else pytest.mark.slow)
    for pair in PAIRS
    for name in MODELS
]


@pytest.fixture(scope="module")
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Config, Prepared]]:
    """A few towers of a pair, and the command that trains every model on them."""
    quiet()
    pair, folder = request.param, tmp_path_factory.mktemp("world")
    source = [f"data={pair}", *EMBEDDED]
    if pair not in ("wetland_ch4", "cropland_gpp", "cropland_co2"):
        cube = {"carbon_balance": balance_cube, "soil_sink_ch4": uptake_cube}.get(pair, carbon_cube)
        write_zarr(cube(12, 500), folder / "towers.zarr")
        source = [f"data.pair={pair}", f"data.root={folder}", *STORED]
    config = compose([*source, *SMALL])
    gc.freeze()  # each fold ends with a collection, which need not look through what the imports left
    yield config, prepare(config)
    gc.unfreeze()


@pytest.mark.parametrize(("world", "name"), CASES, indirect=["world"])
def test_a_model_learns_a_pair(world: tuple[Config, Prepared], name: str, tmp_path: Path) -> None:
    command, prepared = world
    config = models_of(command)["" if name == "raci" else f"baselines/{name}"]
    run_fold(config, prepared, 0, tmp_path, RunProgress(2, False))
    targets, said_of = PAIRS[config.data.pair].pair.targets, {}
    split = json.loads((tmp_path / "splits.json").read_text())
    for target in targets:
        stored = RunFolder(tmp_path, target if len(targets) > 1 else None).predictions()
        assert (stored.attrs["model"], stored.attrs["pair"], stored.attrs["target"]) == (name, config.data.pair, target)
        assert sorted(stored["site_id"].to_numpy().tolist()) == sorted(split["test"])
        said_of[target] = stored["prediction"].to_numpy()
        said = np.isfinite(stored["prediction"])
        assert said.mean() > 0.9
        assert stored["prediction"].where(said).std() > 0
        assert stored["measured"].any()
    if set(PARTS_OF_BALANCE) <= set(targets):
        np.testing.assert_array_equal(said_of["NEE"], said_of["RECO"] - said_of["GPP"])
    assert 0 < json.loads((tmp_path / "validation.json").read_text())["score"] < 100
    if name not in ESTIMATORS:
        ended = json.loads((tmp_path / "checkpoints" / "towers" / "finished.json").read_text())
        assert ended["steps"] == 2


def test_croplands_of_the_embedded_world_stay_in_balance_from_simulation_to_towers(tmp_path: Path) -> None:
    quiet()
    only = [text for text in SMALL if not text.startswith(("model", "compare=", "transfer=", "data.simulation"))]
    stages = ["transfer.pretrain.steps=2", "transfer.pretrain.check_every=2", "transfer.pretrain.batch_size=4"]
    cells = ["data.simulation.places=12", "data.simulation.years=1", "data.asinh_at=3"]
    named = ["data=carbon_balance", "model=lstm", "compare=[]", f"output={tmp_path}"]
    config = compose([*named, *only, *EMBEDDED, *stages, *cells])
    run_fold(config, prepare(config), 0, tmp_path, RunProgress(4, False))
    gpp, reco, nee = (RunFolder(tmp_path, name).predictions()["prediction"].to_numpy() for name in PARTS_OF_BALANCE)
    assert np.isfinite(nee).mean() > 0.9
    np.testing.assert_array_equal(nee, reco - gpp)
    scaler = (tmp_path / "scaler.yaml").read_text()
    assert scaler.count("asinh_at: 3.0") == 3
