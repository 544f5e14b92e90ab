"""The properties of a place that do not change: statics and classes, embedded."""

from collections.abc import Collection

import torch
from torch import Tensor, nn

from ...contracts import Batch, Layout

PLACE = ("static", "classes")  # what is known of a place beside its history


class PlaceEncoder(nn.Module):
    """Embed scaled statics, their masks and class codes into one vector.

    Parameters
    ----------
    layout : features of a batch.
    width : width of the embedding.
    dropout : dropout on the embedding: networks memorise sites by their statics.
    reads : what is embedded, of ``PLACE``.
    """

    def __init__(self, layout: Layout, width: int, dropout: float, reads: Collection[str] = PLACE) -> None:
        super().__init__()
        self.statics = len(layout.static) if "static" in reads else 0
        sizes = layout.class_sizes if "classes" in reads else ()
        self.classes = nn.ModuleList(nn.Embedding(size, 4) for size in sizes)
        features = 2 * self.statics + 4 * len(sizes)
        self.join = nn.Sequential(nn.Linear(features, width), nn.Tanh(), nn.Dropout(dropout))

    def forward(self, batch: Batch) -> Tensor:
        """Return the embedding (batch, width)."""
        codes = [embed(batch["classes"][:, i]) for i, embed in enumerate(self.classes)]
        static = (batch[name][:, : self.statics] for name in ("static", "static_mask"))
        embedded: Tensor = self.join(torch.cat([*static, *codes], dim=-1))
        return embedded
