"""Ways to read a sequence of days, none of which looks ahead.

``dropout`` is that of the read-out. Inside convolutions and attention, where it acts step upon step, half of it is
used: as it stands between the baselines, 0.4 before a head and 0.2 in each block. A recurrent layer has none inside.
"""

from collections.abc import Callable
from functools import partial
from math import gcd

from torch import Tensor, nn

from .attention import EncoderLayer, RecentAttention
from .convolutions import ResidualBlock
from .tokens import sinusoids

KERNEL = 3  # days that a convolution sees, before dilation
BLOCKS = 3  # residual blocks of two convolutions; each convolution looks `KERNEL` times as far as the one before
HEADS = 2  # attention heads, where they divide the width
SPAN = 45  # days that attention looks back on, the day's own among them


class Lstm(nn.LSTM):
    """One LSTM layer (Hochreiter and Schmidhuber 1997)."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__(width, hidden, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Map (batch, day, width) to (batch, day, hidden)."""
        encoded: Tensor = super().forward(x)[0]
        return encoded


class Gru(nn.GRU):
    """One GRU layer (Cho et al. 2014, arXiv 1406.1078)."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__(width, hidden, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Map (batch, day, width) to (batch, day, hidden)."""
        encoded: Tensor = super().forward(x)[0]
        return encoded


class Tcn(nn.Module):
    """Six causal convolutions whose dilations grow by the kernel, so that a day sees each of the 729 up to it.

    The baseline of that name doubles its dilations, one for two convolutions, and reaches as far at twice the cost.
    """

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        widths = [width] + [hidden] * BLOCKS
        dilations = [(KERNEL ** (2 * block), KERNEL ** (2 * block + 1)) for block in range(BLOCKS)]
        self.blocks = nn.Sequential(
            *(ResidualBlock(widths[i], widths[i + 1], KERNEL, dilations[i], dropout / 2) for i in range(BLOCKS))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, day, width) to (batch, day, hidden)."""
        encoded: Tensor = self.blocks(x.transpose(1, 2)).transpose(1, 2)
        return encoded


class Attention(nn.Module):
    """One layer of attention over the last 45 days, placed by sinusoids; what lies farther back the regime holds."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Identity() if width == hidden else nn.Linear(width, hidden)
        attention = partial(RecentAttention, hidden, gcd(hidden, HEADS), SPAN)
        self.layer = nn.Sequential(EncoderLayer(hidden, attention, dropout / 2), nn.LayerNorm(hidden))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, day, width) to (batch, day, hidden)."""
        tokens = self.embed(x)
        position = sinusoids(tokens.shape[1], tokens.shape[2], tokens.device).to(tokens.dtype)
        encoded: Tensor = self.layer(tokens + position)
        return encoded


# Built with (width, hidden, dropout): a module from (batch, day, width) to (batch, day, hidden).
BODIES: dict[str, Callable[[int, int, float], nn.Module]] = {
    "lstm": Lstm,
    "gru": Gru,
    "tcn": Tcn,
    "attention": Attention,
}
