"""LSTM on drivers only: what the weather alone can say of a flux."""

import torch
from torch import Tensor, nn

from ...config.models import LstmConfig
from ...config.schema import HeadConfig
from ...contracts import Batch, Layout
from ..heads import FluxHead


class Lstm(nn.Module):
    """One LSTM over the daily drivers of the window, read out each day (Hochreiter and Schmidhuber 1997)."""

    causal = True

    def __init__(self, config: LstmConfig, layout: Layout, head: HeadConfig) -> None:
        super().__init__()
        self.fast_encoder = nn.LSTM(2 * len(layout.fast), config.hidden, batch_first=True)
        self.head = FluxHead(config.hidden, layout, head, config.dropout)

    def forward(self, batch: Batch) -> Tensor:
        """Return the read-out (batch, day, target, parameter), scaled."""
        encoded, _ = self.fast_encoder(torch.cat([batch["fast"], batch["fast_mask"]], dim=-1))
        read: Tensor = self.head(encoded)
        return read
