"""TCN: dilated causal convolutions over days (Bai et al. 2018, arXiv 1803.01271)."""

import torch
from torch import Tensor, nn

from ...config.models import TcnConfig
from ...config.schema import HeadConfig
from ...contracts import Batch, Layout
from ..encoders.convolutions import ResidualBlock
from ..encoders.place import PlaceEncoder
from ..heads import FluxHead


class Tcn(nn.Module):
    """Residual blocks over drivers and the embedded place, each looking back twice as far as the one before.

    A day sees ``1 + 2 * (kernel - 1) * (2**levels - 1)`` days: 253 at the default of 3 days and 6 levels.
    """

    causal = True

    def __init__(self, config: TcnConfig, layout: Layout, head: HeadConfig) -> None:
        super().__init__()
        self.slow_encoder = PlaceEncoder(layout, config.embedding, config.dropout)
        widths = [2 * len(layout.fast) + config.embedding] + [config.hidden] * config.levels
        self.fast_encoder = nn.Sequential(
            *(
                ResidualBlock(widths[level], widths[level + 1], config.kernel, (2**level, 2**level), config.dropout)
                for level in range(config.levels)
            )
        )
        self.head = FluxHead(config.hidden, layout, head, config.dropout)

    def forward(self, batch: Batch) -> Tensor:
        """Return the read-out (batch, day, target, parameter), scaled."""
        place = self.slow_encoder(batch)[:, None].expand(-1, batch["fast"].shape[1], -1)
        inputs = torch.cat([batch["fast"], batch["fast_mask"], place], dim=-1)
        encoded = self.fast_encoder(inputs.transpose(1, 2)).transpose(1, 2)
        read: Tensor = self.head(encoded)
        return read
