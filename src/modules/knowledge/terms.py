"""What is known of fluxes, each piece a penalty on what a network says: 0 where it obeys.

Penalties are hinges on the size of the fault over the flux's spread in training, as ReLU losses of physics-guided
networks are (Daw et al. 2017, arXiv 1710.11431, for a quantity that must rise with another; Liu et al. 2024,
doi:10.1038/s41467-023-43860-5, for the carbon balance). They look at no measured flux.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import relu

from ...contracts import Batch, TargetScale
from ...variables import CARBON, NET, SINK, SOURCE
from ..losses import among_ranks, masked_mean
from .spells import Driver, Spell

TOLERANCE = 0.01  # of the spread: a fault that is let pass in a response, which half precision cannot tell from none

# Carbon fixed for each photon at most: 0.106 mol mol-1, the yield of unstressed leaves in absorbed light (Bjoerkman and
# Demmig 1987, doi:10.1007/BF00402983); in gC m-2 d-1 for each umol m-2 s-1 of a day's mean of incident photons.
MOST_A_PHOTON = 0.106 * CARBON * 1e-6 * 86400.0


@dataclass(frozen=True)
class Said:
    """What a network says of a batch, and a way to ask it again.

    Attributes
    ----------
    batch : what it was asked.
    days : (batch, day) bool, the days that count.
    fluxes : each answer that it is judged by (batch, day, target), in units.
    again : returns the answers of the same network, with the same dropout, to another batch.
    """

    batch: Batch
    days: Tensor
    fluxes: Sequence[Tensor]
    again: Callable[[Batch], Sequence[Tensor]]

    def mean(self, faults: Sequence[Tensor], days: Tensor) -> Tensor:
        """Mean of the answers' faults (batch, day) over those of ``days`` that count; 0 when none does."""
        counted = days & self.days
        return among_ranks(torch.stack([masked_mean(fault, counted) for fault in faults]).mean(), counted.sum())


class Piece(Protocol):
    """One thing that is known."""

    def penalty(self, said: Said) -> Tensor:
        """Return by how much what is said breaks it, a scalar without unit; 0 where it obeys."""
        ...


@dataclass(frozen=True)
class Subject:
    """A flux that something is known of: a target, or the sum of several.

    Attributes
    ----------
    places : of the targets that add up to it.
    spread : standard deviation in training, in its unit; of a sum the mean of its parts'.
    """

    places: tuple[int, ...]
    spread: float

    @classmethod
    def among(cls, name: str, targets: Sequence[str], scales: Sequence[TargetScale]) -> "Subject":
        """Find a flux among the targets; where RECO is none of them, NEE + GPP imply it.

        Raises
        ------
        KeyError
            If the flux is neither a target nor implied.
        """
        implied = {SOURCE: (NET, SINK)}
        names = (name,) if name in targets else implied[name]
        places = tuple(targets.index(part) for part in names)
        return cls(places, sum(scales[place].spread for place in places) / len(places))

    def of(self, flux: Tensor) -> Tensor:
        """Return it (batch, day) from fluxes (batch, day, target), in units."""
        return torch.stack([flux[..., place] for place in self.places]).sum(0)


@dataclass(frozen=True)
class Within:
    """A flux stays between two bounds, in its unit: ``mean(relu(lowest - f) + relu(f - highest)) / spread``."""

    subject: Subject
    lowest: float
    highest: float = float("inf")

    def penalty(self, said: Said) -> Tensor:
        """Return the mean excess over the days that count."""
        fluxes = [self.subject.of(flux) for flux in said.fluxes]
        faults = [(relu(self.lowest - flux) + relu(flux - self.highest)) / self.subject.spread for flux in fluxes]
        return said.mean(faults, said.days)


@dataclass(frozen=True)
class WithinLight:
    """No more carbon is fixed than the day's photons can fix: ``mean(relu(f - MOST_A_PHOTON * photons)) / spread``.

    The bound is loose in bright light and tight in the dark, where it is 0.

    Attributes
    ----------
    light : the driver. photons : umol m-2 s-1 of photons for each of its unit.
    """

    subject: Subject
    light: Driver
    photons: float

    def penalty(self, said: Said) -> Tensor:
        """Return the mean excess over the days that count and whose light is known."""
        most = MOST_A_PHOTON * self.photons * self.light.in_units(said.batch).clamp(min=0.0)
        faults = [relu(self.subject.of(flux) - most) / self.subject.spread for flux in said.fluxes]
        return said.mean(faults, self.light.known(said.batch))


@dataclass(frozen=True)
class NotFalling:
    """A flux does not fall in a spell that raises a driver: ``mean(relu((f - f_in_spell) / spread - TOLERANCE))``."""

    subject: Subject
    spell: Spell

    def penalty(self, said: Said) -> Tensor:
        """Return the mean fall over the days that count, stand in a spell, and lie in the spell's band."""
        batch, days = self.spell.put(said.batch)
        pairs = zip(said.fluxes, said.again(batch), strict=True)
        falls = [(self.subject.of(before) - self.subject.of(under)) / self.subject.spread for before, under in pairs]
        return said.mean([relu(fall - TOLERANCE) for fall in falls], days)
