"""Knowledge in training: whatever network and head, in one pass or compared with another, and not at all where off."""

from dataclasses import replace

import pytest
import torch
from batches import made_up_batch, made_up_layout
from neighbourhoods import with_neighbours
from raciflux.config.knowledge import KnowledgeConfig
from raciflux.config.schema import HeadConfig
from raciflux.config.transfer import StageConfig
from raciflux.contracts import TargetScale, WindowLayout
from raciflux.datamodules import PAIRS
from raciflux.modules import NETWORKS
from raciflux.modules.flux_module import FluxModule
from raciflux.modules.knowledge import knowledge_of
from raciflux.modules.knowledge.spells import Spell
from tiny_networks import CONFIGS, every_network

WINDOW = WindowLayout(warmup=20, scored=130, block_days=30, history=3)
INPUTS = {"TA": (10.0, 8.0), "SW": (150.0, 80.0), "VPD": (5.0, 4.0)}
CARBON = "terrestrial_carbon"
ALL = dict.fromkeys(("balance", "non_negative", "range", "temperature", "light"), 3.0)
OFF = dict.fromkeys(ALL, 0.0)
# a network that has learned nothing says negative fluxes
SCALES = (TargetScale("gC m-2 d-1", -3.0, 3.7), TargetScale("gC m-2 d-1", -2.5, 2.2))
BENT = tuple(TargetScale("gC m-2 d-1", s.mean / 4, s.std / 3, asinh_at=2.0, flux_std=s.std) for s in SCALES)
HEADS = {"point": HeadConfig(), "quantile": HeadConfig(kind="quantile", quantiles=5), "mixture": HeadConfig("mixture")}


def layout_of(pair: str = CARBON):
    return replace(made_up_layout(window=WINDOW), targets=PAIRS[pair].pair.targets)


def module_of(config, weights, head=HEADS["point"], scales=SCALES, pair=CARBON) -> FluxModule:
    layout = layout_of(pair)
    torch.manual_seed(0)
    network = with_neighbours(NETWORKS[config.name](config, layout, head), config, layout)
    known = knowledge_of(KnowledgeConfig(**weights), pair, layout, scales, INPUTS)
    module = FluxModule(network, layout, head, scales, 12, StageConfig(), known).train()
    module.logged = {}
    module.log = lambda name, value, **_: module.logged.update({name: value})
    module.log_dict = lambda values, **_: module.logged.update(values)
    return module


def step(module: FluxModule, batch) -> torch.Tensor:
    torch.manual_seed(7)
    return module.training_step(batch, 0)


@every_network
def test_every_network_pays_for_what_it_breaks_and_learns_from_it(config):
    batch = made_up_batch(layout_of(), size=6)
    plain, guided = (module_of(config, weights) for weights in (OFF, ALL))
    loss = step(guided, batch)
    assert set(guided.logged) == {"train/loss", *(f"train/knowledge/{name}" for name in ALL)}
    paid = sum(3.0 * guided.logged[f"train/knowledge/{name}"] for name in ALL)
    assert paid > 0
    assert loss.item() == guided.logged["train/loss"].item()
    if not hasattr(guided.network, "training_loss"):  # else windows are asked questions, drawn from another state
        assert loss.item() == pytest.approx(step(plain, batch).item() + paid.item(), rel=1e-4)
    paid.backward()
    slopes = [parameter.grad for parameter in guided.parameters() if parameter.grad is not None]
    assert slopes and all(torch.isfinite(slope).all() for slope in slopes)
    assert any(slope.any() for slope in slopes)


@every_network
def test_without_weights_nothing_changes_to_the_bit(config):
    """Neither the loss nor the state of the generator that dropout and the next step draw from."""
    batch, module = made_up_batch(layout_of(), size=6), module_of(config, OFF)
    assert module.knowledge is None
    loss, state = step(module, batch), torch.get_rng_state()
    assert set(module.logged) == {"train/loss"}
    again = module_of(config, OFF)
    torch.manual_seed(7)
    if hasattr(again.network, "training_loss"):
        expected = again.network.training_loss(batch, again.loss)
    else:
        auxiliary = getattr(again.network, "auxiliary_loss", lambda _: 0.0)
        expected = again.loss(again.network(batch), batch["target"], batch["target_mask"]) + auxiliary(batch)
    assert torch.equal(loss, expected)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("scales", [SCALES, BENT], ids=["linear", "asinh"])
@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=["32", "bf16"])
def test_a_step_along_the_gradient_mends_what_is_broken_whatever_the_head(kind, scales, precision):
    module = module_of(CONFIGS["lstm"], {"non_negative": 1.0, "balance": 1.0, "range": 1.0}, HEADS[kind], scales)
    batch = made_up_batch(layout_of(), size=6)

    def broken() -> torch.Tensor:
        with torch.autocast("cpu", precision, enabled=precision == torch.bfloat16):
            step(module, batch)
        return sum(value for name, value in module.logged.items() if name.startswith("train/knowledge"))

    before = broken()
    assert before > 0.01
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        broken().backward()
        optimizer.step()
    assert broken() < 0.95 * before


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=["32", "bf16"])
@pytest.mark.parametrize("name", ["lstm", "tcn", "moment_lstm", "raci"])
def test_dropout_and_questions_are_no_response(name, precision):
    """Spells that raise drivers by nothing are answered to the bit as no spell: chance is not charged for."""
    module = module_of(replace(CONFIGS[name], dropout=0.5), {"temperature": 1.0, "light": 1.0})
    for term, pieces in module.knowledge.terms.items():
        module.knowledge.terms[term] = [replace(pieces[0], spell=idle(pieces[0].spell))]
    answers = []
    flux = module.flux
    module.flux = lambda raw: answers.append(flux(raw)) or answers[-1]
    with torch.autocast("cpu", precision, enabled=precision == torch.bfloat16):
        step(module, made_up_batch(layout_of(), size=6))
    first, *others = torch.stack(answers).chunk(3)
    assert all(torch.equal(first, other) for other in others)
    assert [module.logged[f"train/knowledge/{term}"].item() for term in module.knowledge.terms] == [0.0, 0.0]


def idle(spell: Spell) -> Spell:
    return replace(spell, raised=tuple((driver, 0.0) for driver, _ in spell.raised))


def test_each_step_draws_other_spells_and_another_dropout():
    module = module_of(replace(CONFIGS["lstm"], dropout=0.5), {"temperature": 1.0})
    batch = made_up_batch(layout_of(), size=6)
    torch.manual_seed(7)
    losses = [module.training_step(batch, number).item() for number in range(3)]
    assert len(set(losses)) == 3
