"""Which windows are drawn: random tilings for training, one fixed tiling for everything that is scored."""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Sampler

from ..contracts import WindowLayout


class Indices(torch.utils.data.Dataset[Tensor]):
    """The identity: a sampler hands whole batches of ``(site, first_day)`` through the loader."""

    def __getitem__(self, index: Tensor) -> Tensor:
        """Return the batch of indices as it came."""
        return index


class FixedTiling(Sampler[Tensor]):
    """Windows whose scored parts tile each site's days once, in order; split over ranks without repeats.

    A rank that would be left without a window gets one in which no day counts: all ranks have to take part.
    """

    def __init__(
        self, counts: NDArray[np.bool_], window: WindowLayout, batch_size: int, rank: int = 0, world: int = 1
    ) -> None:
        index = tiling(torch.as_tensor(counts), window, torch.zeros(len(counts), dtype=torch.int64))
        self.index = _share(index, window, rank, world) if len(index) else index
        self.batch_size = max(1, batch_size // world)

    def __len__(self) -> int:
        return -(-len(self.index) // self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        return iter(_batches(self.index, self.batch_size))


class RandomTiling(Sampler[Tensor]):
    """An endless stream of windows: epoch after epoch, each site tiled from a random offset.

    Every training day counts once an epoch. The n-th batch depends on ``seed`` and n alone, so a resumed training goes
    on with the windows it would have drawn. Each rank takes its share of every global batch.

    Parameters
    ----------
    counts : (site, day) bool, training days.
    start : number of batches that were drawn before.
    """

    def __init__(
        self,
        counts: NDArray[np.bool_],
        window: WindowLayout,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
        start: int = 0,
    ) -> None:
        self.counts = torch.as_tensor(counts)
        self.window = window
        self.batch_size = batch_size
        self.seed = seed
        self.rank, self.world = rank, world
        self.start = start

    def __iter__(self) -> Iterator[Tensor]:
        if not self.counts.any():
            return
        stream = (batch for n in itertools.count() for batch in _batches(self.epoch(n), self.batch_size))
        for batch in itertools.islice(stream, self.start, None):
            yield _share(batch, self.window, self.rank, self.world)

    def epoch(self, number: int) -> Tensor:
        """Draw the windows (window, 2) of one epoch: site and first day."""
        rng = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
        offset = torch.randint(0, self.window.scored, (len(self.counts),), generator=rng)
        index = tiling(self.counts, self.window, offset)
        return index[torch.randperm(len(index), generator=rng)]


def _share(index: Tensor, window: WindowLayout, rank: int, world: int) -> Tensor:
    """Return a rank's windows; where there are fewer than ranks, the rest get one that ends before the record."""
    share = index[rank::world]
    return share if len(share) else torch.stack([index[0, 0], index.new_tensor(-window.days)])[None]


def _batches(index: Tensor, size: int) -> tuple[Tensor, ...]:
    """Cut into batches; ``torch.split`` alone would make one empty batch of nothing."""
    return torch.split(index, size) if len(index) else ()


def tiling(counts: Tensor, window: WindowLayout, offset: Tensor) -> Tensor:
    """Tile each site's days with scored parts and keep the windows in which a day counts.

    Parameters
    ----------
    counts : (site, day) bool, days that count.
    offset : (site,) days, less than ``window.scored``, by which the tiling starts early.

    Returns
    -------
    index : (window, 2) int64, site and first day (of warm-up, so possibly negative).
    """
    sites, days = counts.shape
    tiles = days // window.scored + 2
    first_scored = torch.arange(tiles)[None] * window.scored - offset[:, None]
    before = torch.nn.functional.pad(counts.long().cumsum(1), (1, 0))
    start = first_scored.clamp(0, days)
    stop = (first_scored + window.scored).clamp(0, days)
    kept = before.gather(1, stop) > before.gather(1, start)
    site = torch.arange(sites)[:, None].expand(sites, tiles)
    return torch.stack([site[kept], (first_scored - window.warmup)[kept]], dim=1)


def cut(daily: Tensor, first: Tensor, days: int) -> Tensor:
    """Cut windows (window, day, ...) out of a record (day, ...); outside of it they hold zeros.

    Parameters
    ----------
    first : (window,) first day of each, possibly negative.
    days : length of a window.
    """
    day = first.cpu()[:, None] + torch.arange(days)
    inside = ((day >= 0) & (day < len(daily))).view(*day.shape, *[1] * (daily.ndim - 1))
    values = daily[day.clamp(0, len(daily) - 1)]
    return torch.where(inside, values, torch.zeros_like(values))


def lay(scored: NDArray[np.float32], first: Iterable[int], record: NDArray[np.float32]) -> None:
    """Lay the scored parts (window, scored, ...) of windows on a record (day, ...), cut at both of its ends.

    Parameters
    ----------
    first : first scored day of each window.
    """
    for start, values in zip(first, scored, strict=True):
        low, high = max(start, 0), min(start + len(values), len(record))
        record[low:high] = values[low - start : high - start]
