"""Losses over the days that count."""

from torch import Tensor


def masked_squared_error(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error over the values that count, all arrays (batch, day, target); 0 when none does."""
    squared = (prediction - target).square() * mask
    return squared.sum() / mask.sum().clamp(min=1)
