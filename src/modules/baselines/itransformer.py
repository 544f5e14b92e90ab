"""iTransformer: each variable's whole window is one token, attention runs over variables (Liu et al. 2024)."""

import torch
from torch import Tensor, nn

from ...config.models import ITransformerConfig
from ...config.schema import HeadConfig
from ...contracts import Batch, Layout
from ..encoders.place import PlaceEncoder
from ..encoders.tokens import width_of_head
from ..heads import FluxHead


class VariableEncoder(nn.Module):
    """Encode each driver's window as a token beside the place's, and read the tokens back to days.

    Two maps keep the read-back small. One takes a token to days; all tokens share it (hidden x day weights, the paper's
    projection), and each gets a series. The other joins, day by day, these series and the day's own drivers. A single
    map from all tokens to all encoded days would need (token x hidden) x (day x hidden) weights: 15 million for seven
    drivers. The day's own drivers are our addition: the paper forecasts days whose drivers nobody knows, whereas here
    the known weather of 450 days would have to pass through 64 numbers.

    Parameters
    ----------
    layout : features of a batch; the length of its window fixes the maps between days and tokens.
    config : widths, heads, layers and dropout.
    """

    def __init__(self, layout: Layout, config: ITransformerConfig) -> None:
        super().__init__()
        days, variables = layout.window.days, len(layout.fast)
        self.embed = nn.Linear(2 * days, config.hidden)
        self.place = nn.Linear(config.embedding, config.hidden)
        # The embedding is shared, so a token must be told which variable it is.
        self.identity = nn.Parameter(0.02 * torch.randn(variables + 1, config.hidden))
        width_of_head(config.hidden, config.heads)  # torch would fail with an assertion
        layer = nn.TransformerEncoderLayer(
            config.hidden, config.heads, 2 * config.hidden, config.dropout, "gelu", batch_first=True, norm_first=True
        )
        self.tokens = nn.TransformerEncoder(
            layer, config.layers, norm=nn.LayerNorm(config.hidden), enable_nested_tensor=False
        )
        self.days = nn.Linear(config.hidden, days)
        self.join = nn.Sequential(nn.Linear(3 * variables + 1, config.hidden), nn.GELU())

    def forward(self, batch: Batch, place: Tensor) -> Tensor:
        """Encode the days (batch, day, hidden) of a place (batch, embedding)."""
        windows = torch.cat([batch["fast"], batch["fast_mask"]], dim=1).transpose(1, 2)  # (batch, variable, 2 day)
        tokens = torch.cat([self.embed(windows), self.place(place)[:, None]], dim=1) + self.identity
        series = self.days(self.tokens(tokens)).transpose(1, 2)  # (batch, day, token)
        encoded: Tensor = self.join(torch.cat([series, batch["fast"], batch["fast_mask"]], dim=-1))
        return encoded


class ITransformer(nn.Module):
    """Transformer over variables (arXiv 2310.06625); a day sees the whole window, later days included."""

    causal = False

    def __init__(self, config: ITransformerConfig, layout: Layout, head: HeadConfig) -> None:
        super().__init__()
        self.slow_encoder = PlaceEncoder(layout, config.embedding, config.dropout)
        self.fast_encoder = VariableEncoder(layout, config)
        self.head = FluxHead(config.hidden, layout, head, config.dropout)

    def forward(self, batch: Batch) -> Tensor:
        """Return the read-out (batch, day, target, parameter), scaled."""
        read: Tensor = self.head(self.fast_encoder(batch, self.slow_encoder(batch)))
        return read
