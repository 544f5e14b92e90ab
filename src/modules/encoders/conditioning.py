"""How the regime acts on the days: it is no input beside the drivers, it changes what the drivers do.

Each kind is built with ``(condition, features, layout)`` and called with ``x`` (batch, day, features) and the condition
of every slow block (batch, month, condition); it returns the shape of ``x``. A day uses no block that has not closed
before it. All start near the identity: the unconditioned response is learned first, its dependence on the regime after.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ...contracts import Layout

RANK = 16  # of the weights that the hyper-network gives, and of the keys by which days choose months


class _ByBlock(nn.Module):
    """A condition that acts by the last slow block that closed before a day."""

    last_block: Tensor

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.register_buffer("last_block", torch.from_numpy(layout.window.last_block()), persistent=False)

    def daily(self, of_block: Tensor) -> Tensor:
        """Turn (batch, month, width) into (batch, day, width)."""
        return of_block.index_select(1, self.last_block)


class FiLM(_ByBlock):
    """Feature-wise linear modulation, ``(1 + scale) * x + shift`` (Perez et al. 2018, arXiv 1709.07871)."""

    def __init__(self, condition: int, features: int, layout: Layout) -> None:
        super().__init__(layout)
        self.modulation = _faint(condition, 2 * features)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Scale and shift each feature."""
        return _modulated(x, self.daily(self.modulation(condition)))


class Gates(_ByBlock):
    """Gates between 0 and 1 that the regime sets, ``sigmoid(W c + b) * x``: they damp features and can do no more.

    The idea of the EA-LSTM's input gate (Kratzert et al. 2019, 10.5194/hess-23-5089-2019), before and after any body.
    """

    def __init__(self, condition: int, features: int, layout: Layout) -> None:
        super().__init__(layout)
        self.gate = _faint(condition, features)
        nn.init.constant_(self.gate.bias, 3.0)  # open by 95 %, and not yet so flat that nothing is learned

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Damp each feature."""
        gated: Tensor = x * self.daily(torch.sigmoid(self.gate(condition)))
        return gated


class HyperNetwork(_ByBlock):
    """Weights of low rank that the regime sets, ``x + U diag(c) (V x + v)`` with ``c`` linear in the condition.

    A hyper-network (Ha et al. 2017, arXiv 1609.09106) that gives all of a matrix would hold most weights of the model;
    ``v`` lets the regime shift as well as mix.
    """

    def __init__(self, condition: int, features: int, layout: Layout) -> None:
        super().__init__(layout)
        self.weights = _faint(condition, RANK)
        self.down = nn.Linear(features, RANK)
        self.up = nn.Linear(RANK, features, bias=False)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Mix features by the weights of the regime."""
        mixed: Tensor = x + self.up(self.down(x) * self.daily(self.weights(condition)))
        return mixed


class CrossAttention(nn.Module):
    """Each day chooses among the months that closed before it, and is scaled and shifted by what it chose.

    Day ``x`` weighs month ``m`` by ``softmax(q(x) . k(m) / sqrt(16) - fall * age)``, where ``age`` counts blocks since
    the last one that closed: at the start recent months count most. Since a modulation is linear in the condition, the
    months' modulations are averaged, which is cheaper than to modulate by an average of months.
    """

    age: Tensor
    closed: Tensor

    def __init__(self, condition: int, features: int, layout: Layout) -> None:
        super().__init__()
        self.modulation = _faint(condition, 2 * features)
        self.query = nn.Linear(features, RANK)
        self.key = nn.Linear(condition, RANK, bias=False)  # a bias would raise all months alike
        self.fall = nn.Parameter(torch.tensor(0.5))
        last_block = torch.from_numpy(layout.window.last_block())
        age = last_block[:, None] - torch.arange(layout.window.blocks)  # (day, month)
        self.register_buffer("age", age.clamp(min=0).float(), persistent=False)
        self.register_buffer("closed", age >= 0, persistent=False)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Scale and shift each feature of a day by the months it chooses."""
        match = self.query(x) @ self.key(condition).transpose(1, 2) * RANK**-0.5  # (batch, day, month)
        weight = (match - self.fall * self.age).masked_fill(~self.closed, -torch.inf).softmax(-1)
        return _modulated(x, weight @ self.modulation(condition))


def _faint(condition: int, features: int) -> nn.Linear:
    """Return a linear map whose answer is near zero at the start."""
    linear = nn.Linear(condition, features)
    nn.init.normal_(linear.weight, std=0.02)
    nn.init.zeros_(linear.bias)
    return linear


def _modulated(x: Tensor, modulation: Tensor) -> Tensor:
    scale, shift = modulation.chunk(2, dim=-1)
    return (1.0 + scale) * x + shift


# (condition, features, layout) -> a module from x (batch, day, features) and the months to the shape of x.
CONDITIONINGS: dict[str, Callable[[int, int, Layout], nn.Module]] = {
    "film": FiLM,
    "gates": Gates,
    "cross_attention": CrossAttention,
    "hyper_network": HyperNetwork,
}
