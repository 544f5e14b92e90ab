"""Losses over the days that count."""

from collections.abc import Callable

import torch
from torch import Tensor, distributed

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]  # (read-out, target, mask) -> scalar


def masked_squared_error(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error over the values that count, all arrays (batch, day, target); 0 when none does."""
    return masked_mean((prediction - known(target, mask)).square(), mask)


def known(value: Tensor, mask: Tensor) -> Tensor:
    """Return ``value`` with 0 where it does not count: a product with the mask would keep a NaN, and its gradient."""
    return torch.where(mask.bool(), value, torch.zeros_like(value))


def masked_mean(loss: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``loss`` over the values that count, both (batch, day, target); 0 when none does."""
    return known(loss, mask).sum() / mask.sum().clamp(min=1)


def among_ranks(mean: Tensor, count: Tensor) -> Tensor:
    """Weigh the mean over a process's own values so that the average over processes is the mean over all values.

    Training on several devices averages their gradients, and with them their losses. Every process has to call this
    equally often. A process alone gets its mean back.

    Parameters
    ----------
    mean : scalar. count : how many values it is over, or the sum of their weights.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return mean
    total = count.detach().double()
    distributed.all_reduce(total)
    return mean * (count * distributed.get_world_size() / total.clamp(min=1e-12)).to(mean)
