"""The published EA-LSTM: statics and class codes, as numbers, set the input gate."""

import torch
from torch import Tensor, nn

from ...config.paper_models import PaperEaLstmConfig
from ...config.schema import HeadConfig
from ...contracts import Batch, Layout
from ..baselines.ea_lstm import EntityAwareLstm
from ..heads import FluxHead
from .shared import PaperNetwork

DROPOUT = 0.2


class PaperEaLstm(PaperNetwork):
    """At hidden 8, 10 statics and 5 drivers it has 433 weights; its only faults are the shared ones and its size."""

    causal = True

    def __init__(self, config: PaperEaLstmConfig, layout: Layout, head: HeadConfig) -> None:
        super().__init__(layout)
        self.fast_encoder = EntityAwareLstm(len(layout.fast), self.statics, config.hidden)
        self.head = FluxHead(config.hidden, layout, head, DROPOUT)
        self._start_as_published(config.hidden)

    def _start_as_published(self, hidden: int) -> None:
        """Orthogonal input weights, the identity for each gate's state weights, no bias."""
        cell = self.fast_encoder
        for linear in (cell.input_gate, cell.drivers):
            if linear.weight.numel():
                nn.init.orthogonal_(linear.weight)
            nn.init.zeros_(linear.bias)
        with torch.no_grad():
            cell.state.weight.copy_(torch.eye(hidden).repeat(3, 1))

    def forward(self, batch: Batch) -> Tensor:
        """Return the read-out (batch, day, target, parameter), scaled."""
        read: Tensor = self.head(self.fast_encoder(batch["fast"], self.place(batch)))
        return read
