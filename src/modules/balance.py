"""The carbon balance: who predicts GPP, RECO and NEE together predicts NEE = RECO - GPP."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..contracts import Array
from ..variables import NET, SINK, SOURCE


@dataclass(frozen=True)
class Balance:
    """Derives the net flux from the two gross ones, whatever a model said of it.

    Attributes
    ----------
    net, source, sink : places of NEE, RECO and GPP among the targets.
    """

    net: int
    source: int
    sink: int

    @classmethod
    def among(cls, targets: Sequence[str]) -> "Balance | None":
        """Return the balance of targets that hold all three fluxes, else None."""
        if not {NET, SOURCE, SINK} <= set(targets):
            return None
        return cls(targets.index(NET), targets.index(SOURCE), targets.index(SINK))

    def closed(self, flux: Array) -> Array:
        """Put RECO - GPP in the place of NEE; missing where either is.

        Parameters
        ----------
        flux : (..., target) in units, which the three share.
        """
        net = flux[..., self.source] - flux[..., self.sink]
        parts = [flux[..., : self.net], net[..., None], flux[..., self.net + 1 :]]
        return torch.cat(parts, -1) if isinstance(flux, Tensor) else np.concatenate(parts, -1)

    def read_out(self, raw: Tensor, in_units: Callable[[Tensor], Tensor], scaled: Callable[[Tensor], Tensor]) -> Tensor:
        """Derive the read-out of NEE from those of RECO and GPP, so that a loss on NEE trains the two.

        Parameters
        ----------
        raw : (batch, day, target, 1), scaled: of a point forecast. The difference of two distributions would need
            what they say of each other.
        in_units, scaled : turn scaled fluxes (..., target) into units, and back.
        """
        if raw.shape[-1] != 1:
            raise ValueError(f"a balance is kept by point forecasts, not by {raw.shape[-1]} numbers a day and target")
        derived = scaled(self.closed(in_units(raw[..., 0])))[..., self.net : self.net + 1, None]
        return torch.cat([raw[..., : self.net, :], derived.to(raw.dtype), raw[..., self.net + 1 :, :]], -2)
