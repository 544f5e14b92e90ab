"""The fast encoder: daily drivers, read under the regime that conditions the response to them."""

import torch
from torch import Tensor, nn

from ...contracts import Batch, Layout


class FiLM(nn.Module):
    """Feature-wise linear modulation, ``(1 + scale) * x + shift`` (Perez et al. 2018, arXiv 1709.07871).

    Parameters
    ----------
    condition : width of the condition.
    features : width of what is modulated.
    """

    def __init__(self, condition: int, features: int) -> None:
        super().__init__()
        self.modulation = nn.Linear(condition, 2 * features)
        # Starts near the identity: the unconditioned response is learned first, its dependence on the regime after.
        nn.init.normal_(self.modulation.weight, std=0.02)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Modulate ``x`` (batch, day, features) by the condition of each block (batch, day, condition)."""
        scale, shift = self.modulation(condition).chunk(2, dim=-1)
        modulated: Tensor = (1.0 + scale) * x + shift
        return modulated


class FastEncoder(nn.Module):
    """An LSTM over days whose inputs and outputs are modulated by the regime: one response function a regime.

    The regime is not an input beside the drivers: it changes what the drivers do (conditional inference).

    Parameters
    ----------
    layout : features of a batch; its window says which block closed before each day.
    condition : width of the condition, for each slow block.
    hidden : width of the LSTM.
    """

    def __init__(self, layout: Layout, condition: int, hidden: int) -> None:
        super().__init__()
        self.embed = nn.Linear(2 * len(layout.fast), hidden)
        self.before = FiLM(condition, hidden)
        self.days = nn.LSTM(hidden, hidden, batch_first=True)
        self.after = FiLM(condition, hidden)
        self.register_buffer("last_block", torch.from_numpy(layout.window.last_block()), persistent=False)
        self.last_block: Tensor

    def forward(self, batch: Batch, condition: Tensor) -> Tensor:
        """Encode the days (batch, day, hidden) under the condition (batch, month, width) of the last closed block."""
        daily = condition[:, self.last_block]
        drivers = self.embed(torch.cat([batch["fast"], batch["fast_mask"]], dim=-1))
        encoded, _ = self.days(torch.tanh(self.before(drivers, daily)))
        conditioned: Tensor = self.after(encoded, daily)
        return conditioned
