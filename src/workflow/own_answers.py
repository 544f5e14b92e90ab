"""Answers of a trained network at one site, given any of the site's own days."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..contracts import Batch
from ..datamodules.base import FluxDataModule
from ..datamodules.windows import cut, lay, tiling
from ..modules.flux_module import FluxModule
from ..modules.own_days import Evidence
from ..modules.raci import Raci

Floats = NDArray[np.float32]
Days = NDArray[np.bool_]


@dataclass(frozen=True)
class _Windows:
    """What the network makes of all windows of a site without a look at own fluxes."""

    site: int
    batch: Batch
    read: Tensor  # (window, day, target, parameter)
    encoded: Tensor  # (window, day, hidden)


class Beside(Protocol):
    """Another reading of own days: (site, what is said alone, shown) -> (day, target), in units, and its share."""

    def share(self, shown: Days) -> Floats: ...  # noqa: D102

    def __call__(self, site: int, alone: Floats, shown: Days) -> Floats: ...  # noqa: D102


class OwnAnswers:
    """Ask a network about a site again and again, each time with other own days shown.

    The windows of a site are encoded once. The lasting part of its errors is learned from the shown days of all its
    windows, each day counting once; the local part from those of the window that is answered.

    Parameters
    ----------
    module : a trained RACI with own days, its retrieval attached to the sites of ``data``.
    data : drivers and fluxes of the sites.
    device : where to compute.
    beside : other readings of the shown days, each averaged with what those before it say, the network first.
    """

    def __init__(
        self, module: FluxModule, data: FluxDataModule, device: torch.device, beside: Sequence[Beside] = ()
    ) -> None:
        assert isinstance(module.network, Raci)
        self.module, self.network = module.to(device).eval(), module.network
        self.data, self.arrays, self.device, self.beside = data, data.arrays.to(device), device, beside
        flux = torch.from_numpy(data.scaled_target())
        self.flux, self.known = torch.nan_to_num(flux), torch.isfinite(flux)  # (site, day, target)
        self.base = data.base
        self._encoded: _Windows | None = None

    @torch.no_grad()
    def __call__(self, site: int, shown: Days) -> tuple[Floats, Floats | None]:
        """Answer every day of a site on which a driver is known, in units.

        Parameters
        ----------
        site : place of the site in the cube.
        shown : (day, target) own fluxes that may be looked at; a missing flux is no shown one.

        Returns
        -------
        Flux (day, target), NaN where no driver is known, and its quantiles (day, target, level), None of a point.
        """
        windows, warmup = self._windows(site), self.data.window.warmup
        counts = torch.from_numpy(shown) & self.known[site]
        length = self.data.window.days
        own, own_mask = (
            cut(daily, windows.batch["day"], length).to(self.device) for daily in (self.flux[site] * counts, counts)
        )
        batch: Batch = {**windows.batch, "own": own, "own_mask": own_mask}
        read = self.network.informed(windows.read, windows.encoded, batch, self._evidence(windows, own, own_mask))
        scored, first = read[:, warmup:], windows.batch["day"] + warmup
        quantiles = self.module.quantiles(scored)
        base = self.base[site]
        flux = self._laid(self.module.flux(scored), first) + base
        spread = None if quantiles is None else self._laid(quantiles, first) + base[..., None]
        if not self.beside or not bool(counts.any()):
            return flux, spread
        alone, seen = self._laid(self.module.flux(windows.read[:, warmup:]), first) + base, counts.numpy()
        moved = flux
        for reading in self.beside:
            moved = moved + reading.share(seen) * (reading(site, alone, seen) - moved)
        by = moved - flux
        if self.module.balance is not None:
            moved = self.module.balance.closed(moved)
        return moved, None if spread is None else spread + by[..., None]

    def _evidence(self, windows: _Windows, own: Tensor, own_mask: Tensor) -> Evidence:
        """Add up what the windows say: each day is in the scored part of one of them."""
        assert self.network.own_days is not None
        once = own_mask.clone()
        once[:, : self.data.window.warmup] = False
        said = self.network.own_days.evidence(self.network.output.mean(windows.read), windows.encoded, own, once)
        return Evidence(*(part.sum(0, keepdim=True) for part in said))

    def _windows(self, site: int) -> _Windows:
        if self._encoded is None or self._encoded.site != site:
            days = torch.from_numpy(self.data.predictable[[site]])
            index = tiling(days, self.data.window, torch.zeros(1, dtype=torch.int64))
            index[:, 0] = site
            batch = self.arrays.gather(index.to(self.device), "test")
            self._encoded = _Windows(site, batch, *self.network.alone(batch))
        return self._encoded

    def _laid(self, scored: Tensor, first: Tensor) -> Floats:
        """Lay scored parts (window, scored, ...) on the days (day, ...) of the record."""
        days = np.full((len(self.data.cube["time"]), *scored.shape[2:]), np.nan, np.float32)
        lay(scored.float().cpu().numpy(), first.tolist(), days)
        return days
