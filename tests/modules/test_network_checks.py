"""The checks of the suite are awake: each fails on a network that breaks its rule, and passes one that keeps all."""

import network_checks as check
import pytest
import torch
from batches import future_changed, made_up_batch, made_up_layout, rows
from raciflux.contracts import Batch, Layout
from torch import Tensor, nn

LAYOUT = made_up_layout()
BATCH = made_up_batch(LAYOUT)


class Honest(nn.Module):
    """A GRU over the drivers; what breaks a rule below overrides one step of it."""

    causal = True

    def __init__(self, layout: Layout = LAYOUT) -> None:
        super().__init__()
        self.days = nn.GRU(2 * len(layout.fast), 8, batch_first=True)
        self.read = nn.Linear(8, len(layout.targets))

    def encode(self, batch: Batch) -> Tensor:
        return self.days(torch.cat([batch["fast"], batch["fast_mask"]], dim=-1))[0]

    def forward(self, batch: Batch) -> Tensor:
        return self.read(self.encode(batch))[..., None]


class SeesTomorrow(Honest):
    def encode(self, batch: Batch) -> Tensor:
        return super().encode(batch).roll(-1, dims=1)


class SeesTomorrowsMask(Honest):
    """What is missing tomorrow says something of tomorrow."""

    def encode(self, batch: Batch) -> Tensor:
        return super().encode(batch) + 1e-3 * batch["fast_mask"].roll(-1, dims=1).mean(-1, keepdim=True)


class SeesTheMean(Honest):
    """Drivers centred by the mean of their window."""

    def encode(self, batch: Batch) -> Tensor:
        return super().encode(batch) - batch["fast"].mean((1, 2))[:, None, None]


class UsesTheOpenBlock(Honest):
    """Conditions a day on the slow block that ends with or after it."""

    def encode(self, batch: Batch) -> Tensor:
        window = LAYOUT.window
        block = (torch.from_numpy(window.last_block()) + 1).clamp(max=window.blocks - 1)
        return super().encode(batch) + batch["slow"][:, block].mean(-1, keepdim=True)


class CausalInTruth(Honest):
    causal = False


class SaysNothing(Honest):
    causal = None


class BatchNormed(Honest):
    """Batch mates move its norm in training, and nothing in eval."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(8)

    def encode(self, batch: Batch) -> Tensor:
        return self.norm(super().encode(batch).transpose(1, 2)).transpose(1, 2)


class AttendsAcrossTheBatch(Honest):
    """Attention that takes the batch for the sequence, as without ``batch_first``."""

    def __init__(self) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(8, 2)

    def encode(self, batch: Batch) -> Tensor:
        encoded = super().encode(batch)
        return self.attend(encoded, encoded, encoded)[0]


class KnowsItsPlace(Honest):
    """Adds where a sample stands in its batch."""

    def encode(self, batch: Batch) -> Tensor:
        encoded = super().encode(batch)
        return encoded + torch.arange(len(encoded))[:, None, None]


class ReadsTheTarget(Honest):
    def encode(self, batch: Batch) -> Tensor:
        return super().encode(batch) + batch["target"].sum((1, 2))[:, None, None]


class CountsTheTarget(Honest):
    def encode(self, batch: Batch) -> Tensor:
        return super().encode(batch) + batch["target_mask"].float().mean((1, 2))[:, None, None]


class DropsInEval(Honest):
    def encode(self, batch: Batch) -> Tensor:
        return nn.functional.dropout(super().encode(batch), 0.5, training=True)


class DividesByWhatIsKnown(Honest):
    def encode(self, batch: Batch) -> Tensor:
        return super().encode(batch) + (batch["fast"].sum((1, 2)) / batch["fast_mask"].sum((1, 2)))[:, None, None]


class HasAnIdleWeight(Honest):
    def __init__(self) -> None:
        super().__init__()
        self.idle = nn.Parameter(torch.ones(3))


class DetachesItsEncoder(Honest):
    def encode(self, batch: Batch) -> Tensor:
        return super().encode(batch).detach()


class ForgetsATarget(Honest):
    def forward(self, batch: Batch) -> Tensor:
        return super().forward(batch)[:, :, :1]


CHECKS = {
    "causal": lambda network: check.check_causal_mark(network, BATCH, LAYOUT),
    "batch": lambda network: check.check_batch_independence(network, BATCH),
    "inputs": lambda network: check.check_knows_only_inputs(network, BATCH),
    "same": lambda network: check.check_same_each_time(network, BATCH),
    "missing": lambda network: check.check_finite_without_inputs(network, BATCH),
    "gradients": lambda network: check.check_gradients(network.train(), BATCH),
    "shape": lambda network: check.check_shape(network, BATCH, LAYOUT, 1),
}
BROKEN = {
    "causal": [SeesTomorrow, SeesTomorrowsMask, SeesTheMean, UsesTheOpenBlock, CausalInTruth, SaysNothing],
    "batch": [BatchNormed, AttendsAcrossTheBatch, KnowsItsPlace],
    "inputs": [ReadsTheTarget, CountsTheTarget],
    "same": [DropsInEval],
    "missing": [DividesByWhatIsKnown],
    "gradients": [HasAnIdleWeight, DetachesItsEncoder],
    "shape": [ForgetsATarget],
}


@pytest.mark.parametrize("rule", CHECKS)
def test_an_honest_network_passes(rule):
    CHECKS[rule](check.woken(Honest()))


@pytest.mark.parametrize(("rule", "broken"), [(rule, each) for rule, found in BROKEN.items() for each in found])
def test_a_network_that_breaks_a_rule_is_caught(rule, broken):
    with pytest.raises(AssertionError):
        CHECKS[rule](check.woken(broken()))


def test_sizes():
    with pytest.raises(AssertionError, match="433 weights"):
        check.check_size(nn.Linear(432, 1))
    with pytest.raises(AssertionError, match="weights"):
        check.check_size(nn.Linear(1000, 600))


# --- the made-up batches ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", check.CUTS)
def test_a_changed_future_is_all_of_it_and_nothing_else(cut):
    """Blocks of 15 days, three before the window: block 2 ends on the day before it, block 3 on day 14."""
    window, after = LAYOUT.window, future_changed(BATCH, LAYOUT, cut)
    kept_blocks = sum(last <= cut for last in (-31, -16, -1, 14, 29, 44, 59))
    for role, kept, length in (("fast", cut + 1, window.days), ("slow", kept_blocks, window.blocks)):
        for name in (role, f"{role}_mask"):
            moved = (after[name] != BATCH[name]).any(-1).any(0)
            assert moved.tolist() == [False] * kept + [True] * (length - kept), name
    same = set(BATCH) - {"fast", "fast_mask", "slow", "slow_mask"}
    assert all(torch.equal(after[name], BATCH[name]) for name in same)


def test_a_made_up_batch_is_what_the_contract_says():
    window = LAYOUT.window
    for role in ("fast", "slow", "static"):
        assert set(BATCH[f"{role}_mask"].unique().tolist()) == {0.0, 1.0}
        assert not BATCH[role][BATCH[f"{role}_mask"] == 0].any()
    assert not BATCH["target_mask"][:, : window.warmup].any()
    assert not BATCH["target"][~BATCH["target_mask"]].any()
    assert BATCH["slow"].shape == (12, window.blocks, len(LAYOUT.slow))
    chosen = rows(BATCH, [3, 1])
    assert all(torch.equal(chosen[name], BATCH[name][[3, 1]]) for name in BATCH)
