"""Moment-normalised LSTM: mean and spread of a site from the place, standardised dynamics from its days."""

import torch
from torch import Tensor, nn

from ...config.models import MomentLstmConfig
from ...config.schema import HeadConfig
from ...contracts import Batch, Layout
from ..encoders.slow import SlowEncoder
from ..moments import MomentHead


class MomentLstm(nn.Module):
    """A place network says each flux's mean and log-spread, an LSTM the course in units of that spread.

    The place network reads statics, classes and the slow history that had closed before the window's first day, so
    the moments hold for the whole window and no day looks ahead.
    """

    causal = True

    def __init__(self, config: MomentLstmConfig, layout: Layout, head: HeadConfig) -> None:
        super().__init__()
        self.moment_weight = config.moment_weight
        self.history = layout.window.history
        width = config.embedding
        self.slow_encoder = SlowEncoder(layout, width, width, config.dropout)
        self.fast_encoder = nn.LSTM(2 * len(layout.fast) + width, config.hidden, batch_first=True)
        self.head = MomentHead(config.hidden, width, layout, head, config.dropout)

    def forward(self, batch: Batch) -> Tensor:
        """Return the read-out (batch, day, target, parameter), scaled."""
        place = self._place(batch)
        daily = place[:, None].expand(-1, batch["fast"].shape[1], -1)
        encoded, _ = self.fast_encoder(torch.cat([batch["fast"], batch["fast_mask"], daily], dim=-1))
        read: Tensor = self.head(encoded, place)
        return read

    def auxiliary_loss(self, batch: Batch) -> Tensor:
        """Return the weighted loss on mean and log-spread: without it only their sum with the dynamics is learned."""
        return self.moment_weight * self.head.loss(self._place(batch), batch)

    def _place(self, batch: Batch) -> Tensor:
        """Return what is known of the place on the window's first day (batch, width)."""
        regime: Tensor = self.slow_encoder(batch)[:, self.history - 1]
        return regime
