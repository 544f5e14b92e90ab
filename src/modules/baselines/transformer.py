"""Transformer over days, causal by mask (Vaswani et al. 2017, arXiv 1706.03762)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...config.models import TransformerConfig
from ...config.schema import HeadConfig
from ...contracts import Batch, Layout
from ..encoders.place import PlaceEncoder
from ..encoders.tokens import sinusoids, width_of_head
from ..heads import FluxHead


class CausalAttention(nn.Module):
    """Each day asks itself and the days before it, in ``heads`` ways.

    No dropout on the attention weights: with it torch has no fused kernel on a CPU and writes out every day-by-day
    matrix.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.head_width = width_of_head(width, heads)
        self.project = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, day, width) to the same shape."""
        query, key, value = self.project(x).unflatten(-1, (3, -1, self.head_width)).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        joined: Tensor = self.join(seen.transpose(1, 2).flatten(2))
        return joined


class EncoderLayer(nn.Module):
    """Attention and a feed-forward step, each normed before and added to what came in.

    Norms come first, other than in the paper: such layers train without a warm-up (Xiong et al. 2020, arXiv
    2002.04745). The feed-forward step is twice as wide as a token, not four times.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attend = nn.Sequential(nn.LayerNorm(width), CausalAttention(width, heads), nn.Dropout(dropout))
        self.transform = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.ReLU(),
            nn.Linear(2 * width, width),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, day, width) to the same shape."""
        attended: Tensor = x + self.attend(x)
        transformed: Tensor = attended + self.transform(attended)
        return transformed


class DayEncoder(nn.Module):
    """Days as tokens: embedded, placed by sinusoids, passed through the layers."""

    def __init__(self, inputs: int, config: TransformerConfig, days: int) -> None:
        super().__init__()
        self.embed = nn.Linear(inputs, config.hidden)
        self.register_buffer("position", sinusoids(days, config.hidden), persistent=False)
        self.position: Tensor
        layers = [EncoderLayer(config.hidden, config.heads, config.dropout) for _ in range(config.layers)]
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
