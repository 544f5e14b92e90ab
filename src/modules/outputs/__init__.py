"""What a network says of each day, and how it is judged: a point forecast, quantiles, or a mixture of normals.

A head reads out ``parameters`` numbers a day and target; an output gives them their meaning. All is in scaled units,
shapes are (batch, day, target, parameter) for raw read-outs and (batch, day, target) for fluxes.
"""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor

from ...config.schema import HeadConfig
from .mixture import Mixture
from .point import Point
from .quantiles import Quantiles


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

    def moved(self, raw: Tensor, by: Tensor) -> Tensor:
        """Return the read-out whose flux lies higher by ``by`` (batch, day, target)."""
        ...


OUTPUTS: dict[str, Callable[[HeadConfig], Output]] = {"point": Point, "quantile": Quantiles, "mixture": Mixture}
