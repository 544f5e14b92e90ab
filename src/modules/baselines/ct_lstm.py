"""CT-LSTM: drivers and embedded statics joined at each step, the strong plain network of the field's benchmarks."""

import torch
from torch import Tensor, nn

from ...config.models import CtLstmConfig
from ...config.schema import HeadConfig
from ...contracts import Batch, Layout
from ..encoders.place import PlaceEncoder
from ..heads import FluxHead


class CtLstm(nn.Module):
    """LSTM over days whose input each step is the drivers beside the place's embedding (CarbonFluxBench's CT-LSTM)."""

    causal = True

    def __init__(self, config: CtLstmConfig, layout: Layout, head: HeadConfig) -> None:
        super().__init__()
        self.slow_encoder = PlaceEncoder(layout, config.embedding, config.dropout)
        self.fast_encoder = nn.LSTM(2 * len(layout.fast) + config.embedding, config.hidden, batch_first=True)
        self.head = FluxHead(config.hidden, layout, head, config.dropout)

    def forward(self, batch: Batch) -> Tensor:
        """Return the read-out (batch, day, target, parameter), scaled."""
        days = batch["fast"].shape[1]
        place = self.slow_encoder(batch)[:, None].expand(-1, days, -1)
        encoded, _ = self.fast_encoder(torch.cat([batch["fast"], batch["fast_mask"], place], dim=-1))
        read: Tensor = self.head(encoded)
        return read
