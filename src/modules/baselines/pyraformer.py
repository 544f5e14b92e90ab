"""Pyraformer: attention over a pyramid of days, weeks and months (Liu et al., ICLR 2022)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...config.models import PyraformerConfig
from ...config.schema import HeadConfig
from ...contracts import Batch, Layout
from ..encoders.place import PlaceEncoder
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
        scale = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
        place = torch.cat([torch.arange(size) for size in sizes])
        first = torch.tensor([0, *sizes]).cumsum(0)
        near = (place[:, None] - place).abs() <= window // 2
        self.attends = near & (scale[:, None] == scale)  # (node, node) bool
        self.ancestors = torch.arange(days)[:, None]  # (day, scale) indices of nodes, the day itself first
        for level, stride in enumerate(strides):
            child = torch.arange(sizes[level])
            parent = first[level + 1] + child // stride
            self.attends[first[level] + child, parent] = True
            self.attends[parent, first[level] + child] = True
            above = parent[self.ancestors[:, -1] - first[level]]
            self.ancestors = torch.cat([self.ancestors, above[:, None]], dim=1)


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

    def __init__(self, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
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

    def forward(self, nodes: Tensor, attends: Tensor) -> Tensor:
        """Return nodes (batch, node, hidden) that looked where ``attends`` (node, node) lets them."""
        projected = self.project(self.norm(nodes)).unflatten(-1, (3, self.heads, -1))
        query, key, value = projected.permute(2, 0, 3, 1, 4)  # each (batch, head, node, width)
        looked = functional.scaled_dot_product_attention(query, key, value, attn_mask=attends)
        nodes = nodes + self.out(looked.transpose(1, 2).flatten(2))
        fed: Tensor = nodes + self.feed(nodes)
        return fed


class PyramidEncoder(nn.Module):
    """Encode days by attention over the pyramid; a day is read out with the week and the month it belongs to.

    Parameters
    ----------
    layout : features of a batch.
    config : widths, heads, layers, dropout, and the shape of the pyramid.
    """

    attends: Tensor
    ancestors: Tensor
    position: Tensor

    def __init__(self, layout: Layout, config: PyraformerConfig) -> None:
        super().__init__()
        days, strides = layout.window.days, (config.week, config.month)
        pyramid = Pyramid(days, strides, config.window)
        self.register_buffer("attends", pyramid.attends, persistent=False)
        self.register_buffer("ancestors", pyramid.ancestors, persistent=False)
        self.register_buffer("position", sinusoids(days, config.hidden), persistent=False)
        self.embed = nn.Linear(2 * len(layout.fast) + config.embedding, config.hidden)
        self.coarser = CoarserScales(config.hidden, strides)
        self.layers = nn.ModuleList(
            PyramidLayer(config.hidden, config.heads, config.dropout) for _ in range(config.layers)
        )
        self.join = nn.Sequential(nn.LayerNorm(3 * config.hidden), nn.Linear(3 * config.hidden, config.hidden))

    def forward(self, batch: Batch, place: Tensor) -> Tensor:
        """Encode the days (batch, day, hidden) of a place (batch, embedding)."""
        places = place[:, None].expand(-1, batch["fast"].shape[1], -1)
        days = self.embed(torch.cat([batch["fast"], batch["fast_mask"], places], dim=-1)) + self.position
        nodes = self.coarser(days)
        for layer in self.layers:
            nodes = layer(nodes, self.attends)
        encoded: Tensor = self.join(nodes[:, self.ancestors].flatten(2))
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


def sinusoids(days: int, width: int) -> Tensor:
    """Return positions (day, width) as sines and cosines of falling frequency (Vaswani et al. 2017)."""
    frequency = 10_000.0 ** (-torch.arange(0, width, 2) / width)
    angle = torch.arange(days)[:, None] * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :width]
