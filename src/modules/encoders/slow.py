"""The slow encoder: the place at coarse scales, read into a regime vector a month."""

from collections.abc import Collection

import torch
from torch import Tensor, nn

from ...contracts import Batch, Layout
from ...variables import slow_scale
from .place import PLACE, PlaceEncoder

HISTORY = ("months", "years")  # scales of the place's own history
SCALES = HISTORY + PLACE


class SlowEncoder(nn.Module):
    """Read trailing monthly and yearly means of the drivers, beside the place, by a GRU over months.

    The regime of a block knows only days that ended with that block, so it may condition any later day. With nothing
    to read it is one learned vector for all places.

    Parameters
    ----------
    layout : features of a batch.
    width : width of the regime vector.
    embedding : width of the place's embedding.
    dropout : dropout on the place's embedding and on the regime.
    scales : what is read, of ``SCALES``.
    """

    chosen: Tensor

    def __init__(
        self, layout: Layout, width: int, embedding: int, dropout: float, scales: Collection[str] = SCALES
    ) -> None:
        super().__init__()
        self.blocks = layout.window.blocks
        of_place = [scale for scale in PLACE if scale in scales]
        of_history = [i for i, name in enumerate(layout.slow) if slow_scale(name) in scales]
        self.register_buffer("chosen", torch.tensor(of_history, dtype=torch.int64), persistent=False)
        self.place = PlaceEncoder(layout, embedding, dropout, of_place) if of_place else None
        self.months = nn.GRU(2 * len(of_history), width, batch_first=True) if of_history else None
        read = width * (self.months is not None) + embedding * (self.place is not None)
        if read:
            self.join = nn.Sequential(nn.Linear(read, width), nn.Tanh(), nn.Dropout(dropout))
        else:
            self.constant = nn.Parameter(torch.randn(width))

    def forward(self, batch: Batch) -> Tensor:
        """Return the regime (batch, month, width)."""
        read = []
        if self.months is not None:
            history = torch.cat([batch["slow"][..., self.chosen], batch["slow_mask"][..., self.chosen]], dim=-1)
            read.append(self.months(history)[0])
        if self.place is not None:
            read.append(self.place(batch)[:, None].expand(-1, self.blocks, -1))
        if not read:
            return torch.tanh(self.constant).expand(len(batch["site"]), self.blocks, -1)
        regime: Tensor = self.join(torch.cat(read, dim=-1))
        return regime
