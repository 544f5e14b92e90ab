"""Spells of days on which a driver stands higher than it did: how a network's response is asked for."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...contracts import Batch

SPELL, EVERY = 5, 60  # days of a spell, and from the start of one to that of the next


@dataclass(frozen=True)
class Driver:
    """A fast driver's place in a batch, and how it was scaled: ``value = scaled * std + mean``, in its unit."""

    place: int
    mean: float
    std: float

    def known(self, batch: Batch) -> Tensor:
        """Return the days (batch, day) on which it is known, bool."""
        return batch["fast_mask"][..., self.place] > 0

    def in_units(self, batch: Batch) -> Tensor:
        """Return its values (batch, day) in its unit; its mean where it is not known."""
        return batch["fast"][..., self.place] * self.std + self.mean


@dataclass(frozen=True)
class Spell:
    """Raises drivers by a step on a few days in a row, again and again over a window.

    Short spells, not a warmer or brighter window: what is known of a flux is its answer to the days' weather at a given
    state of place and season. Over weeks, warmth and light also dry the soil, and move the season. A few days leave the
    trailing means of slow inputs nearly as they were, so these stay. A finite step is taken and no derivative: one pass
    through a network then tells the response of each day to its own spell, where a gradient would add up those of all
    later days; and a step stands out of what half precision rounds away.

    Attributes
    ----------
    raised : drivers, and by how much each is raised, in its unit.
    judged : the driver that says where the response is known.
    low, high : the band of its values, in its unit and before it is raised, within which it is.
    """

    raised: tuple[tuple[Driver, float], ...]
    judged: Driver
    low: float
    high: float

    def put(self, batch: Batch) -> tuple[Batch, Tensor]:
        """Return the batch with spells in it, and the days (batch, day) of spells within the band, bool.

        When the first spell of a window starts is drawn from torch's own generator, which every training step seeds.
        """
        size, days = batch["fast"].shape[:2]
        device = batch["fast"].device
        first = torch.randint(EVERY, (size, 1), device=device)
        inside = (torch.arange(days, device=device) - first) % EVERY < SPELL
        step = torch.zeros_like(batch["fast"][0, 0])
        for driver, by in self.raised:
            step[driver.place] = by / driver.std
        fast = batch["fast"] + inside[..., None] * step * batch["fast_mask"]
        value = self.judged.in_units(batch)
        within = self.judged.known(batch) & (value >= self.low) & (value <= self.high)
        return {**batch, "fast": fast}, inside & within
