"""Pyraformer: attention over a pyramid of days, weeks and months (Liu et al., ICLR 2022)."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from ...config.models import PyraformerConfig
from ...config.schema import HeadConfig
from ...contracts import Batch, Layout
from ..encoders.place import PlaceEncoder
from ..encoders.tokens import sinusoids, width_of_head
from ..heads import FluxHead


class Pyramid:
    """Which nodes there are, finest scale first, and which of them attend to each other.

    Parameters
    ----------
    days : length of the window.
    strides : children of a node of the second scale, the third, ...; the last node of a scale may have fewer.
    window : neighbours on its own scale, itself counted, that a node attends to.
    """

    def __init__(self, days: int, strides: tuple[int, ...], window: int) -> None:
        sizes = [days]
        for stride in strides:
            sizes.append(-(-sizes[-1] // stride))
        first = torch.tensor([0, *sizes]).cumsum(0)
        scale = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
        place = torch.cat([torch.arange(size) for size in sizes])
        near = (place[:, None] - place).abs() <= window // 2
        self.attends = near & (scale[:, None] == scale)  # (node, node) bool
        lineage = [torch.arange(len(scale))]  # of each node: itself, its parent, ... up to the coarsest scale
        for level, stride in enumerate(strides):
            child = first[level] + torch.arange(sizes[level])
            parent = first[level + 1] + torch.arange(sizes[level]) // stride
            self.attends[child, parent] = True
            self.attends[parent, child] = True
            above = lineage[-1].clone()
            below = scale[above] == level
            above[below] = parent[above[below] - first[level]]
            lineage.append(above)
        self.ancestors = torch.stack(lineage, dim=1)[:days]  # (day, scale) indices of nodes, the day itself first
        self.root = lineage[-1]  # (node,) its ancestor on the coarsest scale


class LocalAttention(nn.Module):
    """Attention along the edges of a pyramid, tree by tree: those below one coarsest node look little beyond it.

    It gives what one attention over all nodes under the mask ``pyramid.attends`` would, from a tenth of the products.

    Parameters
    ----------
    pyramid : nodes, and who attends to whom.
    """

    asking: Tensor
    asked: Tensor
    mask: Tensor
    answer: Tensor

    def __init__(self, pyramid: Pyramid) -> None:
        super().__init__()
        trees = [torch.nonzero(pyramid.root == root)[:, 0] for root in sorted(set(pyramid.root.tolist()))]
        seen = [torch.nonzero(pyramid.attends[tree].any(0))[:, 0] for tree in trees]
        # A small tree is filled with node -1: as a key it is never looked at; as a query it may look anywhere, since
        # nobody reads its answer.
        asking, asked = pad_sequence(trees, True, -1), pad_sequence(seen, True, -1)
        mask = pyramid.attends[asking[:, :, None], asked[:, None]] & (asked >= 0)[:, None] | (asking < 0)[..., None]
        answer = torch.argsort(asking.flatten())[(asking < 0).sum() :]
        self.register_buffer("asking", asking.clamp(min=0), persistent=False)  # (tree, query) nodes
        self.register_buffer("asked", asked.clamp(min=0), persistent=False)  # (tree, key) nodes
        self.register_buffer("mask", mask[:, None], persistent=False)  # (tree, 1, query, key)
        self.register_buffer("answer", answer, persistent=False)  # (node,) where each node asks

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return what each node gathers of the values of those it attends to, all (batch, node, head, width)."""
        batch = len(query)
        gathered = functional.scaled_dot_product_attention(
            _of(query, self.asking),
            _of(key, self.asked),
            _of(value, self.asked),
            attn_mask=self.mask.repeat(batch, 1, 1, 1),
        )
        answers = gathered.transpose(1, 2).reshape(batch, -1, *query.shape[2:])  # (batch, tree query, head, width)
        return answers.index_select(1, self.answer)


def _of(values: Tensor, nodes: Tensor) -> Tensor:
    """Pick of ``values`` (batch, node, head, width) the nodes of each tree (tree, one of them): a row for each tree."""
    picked = values.index_select(1, nodes.flatten()).reshape(-1, nodes.shape[1], *values.shape[2:])
    return picked.transpose(1, 2)  # (batch tree, head, one of them, width)


class CoarserScales(nn.Module):
    """Build the nodes of coarser scales from the finest by strided convolutions, one after another.

    Layer norms stand where the paper has batch norms, which would let batch mates speak to each other.
    """

    def __init__(self, hidden: int, strides: tuple[int, ...]) -> None:
        super().__init__()
        self.strides = strides
        self.join = nn.ModuleList(nn.Conv1d(hidden, hidden, stride, stride) for stride in strides)
        self.norm = nn.LayerNorm(hidden)

    def forward(self, days: Tensor) -> Tensor:
        """Return all nodes (batch, node, hidden) of days (batch, day, hidden)."""
        scales = [days.transpose(1, 2)]
        for stride, join in zip(self.strides, self.join, strict=True):
            children = functional.pad(scales[-1], (0, -scales[-1].shape[-1] % stride))
            scales.append(functional.elu(join(children)))
        nodes: Tensor = self.norm(torch.cat(scales, dim=-1).transpose(1, 2))
        return nodes


class PyramidLayer(nn.Module):
    """Multi-head attention along the edges of the pyramid, then a feed-forward net a node; norms come first."""

    def __init__(self, pyramid: Pyramid, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.head_width = width_of_head(hidden, heads)
        self.attention = LocalAttention(pyramid)
        self.norm = nn.LayerNorm(hidden)
        self.project = nn.Linear(hidden, 3 * hidden)
        self.out = nn.Sequential(nn.Linear(hidden, hidden), nn.Dropout(dropout))
        self.feed = nn.Sequential(
            nn.LayerNorm(hidden),
            nn.Linear(hidden, 2 * hidden),
            nn.GELU(),
            nn.Linear(2 * hidden, hidden),
            nn.Dropout(dropout),
        )

    def forward(self, nodes: Tensor) -> Tensor:
        """Return the nodes (batch, node, hidden) after they looked at each other."""
        query, key, value = self.project(self.norm(nodes)).unflatten(-1, (3, -1, self.head_width)).unbind(2)
        nodes = nodes + self.out(self.attention(query, key, value).flatten(2))
        fed: Tensor = nodes + self.feed(nodes)
        return fed


class PyramidEncoder(nn.Module):
    """Encode days by attention over the pyramid; a day is read out with the week and the month it belongs to.

    Parameters
    ----------
    layout : features of a batch.
    config : widths, heads, layers, dropout, and the shape of the pyramid.
    """

    ancestors: Tensor
    position: Tensor

    def __init__(self, layout: Layout, config: PyraformerConfig) -> None:
        super().__init__()
        days, strides = layout.window.days, (config.week, config.month)
        pyramid = Pyramid(days, strides, config.window)
        self.register_buffer("ancestors", pyramid.ancestors, persistent=False)
        self.register_buffer("position", sinusoids(days, config.hidden), persistent=False)
        self.embed = nn.Linear(2 * len(layout.fast) + config.embedding, config.hidden)
        self.coarser = CoarserScales(config.hidden, strides)
        self.layers = nn.ModuleList(
            PyramidLayer(pyramid, config.hidden, config.heads, config.dropout) for _ in range(config.layers)
        )
        self.join = nn.Sequential(nn.LayerNorm(3 * config.hidden), nn.Linear(3 * config.hidden, config.hidden))

    def forward(self, batch: Batch, place: Tensor) -> Tensor:
        """Encode the days (batch, day, hidden) of a place (batch, embedding)."""
        places = place[:, None].expand(-1, batch["fast"].shape[1], -1)
        days = self.embed(torch.cat([batch["fast"], batch["fast_mask"], places], dim=-1)) + self.position
        nodes = self.coarser(days)
        for layer in self.layers:
            nodes = layer(nodes)
        lineage = nodes.index_select(1, self.ancestors.flatten()).unflatten(1, self.ancestors.shape)
        encoded: Tensor = self.join(lineage.flatten(2))
        return encoded


class Pyraformer(nn.Module):
    """Transformer over three scales of time; a day sees the neighbours on either side of it, later ones included."""

    causal = False

    def __init__(self, config: PyraformerConfig, layout: Layout, head: HeadConfig) -> None:
        super().__init__()
        self.slow_encoder = PlaceEncoder(layout, config.embedding, config.dropout)
        self.fast_encoder = PyramidEncoder(layout, config)
        self.head = FluxHead(config.hidden, layout, head, config.dropout)

    def forward(self, batch: Batch) -> Tensor:
        """Return the read-out (batch, day, target, parameter), scaled."""
        read: Tensor = self.head(self.fast_encoder(batch, self.slow_encoder(batch)))
        return read
