"""The published Transformer: attention over the windows of a batch instead of the days of a window."""

from torch import Tensor, nn

from ...config.paper_models import PAPER_HEADS, PaperTransformerConfig
from ...config.schema import HeadConfig
from ...contracts import Batch, Layout
from ...errors import UserError
from ..heads import FluxHead
from .shared import PaperNetwork

LAYERS = 3


class Encoder(nn.Module):
    """Fault: inputs (batch, day, feature) meet an encoder that expects (sequence, batch, feature).

    Each day attends to the same day of its batch mates and never to another day. Fault: no positions.
    """

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.embed = nn.Linear(features, hidden)
        layer = nn.TransformerEncoderLayer(hidden, PAPER_HEADS, batch_first=False)
        self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, day, feature) to (batch, day, hidden)."""
        encoded: Tensor = self.layers(self.embed(inputs))
        return encoded


class PaperTransformer(PaperNetwork):
    """A flux that depends on which other windows are in the batch, in training and in prediction."""

    causal = True  # a day sees no other day at all, of its own window or of another

    def __init__(self, config: PaperTransformerConfig, layout: Layout, head: HeadConfig) -> None:
        super().__init__(layout)
        if config.hidden % PAPER_HEADS:
            raise UserError(f"model.hidden={config.hidden}: no multiple of the published {PAPER_HEADS} heads; take one")
        self.fast_encoder = Encoder(self.features, config.hidden)
        self.head = FluxHead(config.hidden, layout, head, dropout=0.0)

    def forward(self, batch: Batch) -> Tensor:
        """Return the read-out (batch, day, target, parameter), scaled."""
        read: Tensor = self.head(self.fast_encoder(self.inputs(batch)))
        return read
