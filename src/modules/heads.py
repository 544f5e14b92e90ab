"""From encoded days to a scaled flux."""

from torch import Tensor, nn


class FluxHead(nn.Module):
    """Dropout and one linear read-out a day.

    Parameters
    ----------
    hidden : width of the encoded days.
    dropout : dropout before the read-out.
    """

    def __init__(self, hidden: int, dropout: float) -> None:
        super().__init__()
        self.read = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden, 1))

    def forward(self, encoded: Tensor) -> Tensor:
        """Return the scaled flux (batch, day) of encoded days (batch, day, hidden)."""
        flux: Tensor = self.read(encoded)
        return flux.squeeze(-1)
