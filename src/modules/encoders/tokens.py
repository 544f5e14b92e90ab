"""What every network of attention over tokens needs: heads that divide a token, and positions."""

import torch
from torch import Tensor

from ...errors import UserError


def width_of_head(hidden: int, heads: int) -> int:
    """Return how many numbers of a token each head gets.

    Raises
    ------
    UserError
        If the heads do not divide the token.
    """
    if hidden % heads:
        raise UserError(f"model.heads={heads}: does not divide model.hidden={hidden}; choose heads that do")
    return hidden // heads


def sinusoids(days: int, width: int, device: torch.device | None = None) -> Tensor:
    """Return positions (day, width) as sines and cosines of falling frequency.

    Wavelengths go from 2 pi to 20,000 pi days (Vaswani et al. 2017, arXiv 1706.03762, section 3.5).
    """
    frequency = 10_000.0 ** (-torch.arange(0, width, 2, device=device) / width)
    angle = torch.arange(days, device=device)[:, None] * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :width]
