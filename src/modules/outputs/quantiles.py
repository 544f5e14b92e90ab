"""Quantiles of each day's flux at evenly spaced levels, in order by construction."""

from functools import cached_property
from math import log

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ...config.schema import HeadConfig
from ..losses import known, masked_mean


class Quantiles:
    """Quantiles at the levels ``i / (n + 1)``, so that the default 19 has 0.05, 0.5 and 0.95 among them.

    The middle parameter of a read-out is the median, the others are gaps outwards from it: softplus makes them
    positive, so quantiles never cross. A gap is scaled so that a read-out of zeros says the standard normal, which is
    what scaled fluxes look like before anything is learned.

    Between two levels the quantile function is a straight line; beyond the outermost level it goes on with the slope
    of the last gap, which makes the tails uniform. They are thus shorter than a normal's: of a standard normal read
    out at 19 levels, the quantile at 0.975 comes out as 1.83 and not 1.96.
    """

    def __init__(self, config: HeadConfig) -> None:
        self.parameters = config.quantiles
        self.middle = config.quantiles // 2

    @cached_property
    def levels(self) -> Tensor:
        """The levels (level,), ascending."""
        return torch.arange(1, self.parameters + 1, dtype=torch.float64) / (self.parameters + 1)

    @cached_property
    def gap_scale(self) -> Tensor:
        """What a gap (level - 1,) is multiplied with: the standard normal's, over softplus(0)."""
        normal: Tensor = torch.special.ndtri(self.levels)
        return normal.diff() / log(2.0)

    def loss(self, raw: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Mean over levels of the pinball loss ``max(q e, (q - 1) e)`` with ``e = target - quantile at level q``.

        Koenker and Bassett (1978), doi:10.2307/1913643. Twice its mean over levels approximates the CRPS.
        """
        values = self.at_levels(raw)
        error = known(target, mask).unsqueeze(-1) - values
        level = self.levels.to(values)
        return masked_mean(torch.maximum(level * error, (level - 1.0) * error).mean(-1), mask)

    def mean(self, raw: Tensor) -> Tensor:
        """Integral of the quantile function over all levels, uniform tails included.

        See ``mean_over_levels``.
        """
        return mean_over_levels(self.at_levels(raw))

    def quantiles(self, raw: Tensor, levels: Tensor) -> Tensor:
        """Quantiles at any ``levels``: on straight lines through those read out (see the class for the tails)."""
        values = self.at_levels(raw)
        place = levels.to(values) * (self.parameters + 1) - 1.0  # in steps from the lowest level
        below = place.floor().long().clamp(0, self.parameters - 2)
        return torch.lerp(values[..., below], values[..., below + 1], place - below)

    def moved(self, raw: Tensor, by: Tensor) -> Tensor:
        """Move the median, from which the other quantiles keep their distance."""
        is_median = torch.arange(self.parameters, device=raw.device) == self.middle
        return raw + by[..., None] * is_median

    def at_levels(self, raw: Tensor) -> Tensor:
        """Quantiles (batch, day, target, level) at the levels read out, never descending."""
        raw = raw.to(torch.promote_types(raw.dtype, torch.float32))  # half precision would lose small gaps
        scale = self.gap_scale.to(raw)
        median = raw[..., self.middle : self.middle + 1]
        down = softplus(raw[..., : self.middle]) * scale[: self.middle]
        up = softplus(raw[..., self.middle + 1 :]) * scale[self.middle :]
        below = median - down.flip(-1).cumsum(-1).flip(-1)
        return torch.cat([below, median, median + up.cumsum(-1)], -1)


def mean_over_levels(quantiles: Tensor) -> Tensor:
    """Integrate quantiles (..., level) at the levels ``i / (n + 1)`` over all levels, uniform tails included.

    By trapezoids between levels ``h = 1 / (n + 1)`` apart, and two tails of width ``h`` with the outermost slope:
    ``h (sum q_i + q_1 + q_n - (q_2 + q_{n-1}) / 2)``.
    """
    tails = quantiles[..., 0] + quantiles[..., -1] - (quantiles[..., 1] + quantiles[..., -2]) / 2.0
    return (quantiles.sum(-1) + tails) / (quantiles.shape[-1] + 1)
