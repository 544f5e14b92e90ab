"""What the simulation alone says: learned without neighbours, told to the trees, moved by no measured flux."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from raciflux.config.schema import Config
from raciflux.errors import UserError
from raciflux.modules.baselines.neighbour_trees import NeighbourTrees
from raciflux.modules.raci import Raci
from raciflux.workflow import learn as learning
from raciflux.workflow import pretraining
from raciflux.workflow.progress import RunProgress
from raciflux.workflow.simulated import simulated_flux
from raciflux.workflow.stages import StageFolder, build_bank, build_module, fit

from worlds import STAGE, carbon_cube, poisoned, tiny_data, tiny_split

from .test_first_guess import RACI
from .test_learn import CONFIG, prepared_of

TRANSFER = replace(CONFIG, model=RACI, transfer=replace(CONFIG.transfer, name="finetune", pretrain=STAGE))


def pretrained(folder: Path, config: Config = TRANSFER) -> Config:
    """Leave in ``folder`` a network that was trained on a cube, as pretraining leaves it."""
    cube = carbon_cube()
    data = tiny_data(cube, tiny_split(cube))
    module = build_module(config, STAGE, data, build_bank(config, data))
    fit(config, STAGE, StageFolder(folder, "pretrain"), data, module, [], [], RunProgress(1, False, speaks=False))
    return config


def transferred(folder: Path, config: Config = TRANSFER) -> learning.Learned:
    """Run a whole fold, pretrained on a cube that stands for a simulation."""
    cube = carbon_cube()
    prepared = replace(prepared_of(cube), simulation=carbon_cube())
    config = replace(config, output=str(folder))
    return learning.learn(config, prepared, tiny_split(cube), folder, RunProgress(1, False, speaks=False))


def test_no_flux_of_the_towers_moves_it(tmp_path):
    config, cube = pretrained(tmp_path), carbon_cube()
    split = tiny_split(cube)
    data = tiny_data(cube, split)
    other = tiny_data(
        poisoned(cube, np.ones(data.training_days.shape, bool), ("GPP", "NEE")), split, scaler=data.scaler
    )
    said, again = (simulated_flux(config, each, tmp_path, build_bank(config, each)) for each in (data, other))
    assert said is not None
    np.testing.assert_array_equal(np.isfinite(said), np.repeat(data.predictable[..., None], 2, axis=2))
    np.testing.assert_array_equal(again, said)


def test_nothing_is_said_where_nothing_was_pretrained_and_damage_is_one_line(tmp_path):
    cube = carbon_cube()
    data = tiny_data(cube, tiny_split(cube))
    bank = build_bank(TRANSFER, data)
    assert simulated_flux(TRANSFER, data, tmp_path, bank) is None
    pretrained(tmp_path)
    path = tmp_path / "checkpoints" / "pretrain" / "best.ckpt"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError) as caught:
        simulated_flux(TRANSFER, data, tmp_path, bank)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("simulated", [True, False])
def test_trees_are_told_only_if_the_config_says_so(simulated, tmp_path):
    model = replace(RACI, first_guess=replace(RACI.first_guess, simulated=simulated))
    learned = transferred(tmp_path, replace(TRANSFER, model=model))
    trees = NeighbourTrees.load(tmp_path / "first_guess" / "all")
    told = [name for name in trees.boosters["GPP"].feature_name() if "simulated" in name]
    expected = ["GPP_simulated", "NEE_simulated", "GPP_simulated_year", "NEE_simulated_year"]
    assert told == (expected if simulated else [])
    asked = learned.data.predictable & learned.data.test_days
    assert np.isfinite(learned.predicted.flux[asked]).all()


@pytest.mark.parametrize("pretrain", [False, True])
def test_neighbours_are_hidden_on_the_simulation_and_seen_at_towers(pretrain, tmp_path, monkeypatch):
    seen = {}

    def spied(config, stage, folder, data, module, *rest, **named):
        assert isinstance(module.network, Raci) and module.network.retrieval is not None
        seen[folder.name] = not module.network.retrieval.roles["slow"].blind
        return fit(config, stage, folder, data, module, *rest, **named)

    for stage in (learning, pretraining):
        monkeypatch.setattr(stage, "fit", spied)
    retrieval = replace(RACI.retrieval, pretrain=pretrain)
    transferred(tmp_path, replace(TRANSFER, model=replace(RACI, retrieval=retrieval)))
    assert seen == {"pretrain": pretrain, "towers": True}
