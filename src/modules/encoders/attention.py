"""Days as tokens under causal attention (Vaswani et al. 2017, arXiv 1706.03762)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from .tokens import width_of_head


class CausalAttention(nn.Module):
    """Each day asks itself and the days before it, in ``heads`` ways.

    No dropout on the attention weights: with it torch has no fused kernel on a CPU and writes out every day-by-day
    matrix.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.head_width = width_of_head(width, heads)
        self.project = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, day, width) to the same shape."""
        query, key, value = self.project(x).unflatten(-1, (3, -1, self.head_width)).permute(2, 0, 3, 1, 4)
        seen = self._gather(query, key, value)
        joined: Tensor = self.join(seen.transpose(1, 2).flatten(2))
        return joined

    def _gather(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return what each day gathers of the values of earlier days, all (batch, head, day, width)."""
        return functional.scaled_dot_product_attention(query, key, value, is_causal=True)


class RecentAttention(CausalAttention):
    """Each day asks the last ``span`` days, its own among them.

    Days are cut into chunks of ``span``; a chunk asks itself and the one before it under a mask, so the cost grows
    with the number of days and not with its square.
    """

    bias: Tensor

    def __init__(self, width: int, heads: int, span: int) -> None:
        super().__init__(width, heads)
        self.span = span
        day, asked = torch.arange(span)[:, None], torch.arange(-span, span)
        recent = (asked <= day) & (asked > day - span)
        seen = torch.stack([recent & (asked >= 0), recent])  # of the first chunk, of any other
        self.register_buffer("bias", torch.zeros(seen.shape).masked_fill(~seen, -torch.inf), persistent=False)

    def _gather(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        batch, heads, days, width = query.shape
        fill = -days % self.span  # days put behind the last ask too, and their answers are dropped
        asking, asked, told = (
            functional.pad(each, (0, 0, 0, fill)).reshape(batch, heads, -1, self.span, width)
            for each in (query, key, value)
        )
        chunk = torch.arange(asking.shape[2], device=query.device)
        # Chunks stand beside heads: torch's fused kernel takes four dimensions, and a bias of as many.
        seen = functional.scaled_dot_product_attention(
            asking.flatten(1, 2),
            _with_earlier(asked).flatten(1, 2),
            _with_earlier(told).flatten(1, 2),
            attn_mask=self.bias[chunk.clamp(max=1)].repeat(heads, 1, 1)[None].to(query.dtype),
        )
        return seen.reshape(batch, heads, -1, width)[:, :, :days]


def _with_earlier(chunked: Tensor) -> Tensor:
    """Put before each chunk of (batch, head, chunk, day, width) the one before it; before the first stand zeros."""
    earlier = functional.pad(chunked, (0, 0, 0, 0, 1, 0))[:, :, :-1]
    return torch.cat([earlier, chunked], dim=3)


class EncoderLayer(nn.Module):
    """Attention and a feed-forward step, each normed before and added to what came in.

    Norms come first, other than in the paper: such layers train without a warm-up (Xiong et al. 2020, arXiv
    2002.04745). The feed-forward step is twice as wide as a token, not four times.
    """

    def __init__(self, width: int, attention: Callable[[], CausalAttention], dropout: float) -> None:
        super().__init__()
        self.attend = nn.Sequential(nn.LayerNorm(width), attention(), nn.Dropout(dropout))
        self.transform = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.ReLU(),
            nn.Linear(2 * width, width),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, day, width) to the same shape."""
        attended: Tensor = x + self.attend(x)
        transformed: Tensor = attended + self.transform(attended)
        return transformed
