"""Role-aware retrieval: for each role, functional and geographic neighbours become one context vector.

Attention has a few kernel weights on distances, not learned queries and keys: over a hundred-odd towers those memorise.
Neighbours are found by ``batch["site"]`` alone; no target is looked at.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ..config.raci import RetrievalConfig
from ..contracts import Batch, Layout
from .bank import Bank
from .look_up import NeighbourTable
from .responses import ResponseBasis
from .role_pool import Attention, RolePool, with_zero_row


class RoleAwareRetrieval(nn.Module):
    """Context of a query from the neighbours of each of its roles, and what their response functions say of its days.

    ``attach`` must be called before ``forward``, anew for every cube; what it sets is not part of the state dict, so
    weights trained with one bank (of a simulation) go on with another (of towers).

    Attributes
    ----------
    width : of the context.
    daily_width : of what is said of each day; 0 unless the fast role brings responses.
    """

    coefficients: Tensor  # (entry + 1, target, term) of the response functions
    unmeasured: Tensor  # (entry + 1, target) 1 where a site never measured a flux

    def __init__(self, config: RetrievalConfig, layout: Layout) -> None:
        super().__init__()
        self.kinds = tuple(config.kinds)
        self.width = config.width * len(config.roles)
        self.roles = nn.ModuleDict({role: RolePool(config, layout, role) for role in config.roles})
        reads_days = "responses" in config.values and "fast" in config.roles
        self.basis = ResponseBasis(layout) if reads_days else None
        self.daily_width = 2 * len(layout.targets) * len(config.roles) if reads_days else 0
        for name in ("coefficients", "unmeasured"):
            self.register_buffer(name, torch.empty(0), persistent=False)

    def attach(self, bank: Bank, table: NeighbourTable) -> None:
        """Hold what is stored of training sites and the look-ups of the cube that will be asked."""
        for role, pool in self._pools():
            pool.attach(bank, table, role)
            self.coefficients = with_zero_row(bank.coefficients).to(pool.null.device)
            self.unmeasured = with_zero_row((bank.evidence == 0).astype("float32")).to(pool.null.device)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Look up each role's neighbours, and return the context and what they say of each day.

        Both come from one look: a neighbour that is hidden in training is hidden from both.

        Returns
        -------
        tuple
            The context (batch, width), the roles one after another in the order of the config, and what ``_daily``
            says (batch, day, daily_width).
        """
        attentions, contexts = [], []
        for _, pool in self._pools():
            if self.training and pool.learned is not None:
                pool.learned.advance()
            attention, context = pool.look(batch["site"])
            attentions.append(attention)
            contexts.append(context)
        return torch.cat(contexts, dim=-1), self._daily(batch, attentions)

    def _daily(self, batch: Batch, attentions: Sequence[Attention]) -> Tensor:
        """Return what the neighbours' response functions say of each day (batch, day, daily_width), scaled.

        Each neighbour's function is evaluated at the query's own drivers, up to the day; weather beyond the grid of
        ``ResponseBasis`` stands at its edge. Of each role, for each target: the mean over neighbours, weighted by the
        role's attention; then how far they disagree about such weather. The null, and a neighbour that never measured
        the flux, stand for a normal of mean 0 and spread 1, which the flux of all training days is scaled to.
        """
        if self.basis is None:
            return batch["fast"].new_zeros((*batch["fast"].shape[:2], 0))
        terms = self.basis(batch["fast"], batch["fast_mask"])
        functions = [self._functions(attention) for attention in attentions]
        said: Tensor = terms @ torch.cat(functions, dim=1).transpose(1, 2)  # one product for all: most of the cost
        return said

    @contextmanager
    def finding_nobody(self) -> Iterator[None]:
        """Answer as if no role had found a neighbour, for as long as this lasts."""
        with ExitStack() as blind:
            for _, pool in self._pools():
                blind.enter_context(pool.finding_nobody())
            yield

    def weights(self, site: Tensor) -> dict[str, Attention]:
        """Tell, for each role, which neighbours the context of each site (batch,) is made of, in which proportion."""
        return {role: pool.look(site)[0] for role, pool in self._pools()}

    def cost(self) -> dict[str, float]:
        """Tell what searching with learned keys has cost since this module was made; for the log."""
        learned = [pool.learned for _, pool in self._pools() if pool.learned is not None]
        if not learned:
            return {}
        return {
            "retrieval/searches": float(sum(keys.searches for keys in learned)),
            "retrieval/refresh_s": sum(keys.seconds for keys in learned),
        }

    def _functions(self, attention: Attention) -> Tensor:
        """Mean and spread of the neighbours' response functions of one role (batch, 2 x target, term)."""
        assert self.basis is not None
        entry, weight = attention
        functions, near = self.coefficients[entry], weight[:, :-1]
        mean = torch.einsum("bn,bntk->btk", near, functions)
        nodes = functions[..., : self.basis.nodes]
        square = torch.einsum("bn,bntk->btk", near, nodes.square())
        unknown = weight[:, -1:] + torch.einsum("bn,bnt->bt", near, self.unmeasured[entry])
        spread = (square + unknown[..., None] - mean[..., : self.basis.nodes].square()).clamp(min=1e-6).sqrt()
        # the spread is that at the nodes, read between them: no function has to be evaluated for each neighbour
        return torch.cat([mean, pad(spread, (0, self.basis.terms - self.basis.nodes))], dim=1)

    def _pools(self) -> list[tuple[str, RolePool]]:
        return [(role, pool) for role, pool in self.roles.items() if isinstance(pool, RolePool)]
