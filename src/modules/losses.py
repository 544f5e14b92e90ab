"""Losses over the days that count."""

from collections.abc import Callable

import torch
from torch import Tensor

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
