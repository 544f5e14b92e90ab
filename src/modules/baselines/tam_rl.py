"""TAM-RL: a task encoder reads what a place went through and modulates the forecaster (arXiv 2603.09974)."""

import torch
from torch import Tensor, nn

from ...config.models import TamRlConfig
from ...config.schema import HeadConfig
from ...contracts import Batch, Layout
from ..encoders.fast import FastEncoder
from ..encoders.place import PlaceEncoder
from ..heads import FluxHead


class TaskEncoder(nn.Module):
    """Read the support window, the slow blocks that closed before the window begins, in both directions.

    The support ends before the first day of the window, so reading it backwards as well keeps the network causal.

    Parameters
    ----------
    layout : features of a batch; its window says how many blocks are history.
    task : width of the task vector.
    embedding : width of the place's embedding.
    dropout : dropout on the place's embedding and on the task vector.
    """

    def __init__(self, layout: Layout, task: int, embedding: int, dropout: float) -> None:
        super().__init__()
        self.history = layout.window.history
        self.place = PlaceEncoder(layout, embedding, dropout)
        self.months = nn.GRU(2 * len(layout.slow) + embedding, task, batch_first=True, bidirectional=True)
        self.join = nn.Sequential(nn.Linear(2 * task, task), nn.Tanh(), nn.Dropout(dropout))

    def forward(self, batch: Batch) -> Tensor:
        """Return the task vector (batch, task)."""
        support = torch.cat([batch["slow"], batch["slow_mask"]], dim=-1)[:, : self.history]
        place = self.place(batch)[:, None].expand(-1, self.history, -1)
        _, last = self.months(torch.cat([support, place], dim=-1))  # (direction, batch, task)
        task: Tensor = self.join(torch.cat([last[0], last[1]], dim=-1))
        return task


class TamRl(nn.Module):
    """One task vector a window modulates (FiLM) the inputs and outputs of an LSTM over its days."""

    causal = True

    def __init__(self, config: TamRlConfig, layout: Layout, head: HeadConfig) -> None:
        super().__init__()
        self.blocks = layout.window.blocks
        self.slow_encoder = TaskEncoder(layout, config.task, config.embedding, config.dropout)
        self.fast_encoder = FastEncoder(layout, config.task, config.hidden)
        self.head = FluxHead(config.hidden, layout, head, config.dropout)

    def forward(self, batch: Batch) -> Tensor:
        """Return the read-out (batch, day, target, parameter), scaled."""
        task = self.slow_encoder(batch)[:, None].expand(-1, self.blocks, -1)
        read: Tensor = self.head(self.fast_encoder(batch, task))
        return read
