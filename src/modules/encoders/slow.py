"""The slow encoder: the place at coarse scales, read into a regime vector a month."""

import torch
from torch import Tensor, nn

from ...contracts import Batch, Layout
from .place import PlaceEncoder


class SlowEncoder(nn.Module):
    """Read trailing monthly and yearly means of the drivers, beside the place, by a GRU over months.

    The regime of a block knows only days that ended with that block, so it may condition any later day.

    Parameters
    ----------
    layout : features of a batch.
    width : width of the regime vector.
    embedding : width of the place's embedding.
    dropout : dropout on the place's embedding and on the regime.
    """

    def __init__(self, layout: Layout, width: int, embedding: int, dropout: float) -> None:
        super().__init__()
        self.place = PlaceEncoder(layout, embedding, dropout)
        self.months = nn.GRU(2 * len(layout.slow), width, batch_first=True)
        self.join = nn.Sequential(nn.Linear(width + embedding, width), nn.Tanh(), nn.Dropout(dropout))

    def forward(self, batch: Batch) -> Tensor:
        """Return the regime (batch, month, width)."""
        history, _ = self.months(torch.cat([batch["slow"], batch["slow_mask"]], dim=-1))
        place = self.place(batch)[:, None].expand(-1, history.shape[1], -1)
        regime: Tensor = self.join(torch.cat([history, place], dim=-1))
        return regime
