"""Mean and spread apart from the dynamics: what the head says, and what its loss asks for."""

import math

import pytest
import torch
from batches import made_up_batch, made_up_layout
from raciflux.config.models import MomentLstmConfig
from raciflux.config.schema import HeadConfig
from raciflux.modules.baselines.moment_lstm import MomentLstm
from raciflux.modules.moments import FEWEST_DAYS, SMALLEST_SPREAD, MomentHead
from raciflux.modules.outputs.quantiles import Quantiles

LAYOUT = made_up_layout()
CONDITION = torch.ones(12, 1)


def saying(mean: float, log_spread: float, head: HeadConfig | None = None) -> MomentHead:
    """A head that says these moments of every window and target."""
    torch.manual_seed(0)
    moments = MomentHead(8, 1, LAYOUT, head or HeadConfig(), dropout=0.0)
    with torch.no_grad():
        moments.moments.weight.zero_()
        moments.moments.bias.copy_(torch.tensor([mean, mean, log_spread, log_spread]))
    return moments


def test_the_flux_is_the_mean_and_the_spread_times_the_dynamics():
    encoded, head = torch.randn(12, 5, 8), saying(3.0, math.log(2.0))
    torch.testing.assert_close(head(encoded, CONDITION), 3.0 + 2.0 * head.dynamics(encoded))


@pytest.mark.parametrize("log_spread", [-3.0, 0.0, 1.5])
def test_every_quantile_moves_alike(log_spread):
    config = HeadConfig(kind="quantile", quantiles=7)
    head, at = saying(-1.5, log_spread, config), Quantiles(config).at_levels
    encoded = 5.0 * torch.randn(12, 5, 8)
    expected = -1.5 + math.exp(log_spread) * at(head.dynamics(encoded))
    torch.testing.assert_close(at(head(encoded, CONDITION)), expected, rtol=1e-4, atol=1e-4)


def test_gaps_that_vanish_keep_finite_gradients():
    head = saying(0.0, -20.0, HeadConfig(kind="quantile", quantiles=7))
    encoded = (300.0 * torch.randn(12, 5, 8)).requires_grad_()
    read = head(encoded, CONDITION)
    read.sum().backward()
    assert torch.isfinite(read).all()
    assert torch.isfinite(encoded.grad).all()


def naive_loss(mean, log_spread, batch) -> float:
    """Window by window, target by target."""
    errors = []
    for target, mask in zip(batch["target"].double(), batch["target_mask"], strict=True):
        for i in range(target.shape[1]):
            flux = target[mask[:, i], i]
            if len(flux) >= FEWEST_DAYS:
                spread = max(float(flux.std(unbiased=False)), SMALLEST_SPREAD)
                errors.append((mean - float(flux.mean())) ** 2 + (log_spread - math.log(spread)) ** 2)
    return sum(errors) / max(len(errors), 1)


def test_the_loss_is_that_of_each_window_s_own_mean_and_spread():
    batch = made_up_batch(LAYOUT)
    batch["target"] = 2.0 * batch["target"] + torch.arange(12.0)[:, None, None] * batch["target_mask"]
    batch["target_mask"][0, 49:, 0] = False  # 29 days at most
    batch["target"][1, :, 1] = 4.0  # constant
    batch["target"][~batch["target_mask"]] = torch.nan  # never looked at
    assert batch["target_mask"][0, :, 0].sum() < FEWEST_DAYS < batch["target_mask"].sum(1).median()
    assert saying(0.5, -0.2).loss(CONDITION, batch).item() == pytest.approx(naive_loss(0.5, -0.2, batch), rel=1e-5)


def test_without_enough_days_there_is_nothing_to_learn():
    batch = made_up_batch(LAYOUT)
    batch["target_mask"][:, 20 + FEWEST_DAYS - 1 :] = False
    head = saying(0.5, -0.2)
    loss = head.loss(CONDITION, batch)
    loss.backward()
    assert loss == 0
    assert all(not parameter.grad.any() for parameter in head.moments.parameters())


def test_a_constant_window_has_finite_gradients():
    batch = made_up_batch(LAYOUT)
    batch["target"] = torch.ones_like(batch["target"])
    head = saying(0.5, -0.2)
    head.loss(CONDITION, batch).backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in head.moments.parameters())


def network(weight: float) -> MomentLstm:
    torch.manual_seed(0)
    return MomentLstm(MomentLstmConfig(hidden=8, moment_weight=weight, dropout=0.0), LAYOUT, HeadConfig())


def test_the_weight_weighs():
    batch = made_up_batch(LAYOUT)
    single, double, none = (network(weight).auxiliary_loss(batch).item() for weight in (0.3, 0.6, 0.0))
    assert double == pytest.approx(2 * single)
    assert single > none == 0


def test_the_auxiliary_loss_teaches_the_moments_and_leaves_the_days_alone():
    learner = network(1.0)
    learner.auxiliary_loss(made_up_batch(LAYOUT)).backward()
    reached = {name.split(".")[0] for name, each in learner.named_parameters() if each.grad is not None}
    assert reached == {"slow_encoder", "head"}
    assert learner.head.dynamics.read[1].weight.grad is None


def test_slow_blocks_that_close_within_the_window_do_not_move_the_moments():
    batch, learner = made_up_batch(LAYOUT), network(1.0)
    history = LAYOUT.window.history
    for block in range(LAYOUT.window.blocks):
        slow = batch["slow"].clone()
        slow[:, block] += 1.0
        moved = learner.auxiliary_loss(batch | {"slow": slow}) != learner.auxiliary_loss(batch)
        assert bool(moved) == (block < history)
