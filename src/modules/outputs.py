"""What a network says of each day, and how it is judged: the point forecast here, distributions beside it.

A head reads out ``parameters`` numbers a day and target; an output gives them their meaning. All is in scaled units,
shapes are (batch, day, target, parameter) for raw read-outs and (batch, day, target) for fluxes.
"""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor

from ..config.schema import HeadConfig
from .losses import masked_squared_error


class Output(Protocol):
    """The meaning of a read-out."""

    parameters: int  # numbers a day and target

    def loss(self, raw: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Return the mean loss over the days that count; 0 when none does."""
        ...

    def mean(self, raw: Tensor) -> Tensor:
        """Return the expected flux (batch, day, target)."""
        ...

    def quantiles(self, raw: Tensor, levels: Tensor) -> Tensor | None:
        """Return the quantiles (batch, day, target, level) at ``levels`` (level,); None of a point forecast."""
        ...


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


OUTPUTS: dict[str, Callable[[HeadConfig], Output]] = {"point": Point}
