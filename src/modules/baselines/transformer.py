"""Transformer over days, causal by mask (Vaswani et al. 2017, arXiv 1706.03762)."""

from functools import partial

import torch
from torch import Tensor, nn

from ...config.models import TransformerConfig
from ...config.schema import HeadConfig
from ...contracts import Batch, Layout
from ..encoders.attention import CausalAttention, EncoderLayer
from ..encoders.place import PlaceEncoder
from ..encoders.tokens import sinusoids
from ..heads import FluxHead


class DayEncoder(nn.Module):
    """Days as tokens: embedded, placed by sinusoids, passed through the layers."""

    def __init__(self, inputs: int, config: TransformerConfig, days: int) -> None:
        super().__init__()
        self.embed = nn.Linear(inputs, config.hidden)
        self.register_buffer("position", sinusoids(days, config.hidden), persistent=False)
        self.position: Tensor
        attention = partial(CausalAttention, config.hidden, config.heads)
        layers = [EncoderLayer(config.hidden, attention, config.dropout) for _ in range(config.layers)]
        self.layers = nn.Sequential(*layers, nn.LayerNorm(config.hidden))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, day, inputs) to (batch, day, hidden)."""
        encoded: Tensor = self.layers(self.embed(x) + self.position)
        return encoded


class Transformer(nn.Module):
    """Causal attention over days, each a token of its drivers and the embedded place."""

    causal = True

    def __init__(self, config: TransformerConfig, layout: Layout, head: HeadConfig) -> None:
        super().__init__()
        self.slow_encoder = PlaceEncoder(layout, config.embedding, config.dropout)
        self.fast_encoder = DayEncoder(2 * len(layout.fast) + config.embedding, config, layout.window.days)
        self.head = FluxHead(config.hidden, layout, head, config.dropout)

    def forward(self, batch: Batch) -> Tensor:
        """Return the read-out (batch, day, target, parameter), scaled."""
        place = self.slow_encoder(batch)[:, None].expand(-1, batch["fast"].shape[1], -1)
        tokens = torch.cat([batch["fast"], batch["fast_mask"], place], dim=-1)
        read: Tensor = self.head(self.fast_encoder(tokens))
        return read
