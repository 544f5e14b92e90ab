"""Conditionings and the fast encoder: what the regime does to days, and when."""

import pytest
import torch
from batches import made_up_batch, made_up_layout
from network_checks import CUTS, woken
from raciflux.contracts import WindowLayout
from raciflux.modules.encoders.bodies import BODIES
from raciflux.modules.encoders.conditioning import CONDITIONINGS
from raciflux.modules.encoders.fast import FastEncoder
from torch import Tensor, nn

FEATURES, CONDITION, SIZE = 8, 5, 4
LAYOUT = made_up_layout()
WINDOW = LAYOUT.window
every_conditioning = pytest.mark.parametrize("conditioning", CONDITIONINGS)
every_body = pytest.mark.parametrize("body", BODIES)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


X, MONTHS = noise(SIZE, WINDOW.days, FEATURES), torch.tanh(noise(SIZE, WINDOW.blocks, CONDITION, seed=1))
BATCH = made_up_batch(LAYOUT, SIZE)


def fresh(conditioning: str, layout=LAYOUT) -> nn.Module:
    torch.manual_seed(0)
    return CONDITIONINGS[conditioning](CONDITION, FEATURES, layout)


def encoder(body: str, conditioning: str) -> FastEncoder:
    return woken(FastEncoder(LAYOUT, CONDITION, FEATURES, body, conditioning, 0.0))


def moved(module: nn.Module, block: int) -> Tensor:
    """Days (day,) that change with the condition of one block."""
    other = MONTHS.clone()
    other[:, block] += 1.0
    return (module(X, other) != module(X, MONTHS)).any(2).any(0)


@every_conditioning
def test_it_starts_near_the_identity_but_not_on_it(conditioning):
    """Near, so that the common response is learned first; not on it, or nothing would tell regimes apart."""
    conditioned = fresh(conditioning)(X, MONTHS)
    distance = (conditioned - X).norm() / X.norm()
    assert 1e-4 < distance < 0.15


@every_conditioning
def test_days_use_months_that_closed_before_them(conditioning):
    module = woken(fresh(conditioning))
    last_block = torch.from_numpy(WINDOW.last_block())
    for block in range(WINDOW.blocks):
        later = last_block >= block
        meant = later if conditioning == "cross_attention" else last_block == block
        assert torch.equal(moved(module, block), meant), block


@every_conditioning
@pytest.mark.parametrize("window", [WindowLayout(0, 31, 7, 1), WindowLayout(3, 1, 30, 1)], ids=["a month", "a day"])
def test_one_block_of_history_is_enough(conditioning, window):
    x, months = noise(2, window.days, FEATURES), noise(2, window.blocks, CONDITION)
    conditioned = woken(fresh(conditioning, made_up_layout(window=window)))(x, months)
    assert conditioned.shape == x.shape
    assert torch.isfinite(conditioned).all()


@every_conditioning
def test_a_place_is_conditioned_on_its_own_regime(conditioning):
    module = woken(fresh(conditioning))
    other = MONTHS.clone()
    other[1:] += 1.0
    assert torch.equal(module(X, other)[0], module(X, MONTHS)[0])


def test_gates_only_damp():
    gates = woken(fresh("gates"))
    gated = gates(X, 10 * MONTHS)
    assert (gated.abs() <= X.abs()).all()
    assert (gated * X >= 0).all()
    assert (gated.abs() < 0.5 * X.abs()).any()


def test_cross_attention_weighs_recent_months_most_until_it_learns_otherwise():
    """Its weight on a month shows in how the answer follows that month's modulation."""
    module = fresh("cross_attention")
    with torch.no_grad():
        module.key.weight.zero_()
        module.modulation.weight[:FEATURES].zero_()
        module.modulation.weight[FEATURES:] = torch.eye(FEATURES, CONDITION)
    shift = module(X, torch.eye(WINDOW.blocks)[:, :CONDITION].expand(SIZE, -1, -1))[0, -1] - X[0, -1]
    weight = torch.exp(-0.5 * torch.arange(WINDOW.blocks - 1, -1, -1.0))
    torch.testing.assert_close(shift[:CONDITION], (weight / weight.sum())[:CONDITION])


def test_cross_attention_lets_the_weather_of_a_day_choose_the_months():
    """Two days of one block under one history: film scales them alike, cross-attention does not."""
    alike = {}
    for conditioning in ("film", "cross_attention"):
        module = woken(fresh(conditioning))
        ratio = (module(X, MONTHS) - module(torch.zeros_like(X), MONTHS)) / X
        alike[conditioning] = torch.allclose(ratio[:, 0], ratio[:, 1], rtol=1e-3)
    assert alike == {"film": True, "cross_attention": False}


def test_a_hyper_network_mixes_features_by_regime():
    """Film leaves a feature's answer to the others at zero; weights of a regime's own do not."""
    mixes = {}
    for conditioning in CONDITIONINGS:
        module = woken(fresh(conditioning))
        other = X.clone()
        other[..., 0] += 1.0
        mixes[conditioning] = not torch.equal(module(other, MONTHS)[..., 1:], module(X, MONTHS)[..., 1:])
    assert mixes == {"film": False, "gates": False, "cross_attention": True, "hyper_network": True}
    answer = woken(fresh("hyper_network"))(X, torch.zeros_like(MONTHS)) - woken(fresh("hyper_network"))(X, MONTHS)
    assert answer.abs().max() > 0.1


@every_body
@every_conditioning
def test_no_encoded_day_changes_with_drivers_or_months_after_it(body, conditioning):
    module = encoder(body, conditioning).eval()
    before = module(BATCH, MONTHS)
    closes = (torch.arange(WINDOW.blocks) - WINDOW.history + 1) * WINDOW.block_days - 1  # last day of each block
    for cut in CUTS:
        later = (torch.arange(WINDOW.days) > cut)[None, :, None]
        drivers = {name: torch.where(later, 3.0 - BATCH[name], BATCH[name]) for name in ("fast", "fast_mask")}
        months = torch.where((closes > cut)[None, :, None], -MONTHS, MONTHS)
        after = module(BATCH | drivers, months)
        assert torch.equal(after[:, : cut + 1], before[:, : cut + 1]), cut
        assert not torch.equal(after[:, cut + 1 :], before[:, cut + 1 :]), cut


@every_body
@every_conditioning
def test_gradients_reach_every_weight_from_the_start_and_later(body, conditioning):
    torch.manual_seed(0)
    module = FastEncoder(LAYOUT, CONDITION, FEATURES, body, conditioning, 0.0)
    for stage in (module, woken(module)):
        stage.zero_grad()
        encoded = stage(BATCH, MONTHS)
        assert encoded.shape == (SIZE, WINDOW.days, FEATURES)
        encoded.square().sum().backward()
        for name, parameter in stage.named_parameters():
            assert parameter.grad is not None and parameter.grad.any(), name


@every_body
@every_conditioning
def test_an_encoded_place_does_not_depend_on_batch_mates(body, conditioning):
    module = encoder(body, conditioning)
    one = {name: value[1:2] for name, value in BATCH.items()}
    for mode in (False, True):
        module.train(mode)
        torch.testing.assert_close(module(one, MONTHS[1:2]), module(BATCH, MONTHS)[1:2], rtol=1e-4, atol=1e-5)


@every_conditioning
def test_the_regime_conditions_what_goes_in_and_what_comes_out(conditioning):
    """Each of the two acts on its own: with the other's weights at zero the answer still follows the regime."""
    for silent in ("before", "after"):
        module = encoder("lstm", conditioning)
        with torch.no_grad():
            for parameter in getattr(module, silent).parameters():
                parameter.zero_()
        if conditioning == "gates":
            nn.init.constant_(getattr(module, silent).gate.bias, 3.0)
        assert not torch.equal(module(BATCH, -MONTHS), module(BATCH, MONTHS)), silent
