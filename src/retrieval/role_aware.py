"""Role-aware retrieval: for each role, functional and geographic neighbours become one context vector.

Attention has a few kernel weights on distances, not learned queries and keys: over a hundred-odd towers those memorise.
Neighbours are found by ``batch["site"]`` alone; no target is looked at.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad, softplus

from ..config.raci import RetrievalConfig
from ..contracts import Batch, Layout
from .bank import Bank, Neighbourhood, NeighbourTable
from .descriptors import descriptor_width
from .flux_statistics import value_width

NEAR_KM = 100.0  # scale below which one kilometre more or less hardly counts


class Attention(NamedTuple):
    """Which neighbours a context was made of."""

    entry: Tensor  # (batch, neighbour) position in the bank, -1 where absent
    weight: Tensor  # (batch, neighbour + 1); the last is the learned null's


class RoleAwareRetrieval(nn.Module):
    """Context of a query from the neighbours of each of its roles.

    ``attach`` must be called before ``forward``, anew for every cube; what it sets is not part of the state dict, so
    weights trained with one bank (of a simulation) go on with another (of towers).
    """

    def __init__(self, config: RetrievalConfig, layout: Layout) -> None:
        super().__init__()
        self.kinds = tuple(config.kinds)
        self.width = config.width * len(config.roles)
        self.roles = nn.ModuleDict({role: RolePool(config, layout, role) for role in config.roles})

    def attach(self, bank: Bank, table: NeighbourTable) -> None:
        """Hold what is stored of training sites and the look-ups of the cube that will be asked."""
        for role, pool in self._pools():
            pool.attach(bank, table, role)

    def forward(self, batch: Batch) -> Tensor:
        """Return the context (batch, width), the roles one after another in the order of the config."""
        return torch.cat([pool(batch["site"]) for _, pool in self._pools()], dim=-1)

    def weights(self, batch: Batch) -> dict[str, Attention]:
        """Tell, for each role, which neighbours the context is made of and in which proportion."""
        return {role: pool.attention(batch["site"]) for role, pool in self._pools()}

    def _pools(self) -> list[tuple[str, "RolePool"]]:
        return [(role, pool) for role, pool in self.roles.items() if isinstance(pool, RolePool)]


class RolePool(nn.Module):
    """Attention pooling over the neighbours of one role, of all kinds together, and a learned null.

    A neighbour brings its flux statistics and how it differs from the query. Its logit falls with both distances and
    may rise with its days of evidence. Without neighbours the context is the null vector.
    """

    values: Tensor  # (entry + 1, statistic); the last row is of zeros, and where index -1 points
    keys: Tensor  # (entry + 1, feature)
    queries: Tensor  # (site, feature)
    index: Tensor  # (site, neighbour)
    distance: Tensor  # (site, neighbour, 2): functional, log of km; 0 where absent

    def __init__(self, config: RetrievalConfig, layout: Layout, role: str) -> None:
        super().__init__()
        self.kinds, self.neighbours, self.dropout = tuple(config.kinds), config.neighbours, config.neighbour_dropout
        self.of_target = value_width(role, layout) // len(layout.targets)  # statistics of one target, evidence last
        self.embed = nn.Linear(value_width(role, layout) + descriptor_width(role, layout), config.width)
        self.null = nn.Parameter(torch.zeros(config.width))
        self.null_logit = nn.Parameter(torch.zeros(()))
        self.kind_logit = nn.Parameter(torch.zeros(len(self.kinds)))
        self.decay = nn.Parameter(torch.zeros(2))  # through softplus: farther is never better
        self.trust = nn.Parameter(torch.zeros(()))
        for name in ("values", "keys", "queries", "index", "distance"):
            self.register_buffer(name, torch.empty(0), persistent=False)

    def attach(self, bank: Bank, table: NeighbourTable, role: str) -> None:
        """Hold the bank's part and the look-ups of this role, on the device of the weights."""
        found = [table.found[role, kind] for kind in self.kinds]
        device = self.null.device
        self.values = _with_zero_row(bank.values[role]).to(device)
        self.keys = _with_zero_row(bank.keys[role]).to(device)
        self.queries = torch.from_numpy(table.descriptors[role]).to(device)
        self.index = torch.from_numpy(np.concatenate([n.index for n in found], axis=1)).to(device)
        self.distance = torch.cat([_distances(n) for n in found], dim=1).to(device)

    def forward(self, site: Tensor) -> Tensor:
        """Return the context (batch, width) of each site (batch,)."""
        entry, weight = self.attention(site)
        gap = self.queries[site][:, None] - self.keys[entry]
        embedded = self.embed(torch.cat([self.values[entry], gap], dim=-1))
        context: Tensor = (weight[:, :-1, None] * embedded).sum(1) + weight[:, -1:] * self.null
        return context

    def attention(self, site: Tensor) -> Attention:
        """Weigh the neighbours of each site (batch,)."""
        if self.queries.numel() == 0:
            raise RuntimeError("RoleAwareRetrieval: attach(bank, table) comes before forward")
        entry = self.index[site]
        shown = entry >= 0
        if self.training and self.dropout > 0:
            shown = shown & (torch.rand(shown.shape, device=shown.device) >= self.dropout)
        evidence = self.values[entry][..., self.of_target - 1 :: self.of_target].mean(-1)
        logit = self.kind_logit.repeat_interleave(self.neighbours) + self.trust * evidence
        logit = logit - (self.distance[site] * softplus(self.decay)).sum(-1)
        logit = logit.masked_fill(~shown, -torch.inf)
        null = self.null_logit.expand(len(site), 1)
        return Attention(entry, torch.cat([logit, null], dim=-1).softmax(dim=-1))


def _with_zero_row(stored: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Tensor:
    return pad(torch.from_numpy(stored), (0, 0, 0, 1))


def _distances(found: Neighbourhood) -> Tensor:
    both = np.stack([found.functional, np.log1p(found.km / NEAR_KM)], axis=-1)
    return torch.from_numpy(np.where(found.present[..., None], both, 0.0).astype(np.float32))
