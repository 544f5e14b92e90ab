"""The fast encoder: daily drivers, read under the regime that conditions the response to them."""

import torch
from torch import Tensor, nn

from ...contracts import Batch, Layout
from .bodies import BODIES
from .conditioning import CONDITIONINGS


class FastEncoder(nn.Module):
    """A body over days whose inputs and outputs the regime conditions: one response function a regime.

    Parameters
    ----------
    layout : features of a batch; its window says which block closed before each day.
    condition : width of the condition, for each slow block.
    hidden : width of the body.
    body : how days are read, one of ``BODIES``.
    conditioning : how the condition acts, one of ``CONDITIONINGS``.
    dropout : dropout inside the body.
    daily : width of what else is known of each day, beside the drivers.
    """

    def __init__(
        self,
        layout: Layout,
        condition: int,
        hidden: int,
        body: str = "lstm",
        conditioning: str = "film",
        dropout: float = 0.0,
        daily: int = 0,
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(2 * len(layout.fast) + daily, hidden)
        self.before = CONDITIONINGS[conditioning](condition, hidden, layout)
        self.days = BODIES[body](hidden, hidden, dropout)
        self.after = CONDITIONINGS[conditioning](condition, hidden, layout)

    def forward(self, batch: Batch, condition: Tensor, *daily: Tensor) -> Tensor:
        """Encode the days (batch, day, hidden) under the condition (batch, month, width) of closed blocks.

        Parameters
        ----------
        daily : what else is known of each day (batch, day, width), if anything.
        """
        drivers = self.embed(torch.cat([batch["fast"], batch["fast_mask"], *daily], dim=-1))
        encoded = self.days(torch.tanh(self.before(drivers, condition)))
        conditioned: Tensor = self.after(encoded, condition)
        return conditioned
