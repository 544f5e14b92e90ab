"""What every network must keep; each check takes a network and raises AssertionError when it does not.

``test_network_checks.py`` holds networks against them that break one rule each.
"""

import torch
from batches import future_changed, rows
from raciflux.contracts import Batch, Layout
from torch import nn

CUTS = (0, 14, 15, 33, 63)  # days of the window: on, before and behind the end of a slow block, and the last but one


def woken(network: nn.Module) -> nn.Module:
    """Give weights that let every input matter, in eval mode."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.4 * torch.randn_like(parameter))
    return network.eval()


def check_shape(network: nn.Module, batch: Batch, layout: Layout, parameters: int) -> None:
    """One finite read-out (batch, day, target, parameter)."""
    read = network(batch)
    assert read.shape == (len(batch["site"]), layout.window.days, len(layout.targets), parameters)
    assert torch.isfinite(read).all()


def check_finite_without_inputs(network: nn.Module, batch: Batch) -> None:
    """A record of which nothing is known gives a finite read-out."""
    kept = ("site", "day")
    nothing = {name: value if name in kept else torch.zeros_like(value) for name, value in batch.items()}  # type: ignore[call-overload]
    assert torch.isfinite(network(nothing)).all()


def check_gradients(network: nn.Module, batch: Batch) -> None:
    """Every weight is reached by the read-out of windows that show some of their own days."""
    own_mask = batch["target_mask"] & (torch.arange(batch["target_mask"].shape[1]) % 3 == 0)[None, :, None]
    network.zero_grad()
    network({**batch, "own": batch["target"] * own_mask, "own_mask": own_mask}).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


def check_causal_mark(network: nn.Module, batch: Batch, layout: Layout) -> None:
    """Where ``causal``, no day changes with what comes after it; where not, some day does, so the mark is true."""
    assert isinstance(network.causal, bool), "a network must say whether it is causal"
    before = network(batch)
    looked_ahead = False
    for cut in CUTS:
        after = network(future_changed(batch, layout, cut))
        assert (after[:, cut + 1 :] != before[:, cut + 1 :]).any(), f"drivers after day {cut} do not matter at all"
        looked_ahead |= bool((after[:, : cut + 1] != before[:, : cut + 1]).any())
        assert not (network.causal and looked_ahead), f"day {cut} or one before it changes with drivers after it"
    assert network.causal or looked_ahead, "marked as not causal, but it is"


def check_batch_independence(network: nn.Module, batch: Batch) -> None:
    """A sample's output does not depend on who stands beside it, in eval and (without dropout) in training."""
    size = len(batch["site"])
    order = torch.randperm(size, generator=torch.Generator().manual_seed(0)).tolist()
    was_training = network.training
    for mode in (False, True):
        network.train(mode)
        together = network(batch)
        _close(network(rows(batch, order)), together[order])
        _close(network(rows(batch, order[:5])), together[order[:5]])
        _close(network(rows(batch, order[:1])), together[order[:1]])
        mates = dict(batch)
        mates["fast"] = torch.where(torch.arange(size)[:, None, None] == 5, batch["fast"], 100.0)
        _close(network(mates)[5], together[5])
    network.train(was_training)


def check_same_each_time(network: nn.Module, batch: Batch) -> None:
    """The same batch gives the same output, to the bit, in eval mode."""
    assert not network.training
    assert torch.equal(network(batch), network(batch))


def check_knows_only_inputs(network: nn.Module, batch: Batch) -> None:
    """Neither the target nor its mask is read: with both replaced the output is the same."""
    told = {"target": torch.randn_like(batch["target"]), "target_mask": ~batch["target_mask"]}
    assert torch.equal(network(batch | told), network(batch))


def check_size(network: nn.Module) -> None:
    """Neither a toy nor a giant beside its rivals."""
    weights = sum(parameter.numel() for parameter in network.parameters())
    assert 5_000 < weights < 500_000, f"{weights} weights"


def _close(one: torch.Tensor, other: torch.Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
