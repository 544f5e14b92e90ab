"""Both domains at once: the discriminator is fooled, each simulated place has its weight, the domain is an input."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from batches import made_up_batch, made_up_layout
from hypothesis import given
from hypothesis import strategies as st
from neighbourhoods import with_neighbours
from raciflux.config.raci import RaciConfig, RetrievalConfig
from raciflux.config.schema import HeadConfig
from raciflux.config.transfer import StageConfig
from raciflux.contracts import TargetScale
from raciflux.datamodules.paired import PairedDomains
from raciflux.modules import NETWORKS
from raciflux.modules.checkpoints import load_checkpoint, network_weights
from raciflux.modules.flux_module import FluxModule
from raciflux.transfer import joint
from raciflux.transfer.joint import Adversarial, Mixed, Reweighted, reverse_gradient
from raciflux.transfer.similarity import LEAST_DAYS, moments, similarity_weights
from tiny_networks import CONFIGS
from two_domains import CONFIG, broken_off, transferred

from worlds import tiny_cube, tiny_data, tiny_split

RACI = RaciConfig(hidden=6, regime=4, embedding=3, retrieval=RetrievalConfig(neighbours=2, width=3))
RACI.first_guess.trees.rounds = 5
JOINT = ("adversarial", "reweight", "mixed")
LAYOUT = made_up_layout()
BATCH = made_up_batch(LAYOUT)
OTHER = {**BATCH, "fast": BATCH["fast"].flip(0) + 1.0}
BOTH = {"towers": BATCH, "simulation": OTHER}


def module_of(name: str = "lstm") -> FluxModule:
    """A module over made-up batches, whose dropout is off so that two passes say the same."""
    torch.manual_seed(0)
    config = CONFIGS[name]
    network = with_neighbours(NETWORKS[config.name](config, LAYOUT, HeadConfig()), config, LAYOUT)
    scales = [TargetScale("gC m-2 d-1", 1.0, 2.0)] * len(LAYOUT.targets)
    module = FluxModule(network, LAYOUT, HeadConfig(), scales, len(BATCH["site"]), StageConfig()).eval()
    module.log_dict = lambda *told, **options: None  # type: ignore[method-assign]  # no trainer listens
    return module


def encoder_gradient(module: FluxModule, loss: torch.Tensor) -> torch.Tensor:
    module.zero_grad()
    loss.backward()
    grads = [p.grad.flatten() for p in module.network.fast_encoder.parameters() if p.grad is not None]
    return torch.cat(grads).clone()


def test_the_reversed_gradient_is_reversed():
    value = torch.ones(3, requires_grad=True)
    reverse_gradient(value, 0.25).sum().backward()
    assert torch.equal(value.grad, torch.full((3,), -0.25))


def test_the_discriminator_learns_and_the_encoder_unlearns(monkeypatch):
    module, loss = module_of(), Adversarial(weight=0.7, hidden=CONFIGS["lstm"].hidden)
    loss.done = 1.0
    told = encoder_gradient(module, loss(module, BOTH))
    of_discriminator = [parameter.grad.clone() for parameter in loss.discriminator.parameters()]
    loss.weight = 0.0
    plain = encoder_gradient(module, loss(module, BOTH))
    monkeypatch.setattr(joint, "reverse_gradient", lambda value, strength: value)
    loss.zero_grad()
    honest = encoder_gradient(module, loss(module, BOTH))
    torch.testing.assert_close(
        told - plain, -0.7 * (2 / (1 + np.exp(-10)) - 1) * (honest - plain), rtol=1e-3, atol=1e-6
    )
    for ours, unreversed in zip(of_discriminator, loss.discriminator.parameters(), strict=True):
        torch.testing.assert_close(ours, unreversed.grad)
        assert ours.abs().max() > 0


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("technique", JOINT)
def test_every_network_can_be_trained_on_both(name, technique):
    module = module_of(name)
    made = {
        "adversarial": lambda: Adversarial(0.3, CONFIGS[name].hidden),
        "reweight": lambda: Reweighted(np.ones(int(OTHER["site"].max()) + 1)),
        "mixed": lambda: Mixed(1.0),
    }
    loss = made[technique]()
    loss.done = 0.5
    value = loss(module, BOTH)
    value.backward()
    assert torch.isfinite(value)
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in module.network.parameters())


@pytest.mark.parametrize("make", [lambda: Adversarial(0.0, CONFIGS["lstm"].hidden), lambda: Reweighted(np.ones(99))])
def test_the_towers_count_ever_more(make):
    module, loss = module_of(), make()
    far = {**BOTH, "simulation": {**OTHER, "target": OTHER["target"] + 3.0}}
    near = {**BOTH, "towers": {**BATCH, "target": BATCH["target"] + 3.0}}
    for done, moved, still in ((0.0, far, near), (1.0, near, far)):
        loss.done = done
        said, with_moved, with_still = (loss(module, batch).item() for batch in (BOTH, moved, still))
        assert with_moved != pytest.approx(said) and with_still == pytest.approx(said)


def test_each_simulated_window_has_the_weight_of_its_place():
    module = module_of()
    target = OTHER["target"] * torch.arange(1.0, len(OTHER["site"]) + 1)[:, None, None]
    simulated = {**OTHER, "target": target}
    both = {"towers": BATCH, "simulation": simulated}
    plain = module.loss_of(simulated, module.loss).item()
    weights = np.geomspace(1e-3, 1.0, int(OTHER["site"].max()) + 1)
    read = module.network(simulated)
    total, size = 0.0, 0.0
    for i, site in enumerate(OTHER["site"].tolist()):
        counted = OTHER["target_mask"][i].sum().item()
        alone = module.loss(read[[i]], target[[i]], OTHER["target_mask"][[i]]).item()
        total, size = total + weights[site] * counted * alone, size + weights[site] * counted
    said = {name: of(module, both).item() for name, of in _at_first(weights).items()}
    assert said["weighted"] == pytest.approx(total / size, rel=1e-5) and said["alike"] == pytest.approx(plain, rel=1e-5)
    assert said["weighted"] != pytest.approx(plain, rel=0.1)


def _at_first(weights: np.ndarray) -> dict[str, Reweighted]:
    made = {"weighted": Reweighted(weights), "alike": Reweighted(np.ones_like(weights))}
    for loss in made.values():
        loss.done = 0.0
    return made


@given(st.integers(1, 4), st.integers(1, 5), st.floats(0.0, 8.0), st.integers(0, 100))
def test_weights_fall_with_the_distance_to_the_nearest_tower(places, towers, sharpness, seed):
    rng = np.random.default_rng(seed)
    simulated = rng.uniform(0.1, 2.0, (places, 1, 2))
    observed = rng.uniform(0.1, 2.0, (towers, 1, 2))
    weights = similarity_weights(simulated, observed, sharpness)
    for i in range(places):
        distances = [
            abs(simulated[i, 0, 0] - observed[j, 0, 0])
            + abs(simulated[i, 0, 1] - observed[j, 0, 1]) / observed[j, 0, 1]
            for j in range(towers)
        ]
        assert weights[i] == pytest.approx((1 + min(distances)) ** -sharpness)
    assert (similarity_weights(observed, observed, 5.0) == 1.0).all()


def test_places_of_too_few_days_count_for_nothing():
    flux = np.random.default_rng(0).normal(size=(3, 90, 1)).astype(np.float32)
    known = np.ones(flux.shape, bool)
    known[1, LEAST_DAYS - 1 :] = False
    found = moments(flux, known)
    assert np.isnan(found[1]).all() and found[0, 0, 1] == pytest.approx(flux[0].std())
    weights = similarity_weights(found, found[[0]], 5.0)
    assert weights[0] == 1.0 and weights[1] == 0.0 and 0.0 < weights[2] < 1.0


@pytest.mark.parametrize("technique", JOINT)
@pytest.mark.parametrize("model", [CONFIG.model, RACI], ids=["lstm", "raci"])
def test_a_training_goes_through_both_domains_and_ends_on_the_towers(tmp_path, technique, model):
    learned = transferred(tmp_path / "run", config=replace(CONFIG, model=model), name=technique)
    assert np.isfinite(learned.predicted.flux).any() and 0 < learned.score < 100
    stages = {path.name for path in (tmp_path / "run" / "checkpoints").iterdir()}
    assert stages == ({"towers"} if technique == "mixed" else {"joint", "towers"})
    if technique == "adversarial":
        state = load_checkpoint(tmp_path / "run" / "checkpoints" / "joint" / "best.ckpt")["state_dict"]
        assert any("discriminator" in name for name in state)
    if technique == "reweight":
        shown = pl.read_parquet(tmp_path / "run" / "weights.parquet")
        assert shown["weight"].is_between(0, 1).all() and shown["site_id"].str.starts_with("cell").all()


def test_weights_are_learned_from_training_towers_alone(tmp_path):
    towers = tiny_cube()
    trained = tiny_split(towers).members("train", towers["site_id"].to_numpy())
    flux = towers["GPP"].to_numpy().copy()
    flux[~trained] = flux[~trained] * 40 - 7
    for name, cube in (("as_is", towers), ("absurd", towers.assign(GPP=(("site", "time"), flux)))):
        transferred(tmp_path / name, cube, name="reweight")
    as_is, absurd = (pl.read_parquet(tmp_path / name / "weights.parquet") for name in ("as_is", "absurd"))
    assert as_is.equals(absurd) and as_is["weight"].n_unique() > 1


def test_a_mixed_model_is_told_which_domain_it_sees(tmp_path, monkeypatch):
    seen: dict[str, set[float]] = {}
    forward = Mixed.forward

    def watched(self, module, batch):
        for domain, of in batch.items():
            marks = of["fast"][..., -1][of["fast_mask"][..., -1] > 0]
            seen.setdefault(domain, set()).update(marks.unique().tolist())
        return forward(self, module, batch)

    monkeypatch.setattr(Mixed, "forward", watched)
    learned = transferred(tmp_path / "run", name="mixed")
    assert learned.data.layout.fast[-1] == "SIMULATED"
    assert seen == {"towers": {0.0}, "simulation": {1.0}}


@pytest.mark.parametrize("technique", JOINT)
def test_a_training_that_broke_off_ends_as_the_uninterrupted_one(tmp_path, technique, monkeypatch):
    transferred(tmp_path / "whole", name=technique)
    broken_off(monkeypatch, tmp_path / "broken", name=technique)
    transferred(tmp_path / "broken", name=technique)
    whole, broken = (
        network_weights(tmp_path / name / "checkpoints" / "towers" / "last.ckpt") for name in ("whole", "broken")
    )
    assert all(torch.equal(value, broken[name]) for name, value in whole.items())


def test_a_training_that_broke_off_on_the_towers_does_not_go_back(tmp_path):
    transferred(tmp_path / "run", name="adversarial")
    towers = tmp_path / "run" / "checkpoints" / "towers"
    whole = network_weights(towers / "best.ckpt")
    for path in towers.iterdir():
        path.unlink()
    transferred(tmp_path / "run", name="adversarial")
    assert all(torch.equal(value, whole[name]) for name, value in network_weights(towers / "best.ckpt").items())


class Rank:
    """As much of a trainer as a data module asks."""

    global_step = 0

    def __init__(self, rank: int, world: int) -> None:
        self.global_rank, self.world_size = rank, world


def test_domains_stay_paired_on_every_rank():
    towers, simulation = tiny_data(tiny_cube()), tiny_data(tiny_cube(seed=4), seed=9)

    def first(rank: int, world: int) -> dict[str, torch.Tensor]:
        pair = PairedDomains(towers, simulation)
        pair.trainer = Rank(rank, world)  # type: ignore[assignment]
        batch, _, _ = next(iter(pair.train_dataloader()))
        return batch

    whole, shares = first(0, 1), [first(rank, 2) for rank in range(2)]
    for domain, index in whole.items():
        together = torch.cat([share[domain] for share in shares])
        assert sorted(map(tuple, together.tolist())) == sorted(map(tuple, index.tolist()))
    assert not torch.equal(whole["towers"], whole["simulation"])
