"""A mixture of normals for each day's flux."""

from math import log, pi

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, softplus

from ...config.schema import HeadConfig
from ..losses import known, masked_mean

SMALLEST_SCALE = 0.01  # of a normal, in standard deviations of the flux: a repeated value cannot earn endless density
BISECTIONS = 40  # halvings of the bracket of a quantile, beyond what float32 resolves


class Mixture:
    """A mixture of normals: a weight (softmax), a mean and a scale (softplus and a floor) for each component.

    Bishop (1994), Mixture density networks, NCRG/94/004, with softplus in the place of the exponential, whose
    gradient does not explode.
    """

    def __init__(self, config: HeadConfig) -> None:
        self.components = config.components
        self.parameters = 3 * config.components

    def loss(self, raw: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Mean negative log density ``-log sum_k w_k N(target; m_k, s_k)``, in nats; it may be negative."""
        log_weight, mean, scale = self.split(raw)
        z = (known(target, mask).unsqueeze(-1) - mean) / scale
        log_density = log_weight - 0.5 * z.square() - scale.log() - 0.5 * log(2.0 * pi)
        return masked_mean(-log_density.logsumexp(-1), mask)

    def mean(self, raw: Tensor) -> Tensor:
        """Weighted mean of the components' means."""
        log_weight, mean, _ = self.split(raw)
        return (log_weight.exp() * mean).sum(-1)

    def quantiles(self, raw: Tensor, levels: Tensor) -> Tensor:
        """Solve ``sum_k w_k Phi((x - m_k) / s_k) = level`` for x by bisection, a fixed number of halvings.

        A quantile of a mixture lies between the smallest and the largest of its components' quantiles at that level,
        which is where the search starts.
        """
        log_weight, mean, scale = (part.unsqueeze(-2) for part in self.split(raw))  # (..., 1, component)
        level = levels.to(mean)
        each: Tensor = mean + scale * torch.special.ndtri(level).unsqueeze(-1)  # (..., level, component)
        low, high = each.amin(-1), each.amax(-1)
        for _ in range(BISECTIONS):
            middle = low + (high - low) / 2.0
            below = (log_weight.exp() * torch.special.ndtr((middle.unsqueeze(-1) - mean) / scale)).sum(-1)
            low, high = torch.where(below < level, middle, low), torch.where(below < level, high, middle)
        return low + (high - low) / 2.0

    def moved(self, raw: Tensor, by: Tensor) -> Tensor:
        """Move the mean of every component."""
        weight, mean, scale = raw.chunk(3, -1)
        return torch.cat([weight, mean + by[..., None], scale], -1)

    def split(self, raw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logarithms of the weights, means and scales, each (batch, day, target, component)."""
        raw = raw.to(torch.promote_types(raw.dtype, torch.float32))  # half precision overflows in squares
        weight, mean, scale = raw.chunk(3, -1)
        return log_softmax(weight, -1), mean, softplus(scale) + SMALLEST_SCALE
