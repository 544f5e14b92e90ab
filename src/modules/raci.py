"""RACI: role-aware conditional inference (arXiv 2603.03531).

Slow conditions set the regime, fast drivers act under it, and each of the two roles is shown places like the one
asked about. The paper's abstract gives the idea and no code; how each part is built here is our own choice, see
``docs/architecture.md``.
"""

import torch
from torch import Tensor, nn

from ..config.raci import RaciConfig
from ..config.schema import HeadConfig
from ..contracts import Batch, Layout
from ..retrieval.role_aware import RoleAwareRetrieval
from .encoders.fast import FastEncoder
from .encoders.slow import SlowEncoder
from .heads import FluxHead


class Raci(nn.Module):
    """Regime vector, retrieved context, and a daily response conditioned on both.

    Submodules, by the names that transfer freezes and loads: ``slow_encoder``, ``retrieval``, ``fast_encoder``,
    ``head``.
    """

    causal = True

    def __init__(self, config: RaciConfig, layout: Layout, head: HeadConfig) -> None:
        super().__init__()
        self.slow_encoder = SlowEncoder(layout, config.regime, config.embedding, config.dropout)
        self.retrieval = RoleAwareRetrieval(config.retrieval, layout) if config.retrieval.enabled else None
        context = self.retrieval.width if self.retrieval is not None else 0
        self.fast_encoder = FastEncoder(layout, config.regime + context, config.hidden)
        self.head = FluxHead(config.hidden, layout, head, config.dropout)

    def forward(self, batch: Batch) -> Tensor:
        """Return the read-out (batch, day, target, parameter), scaled."""
        condition = self.slow_encoder(batch)
        if self.retrieval is not None:
            context = self.retrieval(batch)[:, None].expand(-1, condition.shape[1], -1)
            condition = torch.cat([condition, context], dim=-1)
        read: Tensor = self.head(self.fast_encoder(batch, condition))
        return read
