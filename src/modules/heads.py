"""From encoded days to what is said of each flux."""

from torch import Tensor, nn

from ..config.schema import HeadConfig
from ..contracts import Layout
from .outputs import OUTPUTS


class FluxHead(nn.Module):
    """Dropout and one linear read-out a day: as many numbers a target as the output of ``config`` needs.

    Parameters
    ----------
    hidden : width of the encoded days.
    layout : names the targets.
    config : what is said of each day.
    dropout : dropout before the read-out.
    """

    def __init__(self, hidden: int, layout: Layout, config: HeadConfig, dropout: float) -> None:
        super().__init__()
        self.shape = (len(layout.targets), OUTPUTS[config.kind](config).parameters)
        self.read = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden, self.shape[0] * self.shape[1]))

    def forward(self, encoded: Tensor) -> Tensor:
        """Return the read-out (batch, day, target, parameter), scaled, of encoded days (batch, day, hidden)."""
        raw: Tensor = self.read(encoded)
        return raw.view(*raw.shape[:-1], *self.shape)
