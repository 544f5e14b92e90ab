"""The properties of a place that do not change: statics and classes, embedded."""

import torch
from torch import Tensor, nn

from ...contracts import Batch, Layout


class PlaceEncoder(nn.Module):
    """Embed scaled statics, their masks and class codes into one vector.

    Parameters
    ----------
    layout : features of a batch.
    width : width of the embedding.
    dropout : dropout on the embedding: networks memorise sites by their statics.
    """

    def __init__(self, layout: Layout, width: int, dropout: float) -> None:
        super().__init__()
        self.classes = nn.ModuleList(nn.Embedding(size, 4) for size in layout.class_sizes)
        features = 2 * len(layout.static) + 4 * len(layout.class_sizes)
        self.join = nn.Sequential(nn.Linear(features, width), nn.Tanh(), nn.Dropout(dropout))

    def forward(self, batch: Batch) -> Tensor:
        """Return the embedding (batch, width)."""
        codes = [embed(batch["classes"][:, i]) for i, embed in enumerate(self.classes)]
        embedded: Tensor = self.join(torch.cat([batch["static"], batch["static_mask"], *codes], dim=-1))
        return embedded
