"""RACI: role-aware conditional inference (arXiv 2603.03531).

Slow conditions set the regime, fast drivers act under it, and each of the two roles is shown places like the one
asked about. The paper's abstract gives the idea and no code; how each part is built here is our own choice, see
``docs/architecture.md``.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from ..config.raci import RaciConfig
from ..config.schema import HeadConfig
from ..contracts import Batch, Layout
from ..retrieval.role_aware import RoleAwareRetrieval
from .encoders.fast import FastEncoder
from .encoders.slow import SlowEncoder
from .first_guess import FirstGuess
from .heads import FluxHead
from .losses import Loss
from .moments import MomentHead
from .outputs import OUTPUTS
from .own_days import Evidence, OwnDays
from .visibility import pose


class Raci(nn.Module):
    """Regime vector, retrieved context, a daily response conditioned on both, and what own shown days say of it.

    Submodules, by the names that transfer freezes and loads: ``slow_encoder``, ``retrieval``, ``fast_encoder``,
    ``head``, ``own_days``. ``first_guess`` has nothing to train: it holds what trees say of the cube that is asked.
    """

    causal = True  # unless own days are shown: those of a gap lie on either side of it

    def __init__(self, config: RaciConfig, layout: Layout, head: HeadConfig) -> None:
        super().__init__()
        self.window = layout.window
        self.slow_encoder = SlowEncoder(layout, config.regime, config.embedding, config.dropout, config.scales)
        self.retrieval = RoleAwareRetrieval(config.retrieval, layout) if config.retrieval.enabled else None
        context, daily = (self.retrieval.width, self.retrieval.daily_width) if self.retrieval is not None else (0, 0)
        condition = config.regime + context
        self.fast_encoder = FastEncoder(
            layout, condition, config.hidden, config.body, config.conditioning, config.dropout, daily
        )
        self.head: FluxHead | MomentHead
        if config.moments:
            self.head = MomentHead(config.hidden, condition, layout, head, config.dropout)
        else:
            self.head = FluxHead(config.hidden, layout, head, config.dropout)
        self.moment_weight = config.moment_weight
        self.output = OUTPUTS[head.kind](head)
        # FluxModule puts the carbon balance here: own days must correct the NEE that follows from RECO and GPP
        self.close: Callable[[Tensor], Tensor] = _as_said
        self.first_guess = FirstGuess(config.first_guess.weight) if config.first_guess.enabled else None
        self.questions = tuple(config.own_days.visibility)
        self.own_days = OwnDays(config.hidden, layout, config.own_days.features) if config.own_days.enabled else None

    def forward(self, batch: Batch) -> Tensor:
        """Return the read-out (batch, day, target, parameter), scaled, in the light of the own days that are shown."""
        read, encoded = self.alone(batch)
        return self.informed(read, encoded, batch) if bool(batch["own_mask"].any()) else read

    def alone(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the read-out without a look at own fluxes, and the encoded days (batch, day, hidden)."""
        read, encoded, _ = self._encode(batch)
        return self._beside_trees(read, batch), encoded

    def _beside_trees(self, read: Tensor, batch: Batch) -> Tensor:
        if self.first_guess is not None:
            read = self.output.moved(read, self.first_guess(self.output.mean(read), batch))
        return self.close(read)

    def informed(self, read: Tensor, encoded: Tensor, batch: Batch, evidence: Evidence | None = None) -> Tensor:
        """Correct a read-out by the own days that are shown; ``evidence`` as ``OwnDays`` takes it."""
        if self.own_days is None:
            return read
        by = self.own_days(self.output.mean(read), encoded, batch["own"], batch["own_mask"], evidence)
        return self.output.moved(read, by)

    def training_loss(self, batch: Batch, loss: Loss) -> Tensor:
        """Return the loss of what is said alone, and of what is said under the question that each window is asked.

        The first is the network's own: it learns to answer by itself, and not to leave the rest to the trees.
        """
        read, encoded, moments = self._encode(batch)
        total = loss(read, batch["target"], batch["target_mask"])
        if self.own_days is not None:
            posed = pose(batch, self.questions, self.window.warmup)
            together = self._beside_trees(read, batch)
            total = total + loss(self.informed(together, encoded, posed), posed["target"], posed["target_mask"])
        if isinstance(self.head, MomentHead):
            total = total + self.moment_weight * self.head.loss(moments, batch)
        return total

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """Find nobody and hear no trees, for as long as this lasts: both know the places of one cube alone."""
        with ExitStack() as away:
            if self.retrieval is not None:
                away.enter_context(self.retrieval.finding_nobody())
            if self.first_guess is not None:
                away.enter_context(self.first_guess.unknown())
            yield

    def costs(self) -> dict[str, float]:
        """Tell what searching for neighbours has cost in training, for the log; nothing with keys that stay."""
        return {} if self.retrieval is None else self.retrieval.cost()

    def _encode(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return the read-out, the encoded days, and the condition (batch, condition) that closed before the window."""
        condition: Tensor = self.slow_encoder(batch)
        daily: tuple[Tensor, ...] = ()
        if self.retrieval is not None:
            context, said = self.retrieval(batch)
            everywhere = context[:, None].expand(-1, condition.shape[1], -1)
            condition, daily = torch.cat([condition, everywhere], dim=-1), (said,)
        encoded = self.fast_encoder(batch, condition, *daily)
        before = condition[:, self.window.history - 1]
        read: Tensor = self.head(encoded, before) if isinstance(self.head, MomentHead) else self.head(encoded)
        return read, encoded, before


def _as_said(read: Tensor) -> Tensor:
    return read
