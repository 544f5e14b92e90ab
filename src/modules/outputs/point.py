"""One value a day."""

from torch import Tensor

from ...config.schema import HeadConfig
from ..losses import masked_squared_error


class Point:
    """One value a day: the conditional mean, under squared error."""

    parameters = 1

    def __init__(self, config: HeadConfig) -> None:
        del config  # a point has no settings

    def loss(self, raw: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Mean squared error."""
        return masked_squared_error(raw[..., 0], target, mask)

    def mean(self, raw: Tensor) -> Tensor:
        """Return the value itself."""
        return raw[..., 0]

    def quantiles(self, raw: Tensor, levels: Tensor) -> None:
        """Return nothing: a point does not know its spread."""
        return

    def moved(self, raw: Tensor, by: Tensor) -> Tensor:
        """Add to the value."""
        return raw + by[..., None]
