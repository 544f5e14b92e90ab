"""The published TCN: days are channels, and the axis it convolves has length one."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from ...config.paper_models import PaperTcnConfig
from ...config.schema import HeadConfig
from ...contracts import Batch, Layout
from ..heads import FluxHead
from .shared import PaperNetwork

KERNEL, LEVELS, DROPOUT = 5, 3, 0.2


class DaysAsChannels(nn.Module):
    """Two dilated convolutions over an axis of length one, beside the identity.

    Fault: the causal padding holds nothing but zeros, so of each kernel only the last tap meets data: what is left is
    a full linear map from all days to all days, later ones included.
    """

    def __init__(self, days: int, dilation: int) -> None:
        super().__init__()
        self.before = (KERNEL - 1) * dilation
        self.convolve = nn.ModuleList(weight_norm(nn.Conv1d(days, days, KERNEL, dilation=dilation)) for _ in range(2))
        self.drop = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """Map a feature's days (batch, day) to (batch, day)."""
        mixed = x[..., None]
        for convolve in self.convolve:
            mixed = self.drop(torch.relu(convolve(functional.pad(mixed, (self.before, 0)))))
        return torch.relu(mixed[..., 0] + x)


class FeatureByFeature(nn.Module):
    """A stack of blocks for each input, then a linear layer over the inputs of a day."""

    def __init__(self, features: int, days: int, hidden: int) -> None:
        super().__init__()
        self.stacks = nn.ModuleList(
            nn.Sequential(*(DaysAsChannels(days, 2**level) for level in range(LEVELS))) for _ in range(features)
        )
        self.join = nn.Linear(features, hidden)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, day, feature) to (batch, day, hidden)."""
        mixed = [stack(days) for stack, days in zip(self.stacks, inputs.unbind(-1), strict=True)]
        return torch.relu(self.join(torch.stack(mixed, dim=-1)))


class PaperTcn(PaperNetwork):
    """A network whose size is that of its window.

    ``6 * features * KERNEL * days**2`` weights and some: 67 million for 11 inputs and 450 days, whatever ``hidden`` is.
    """

    causal = False

    def __init__(self, config: PaperTcnConfig, layout: Layout, head: HeadConfig) -> None:
        super().__init__(layout)
        self.fast_encoder = FeatureByFeature(self.features, layout.window.days, config.hidden)
        self.head = FluxHead(config.hidden, layout, head, dropout=0.0)

    def forward(self, batch: Batch) -> Tensor:
        """Return the read-out (batch, day, target, parameter), scaled."""
        read: Tensor = self.head(self.fast_encoder(self.inputs(batch)))
        return read
