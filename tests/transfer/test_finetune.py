import json
from dataclasses import replace

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from raciflux.config.models import LstmConfig
from raciflux.config.raci import RaciConfig, RetrievalConfig
from raciflux.config.schema import HeadConfig
from raciflux.config.transfer import StageConfig
from raciflux.contracts import TargetScale
from raciflux.datamodules.base import FluxDataModule
from raciflux.errors import UserError
from raciflux.modules import NETWORKS
from raciflux.modules.checkpoints import network_weights
from raciflux.modules.flux_module import FluxModule
from raciflux.retrieval.bank import Bank
from raciflux.transfer import FineTune
from raciflux.workflow.seeded_steps import SeededSteps

from worlds import CLUSTER_KM, quiet_trainer, tiny_cube, tiny_data

HEAD = HeadConfig()
STAGE = StageConfig(steps=6, learning_rate=0.05)
RACI = RaciConfig(hidden=6, regime=4, embedding=3, retrieval=RetrievalConfig(neighbours=2, width=3))


@pytest.fixture(scope="module")
def data() -> FluxDataModule:
    return tiny_data(tiny_cube())


def module_for(data, config=RACI, seed=0, scale: TargetScale | None = None) -> FluxModule:
    torch.manual_seed(seed)
    network = NETWORKS[config.name](config, data.layout, HEAD)
    if config is RACI:
        bank = Bank.build(data.view(), CLUSTER_KM)
        network.retrieval.attach(bank, bank.look_up(data.view(), config.retrieval, same_cube=True))
    scales = data.scaler.targets if scale is None else [scale]
    return FluxModule(network, data.layout, HEAD, scales, len(data.train_sites), STAGE)


def train(module, data, folder, callbacks, steps=STAGE.steps, resume=None):
    trainer = quiet_trainer(
        folder,
        max_steps=steps,
        limit_val_batches=0,
        callbacks=[SeededSteps(0), *callbacks],
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
    )
    trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True if resume else None)


def weights(module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.network.state_dict().items()}


def moved(before, after) -> set[str]:
    """Parts of the network of which a tensor changed."""
    return {name.split(".")[0] for name, value in after.items() if not torch.equal(value, before[name])}


@pytest.fixture(scope="module")
def pretrained(data, tmp_path_factory):
    """Checkpoint of a RACI trained elsewhere, with another scale of the target."""
    folder = tmp_path_factory.mktemp("pretrain")
    module = module_for(data, seed=1, scale=TargetScale("gC m-2 d-1", -7.0, 11.0))
    save = ModelCheckpoint(folder, filename="best", save_weights_only=False, every_n_train_steps=3)
    train(module, data, folder, [save], steps=3)
    return folder / "best.ckpt"


def fine_tune(pretrained, folder, freeze=()):
    return FineTune(pretrained, freeze, folder / "transfer.json")


class Peek(ModelCheckpoint):
    """Keeps the weights as they are when the first step begins."""

    def on_train_start(self, trainer, pl_module):
        self.start = weights(pl_module)


def test_training_starts_from_the_pretrained_weights(data, pretrained, tmp_path):
    module, peek = module_for(data, seed=2), Peek(tmp_path)
    own = weights(module)
    train(module, data, tmp_path, [fine_tune(pretrained, tmp_path), peek])
    loaded = network_weights(pretrained)
    assert loaded.keys() == own.keys()
    assert all(torch.equal(peek.start[name], value) for name, value in loaded.items())
    assert not any(torch.equal(own[name], loaded[name]) for name in own if name.endswith("weight"))


def test_the_scale_and_the_bank_stay_those_of_the_observations(data, pretrained, tmp_path):
    module = module_for(data)
    values = module.network.retrieval.roles["slow"].values.clone()
    train(module, data, tmp_path, [fine_tune(pretrained, tmp_path)])
    (scale,) = data.scaler.targets
    assert float(module.target_mean) == pytest.approx(scale.mean)
    assert float(module.target_std) == pytest.approx(scale.std)
    assert torch.equal(module.network.retrieval.roles["slow"].values, values)


@pytest.mark.parametrize("freeze", [(), ("slow_encoder",), ("fast_encoder", "retrieval")])
def test_frozen_parts_do_not_move_and_the_others_do(data, pretrained, tmp_path, freeze):
    module = module_for(data)
    train(module, data, tmp_path, [fine_tune(pretrained, tmp_path, freeze)])
    before = network_weights(pretrained)
    for name, after in weights(module).items():
        assert torch.equal(after, before[name]) == (name.split(".")[0] in freeze), name


def test_the_record_says_what_became_of_every_tensor(data, pretrained, tmp_path):
    module = module_for(data)
    train(module, data, tmp_path, [fine_tune(pretrained, tmp_path, ["slow_encoder"])])
    record = json.loads((tmp_path / "transfer.json").read_text())
    assert record["checkpoint"] == "best.ckpt"
    assert record["tensors"].keys() == module.network.state_dict().keys()
    for name, fate in record["tensors"].items():
        assert fate == ("frozen" if name.startswith("slow_encoder") else "loaded")


def test_tensors_the_checkpoint_lacks_are_said_to_be_new(data, pretrained, tmp_path):
    content = torch.load(pretrained, weights_only=True)
    lacking = {name: value for name, value in content["state_dict"].items() if "head" not in name}
    torch.save({**content, "state_dict": lacking}, tmp_path / "headless.ckpt")
    module = module_for(data, seed=2)
    head = module.network.head.read[1].weight.clone()
    train(module, data, tmp_path, [fine_tune(tmp_path / "headless.ckpt", tmp_path)], steps=0)
    tensors = json.loads((tmp_path / "transfer.json").read_text())["tensors"]
    assert {name for name, fate in tensors.items() if fate == "initialised"} == {
        "head.read.1.weight",
        "head.read.1.bias",
    }
    assert torch.equal(module.network.head.read[1].weight, head)


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")
def test_a_resumed_run_keeps_its_own_weights_and_is_frozen_again(data, pretrained, tmp_path):
    save = ModelCheckpoint(tmp_path, filename="last", every_n_train_steps=3)
    train(module_for(data), data, tmp_path, [fine_tune(pretrained, tmp_path, ["head"]), save], steps=3)
    stopped = network_weights(tmp_path / "last.ckpt")
    module, peek = module_for(data, seed=5), Peek(tmp_path / "peek")
    callbacks = [fine_tune(pretrained, tmp_path, ["head"]), peek]
    train(module, data, tmp_path, callbacks, steps=6, resume=tmp_path / "last.ckpt")
    assert all(torch.equal(peek.start[name], value) for name, value in stopped.items())
    assert moved(network_weights(pretrained), stopped) == {"slow_encoder", "fast_encoder", "retrieval", "own_days"}
    assert moved(stopped, weights(module)) == {"slow_encoder", "fast_encoder", "retrieval", "own_days"}


@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`")
def test_stopped_and_resumed_is_the_same_to_the_bit(data, pretrained, tmp_path):
    """Batches, questions and the cycle of the rate go on where they were."""
    straight, halved = tmp_path / "straight", tmp_path / "halved"
    for folder in (straight, halved):
        folder.mkdir()
    config = replace(RACI, dropout=0.0, retrieval=replace(RACI.retrieval, enabled=False))
    save = ModelCheckpoint(halved, filename="last", every_n_train_steps=3)
    once, first, second = (module_for(data, config) for _ in range(3))
    weights_of = tmp_path / "pretrained.ckpt"
    torch.save({"state_dict": {f"network.{k}": v + 0.1 for k, v in weights(once).items()}}, weights_of)
    train(once, data, straight, [fine_tune(weights_of, straight)], steps=6)
    train(first, data, halved, [fine_tune(weights_of, halved), save], steps=3)
    train(second, data, halved, [fine_tune(weights_of, halved)], steps=6, resume=halved / "last.ckpt")
    assert not moved(weights(once), weights(second))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (LstmConfig(hidden=6), "tensors do not fit, first fast_encoder.after"),
        (replace(RACI, hidden=7), "tensors do not fit, first fast_encoder.after.modulation.bias"),
        (replace(RACI, retrieval=RetrievalConfig(enabled=False)), "do not fit"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(data, pretrained, tmp_path, config, said):
    module = module_for(data, config)
    before = weights(module)
    with pytest.raises(UserError, match=said) as caught:
        train(module, data, tmp_path, [fine_tune(pretrained, tmp_path)])
    assert "best.ckpt" in str(caught.value)
    assert not moved(before, weights(module))
    assert not (tmp_path / "transfer.json").exists()


def test_a_checkpoint_without_any_network_is_refused(data, tmp_path):
    torch.save({"state_dict": {"target_mean": torch.tensor(1.0)}}, tmp_path / "best.ckpt")
    with pytest.raises(UserError, match="no tensor fits"):
        train(module_for(data), data, tmp_path, [fine_tune(tmp_path / "best.ckpt", tmp_path)])


def test_a_missing_checkpoint_is_refused(data, tmp_path):
    with pytest.raises(UserError, match="no such checkpoint"):
        train(module_for(data), data, tmp_path, [fine_tune(tmp_path / "gone.ckpt", tmp_path)])


def test_an_unknown_part_is_named_with_the_known_ones(data, pretrained, tmp_path):
    said = "transfer.freeze: 'slow_encodr' is no part of this model; its parts: slow_encoder, retrieval"
    with pytest.raises(UserError, match=said):
        train(module_for(data), data, tmp_path, [fine_tune(pretrained, tmp_path, ["slow_encodr"])])


def test_nothing_left_to_train_is_refused(data, pretrained, tmp_path):
    every = ["slow_encoder", "retrieval", "fast_encoder", "head", "own_days"]
    with pytest.raises(UserError, match=r"transfer\.freeze: every part is frozen"):
        train(module_for(data), data, tmp_path, [fine_tune(pretrained, tmp_path, every)])


def test_a_frozen_part_that_the_checkpoint_lacks_is_refused(data, pretrained, tmp_path):
    content = torch.load(pretrained, weights_only=True)
    content["state_dict"] = {name: v for name, v in content["state_dict"].items() if "network.head" not in name}
    torch.save(content, tmp_path / "headless.ckpt")
    with pytest.raises(UserError, match=r"has no head\..*stay random"):
        train(module_for(data), data, tmp_path, [fine_tune(tmp_path / "headless.ckpt", tmp_path, ["head"])])
