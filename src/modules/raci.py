"""RACI: role-aware conditional inference (arXiv 2603.03531).

Slow conditions set the regime, fast drivers act under it, and each of the two roles is shown places like the one
asked about. The paper's abstract gives the idea and no code; how each part is built here is our own choice, see
``docs/architecture.md``.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..config.raci import RaciConfig
from ..config.schema import HeadConfig
from ..contracts import Batch, Layout
from ..retrieval.role_aware import RoleAwareRetrieval
from .encoders.fast import FastEncoder
from .encoders.slow import SlowEncoder
from .heads import FluxHead
from .moments import MomentHead
from .outputs import OUTPUTS
from .own_days import Evidence, OwnDays
from .visibility import pose

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]  # (read-out, target, mask) -> scalar


class Raci(nn.Module):
    """Regime vector, retrieved context, a daily response conditioned on both, and what own shown days say of it.

    Submodules, by the names that transfer freezes and loads: ``slow_encoder``, ``retrieval``, ``fast_encoder``,
    ``head``, ``own_days``.
    """

    causal = True  # unless own days are shown: those of a gap lie on either side of it

    def __init__(self, config: RaciConfig, layout: Layout, head: HeadConfig) -> None:
        super().__init__()
        self.window = layout.window
        self.slow_encoder = SlowEncoder(layout, config.regime, config.embedding, config.dropout, config.scales)
        self.retrieval = RoleAwareRetrieval(config.retrieval, layout) if config.retrieval.enabled else None
        condition = config.regime + (self.retrieval.width if self.retrieval is not None else 0)
        self.fast_encoder = FastEncoder(
            layout, condition, config.hidden, config.body, config.conditioning, config.dropout
        )
        self.head: FluxHead | MomentHead
        if config.moments:
            self.head = MomentHead(config.hidden, condition, layout, head, config.dropout)
        else:
            self.head = FluxHead(config.hidden, layout, head, config.dropout)
        self.moment_weight = config.moment_weight
        self.output = OUTPUTS[head.kind](head)
        self.questions = tuple(config.own_days.visibility)
        self.own_days = OwnDays(config.hidden, layout, config.own_days.features) if config.own_days.enabled else None

    def forward(self, batch: Batch) -> Tensor:
        """Return the read-out (batch, day, target, parameter), scaled, in the light of the own days that are shown."""
        read, encoded = self.alone(batch)
        return self.informed(read, encoded, batch) if bool(batch["own_mask"].any()) else read

    def alone(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the read-out without a look at own fluxes, and the encoded days (batch, day, hidden)."""
        condition = self._condition(batch)
        encoded = self.fast_encoder(batch, condition)
        return self._read(encoded, condition), encoded

    def informed(self, read: Tensor, encoded: Tensor, batch: Batch, evidence: Evidence | None = None) -> Tensor:
        """Correct a read-out by the own days that are shown; ``evidence`` as ``OwnDays`` takes it."""
        if self.own_days is None:
            return read
        by = self.own_days(self.output.mean(read), encoded, batch["own"], batch["own_mask"], evidence)
        return self.output.moved(read, by)

    def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
        """Return the loss of what is said alone, and of what is said under the question that each window is asked."""
        condition = self._condition(batch)
        encoded = self.fast_encoder(batch, condition)
        read = self._read(encoded, condition)
        total = loss(read, batch["target"], batch["target_mask"])
        if self.own_days is not None:
            posed = pose(batch, self.questions, self.window.warmup)
            total = total + loss(self.informed(read, encoded, posed), posed["target"], posed["target_mask"])
        if isinstance(self.head, MomentHead):
            total = total + self.moment_weight * self.head.loss(self._before(condition), batch)
        return total

    def _condition(self, batch: Batch) -> Tensor:
        """Return regime and retrieved context of each slow block (batch, month, condition)."""
        condition: Tensor = self.slow_encoder(batch)
        if self.retrieval is None:
            return condition
        context = self.retrieval(batch)[:, None].expand(-1, condition.shape[1], -1)
        return torch.cat([condition, context], dim=-1)

    def _read(self, encoded: Tensor, condition: Tensor) -> Tensor:
        moments = (self._before(condition),) if isinstance(self.head, MomentHead) else ()
        read: Tensor = self.head(encoded, *moments)
        return read

    def _before(self, condition: Tensor) -> Tensor:
        """Condition (batch, condition) of the last block that had closed on the window's first day."""
        return condition[:, self.window.history - 1]
