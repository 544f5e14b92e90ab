"""One role's neighbours, weighed and pooled into a context."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import softplus

from ..config.raci import LEVEL_OF_ROLE, RetrievalConfig
from ..contracts import Layout
from .bank import Bank
from .descriptors import descriptor_width
from .flux_statistics import value_width
from .learned_keys import LearnedKeys
from .look_up import LookUp, Neighbourhood, NeighbourTable

NEAR_KM = 100.0  # scale below which one kilometre more or less hardly counts
RELATIONS = 3  # what is always told of a neighbour: both distances and the days behind its fluxes


class Attention(NamedTuple):
    """Which neighbours a context was made of."""

    entry: Tensor  # (batch, neighbour) position in the bank, -1 where absent
    weight: Tensor  # (batch, neighbour + 1); the last is the learned null's


class RolePool(nn.Module):
    """Attention pooling over the neighbours of one role, of all kinds together, and a learned null.

    A neighbour brings its distances and evidence, and by the config how it differs from the query (``inputs``) and its
    role's level of flux (``statistics`` or ``responses``). Its logit falls with both distances and may rise with its
    days of evidence. How much the null weighs, and how much evidence counts, may depend on how many neighbours of each
    kind there are and how near the nearest is. Without neighbours the context is the null vector.
    """

    values: Tensor  # (entry + 1, statistic); the last row is of zeros, and where index -1 points
    evidence: Tensor  # (entry + 1,)
    keys: Tensor  # (entry + 1, descriptor)
    queries: Tensor  # (site, descriptor)
    index: Tensor  # (site, neighbour)
    distance: Tensor  # (site, neighbour, 2): of descriptors, log of km; 0 where absent

    def __init__(self, config: RetrievalConfig, layout: Layout, role: str) -> None:
        super().__init__()
        self.kinds, self.neighbours, self.dropout = tuple(config.kinds), config.neighbours, config.neighbour_dropout
        self.temperature = config.temperature
        self.brings_inputs, self.brings_flux = (level in config.values for level in ("inputs", LEVEL_OF_ROLE[role]))
        descriptor = descriptor_width(role, layout)
        brought = descriptor * self.brings_inputs + value_width(role, layout) * self.brings_flux
        self.embed = nn.Linear(RELATIONS + brought, config.width)
        self.null = nn.Parameter(torch.zeros(config.width))
        self.kind_logit = nn.Parameter(torch.zeros(len(self.kinds)))
        self.decay = nn.Parameter(torch.zeros(2))  # through softplus: farther is never better
        self.sight = nn.Linear(2 * len(self.kinds), 2)  # of the null's logit and of the trust in evidence
        nn.init.zeros_(self.sight.weight)
        nn.init.zeros_(self.sight.bias)
        self.blind = False
        self.learned: LearnedKeys | None = None
        if config.keys == "learned" and "functional" in self.kinds:
            self.learned = LearnedKeys(descriptor, config.key_width, config.refresh_every)
        for name in ("values", "evidence", "keys", "queries", "index", "distance"):
            self.register_buffer(name, torch.empty(0), persistent=False)

    def attach(self, bank: Bank, table: NeighbourTable, role: str) -> None:
        """Hold the bank's part and the look-ups of this role, on the device of the weights."""
        found = [table.found[role, kind] for kind in self.kinds]
        device = self.null.device
        self.values = with_zero_row(bank.values[role]).to(device)
        self.evidence = with_zero_row(bank.evidence.mean(1, keepdims=True)).to(device)[:, 0]
        self.keys = with_zero_row(bank.keys[role]).to(device)
        self.queries = torch.from_numpy(table.descriptors[role]).to(device)
        self.index = torch.from_numpy(np.concatenate([n.index for n in found], axis=1)).to(device)
        self.distance = torch.cat([_distances(n) for n in found], dim=1).to(device)
        self.look_up: LookUp = table.look_up
        if self.learned is not None:
            self.learned.serve(len(self.queries))

    @contextmanager
    def finding_nobody(self) -> Iterator[None]:
        """Answer as if no neighbour had been found, for as long as this lasts."""
        self.blind = True
        try:
            yield
        finally:
            self.blind = False

    def look(self, site: Tensor) -> tuple[Attention, Tensor]:
        """Weigh the neighbours of each site (batch,) and pool what they bring: the context (batch, width)."""
        if self.queries.numel() == 0:
            raise RuntimeError("RoleAwareRetrieval: attach(bank, table) comes before forward")
        if self.blind:  # sites of another cube may be asked, which no row here stands for
            site = torch.zeros_like(site)
        index, distances = self._table()
        entry, distance = index[site], distances[site]
        gap = self.queries[site][:, None] - self.keys[entry]
        if self.learned is not None:
            apart = self.learned.distance(gap) * (entry >= 0)
            distance = torch.stack([apart, distance[..., 1]], dim=-1)
        evidence = self.evidence[entry][..., None]
        weight = self._weigh(entry, distance, evidence[..., 0])
        brought = [distance, evidence]
        brought += [gap] if self.brings_inputs else []
        brought += [self.values[entry]] if self.brings_flux else []
        embedded = self.embed(torch.cat(brought, dim=-1))
        context: Tensor = (weight[:, :-1, None] * embedded).sum(1) + weight[:, -1:] * self.null
        return Attention(entry, weight), context

    def _weigh(self, entry: Tensor, distance: Tensor, evidence: Tensor) -> Tensor:
        """Weights (batch, neighbour + 1) of neighbours and null."""
        present = entry >= 0
        shown = present
        if self.training and self.dropout > 0:
            shown = present & (torch.rand(shown.shape, device=shown.device) >= self.dropout)
        null, trust = self.sight(self._seen(present, distance)).split(1, dim=-1)
        logit = self.kind_logit.repeat_interleave(self.neighbours) + trust * evidence
        logit = logit - (distance * softplus(self.decay)).sum(-1)
        logit = logit.masked_fill(~shown, -torch.inf)
        return (torch.cat([logit, null], dim=-1) / self.temperature).softmax(dim=-1)

    def _seen(self, present: Tensor, distance: Tensor) -> Tensor:
        """Share of places taken and nearness of the nearest, 1 on the spot and 0 without one: (batch, 2 x kind)."""
        taken = present.view(-1, len(self.kinds), self.neighbours)
        first = distance.view(-1, len(self.kinds), self.neighbours, 2)[:, :, 0]
        own = [1 if kind == "geographic" else 0 for kind in self.kinds]
        nearest = torch.stack([first[:, place, column] for place, column in enumerate(own)], dim=-1)
        return torch.cat([taken.float().mean(-1), torch.exp(-nearest) * taken[..., 0]], dim=-1)

    def _table(self) -> tuple[Tensor, Tensor]:
        """Neighbours (site, neighbour) and distances (site, neighbour, 2), by the keys that count now."""
        if self.blind:
            return torch.full_like(self.index, -1), torch.zeros_like(self.distance)
        if self.learned is None:
            return self.index, self.distance
        return self.learned.found(self._search)

    def _search(self, projection: Tensor) -> tuple[Tensor, Tensor]:
        """Find functional neighbours anew, in a projection; those of the other kind stay."""
        queries, keys = ((each @ projection.T).cpu().numpy() for each in (self.queries, self.keys[:-1]))
        alike = self.look_up.find("functional", queries, keys)
        start = self.kinds.index("functional") * self.neighbours
        index, distance = self.index.clone(), self.distance.clone()
        index[:, start : start + self.neighbours] = torch.from_numpy(alike.index)
        distance[:, start : start + self.neighbours] = _distances(alike)
        return index, distance


def with_zero_row(stored: NDArray[np.float32]) -> Tensor:
    """Add a last row of zeros, where index -1 points."""
    return torch.cat([torch.from_numpy(stored), torch.zeros(1, *stored.shape[1:])])


def _distances(found: Neighbourhood) -> Tensor:
    both = np.stack([found.functional, np.log1p(found.km / NEAR_KM)], axis=-1)
    return torch.from_numpy(np.where(found.present[..., None], both, 0.0).astype(np.float32))
