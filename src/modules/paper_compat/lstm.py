"""The published LSTM: three narrow layers over drivers and statics repeated each day."""

from torch import Tensor, nn

from ...config.paper_models import PaperLstmConfig
from ...config.schema import HeadConfig
from ...contracts import Batch, Layout
from ..heads import FluxHead
from .shared import PaperNetwork

LAYERS = 3


class PaperLstm(PaperNetwork):
    """At hidden 8 and 15 inputs it has 1,961 weights; its only faults are the shared ones and its size."""

    causal = True

    def __init__(self, config: PaperLstmConfig, layout: Layout, head: HeadConfig) -> None:
        super().__init__(layout)
        self.fast_encoder = nn.LSTM(self.features, config.hidden, LAYERS, batch_first=True)
        self.head = FluxHead(config.hidden, layout, head, dropout=0.0)

    def forward(self, batch: Batch) -> Tensor:
        """Return the read-out (batch, day, target, parameter), scaled."""
        encoded, _ = self.fast_encoder(self.inputs(batch))
        read: Tensor = self.head(encoded)
        return read
