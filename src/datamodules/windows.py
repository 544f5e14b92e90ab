"""Which windows are drawn: random tilings for training, one fixed tiling for everything that is scored."""

from collections.abc import Iterator

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
    """Windows whose scored parts tile each site's days once, in order; split over ranks without padding or repeats."""

    def __init__(
        self, counts: NDArray[np.bool_], window: WindowLayout, batch_size: int, rank: int = 0, world: int = 1
    ) -> None:
        self.index = tiling(torch.as_tensor(counts), window, torch.zeros(len(counts), dtype=torch.int64))[rank::world]
        self.batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self.index) // self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        return iter(torch.split(self.index, self.batch_size))


class RandomTiling(Sampler[Tensor]):
    """Windows of one epoch: each site is tiled from a random offset, so every training day counts once an epoch.

    The draw depends on ``seed`` and epoch alone, and each rank takes its share of every global batch.
    """

    def __init__(
        self, counts: NDArray[np.bool_], window: WindowLayout, batch_size: int, seed: int, rank: int = 0, world: int = 1
    ) -> None:
        self.counts = torch.as_tensor(counts)
        self.window = window
        self.batch_size = batch_size
        self.seed = seed
        self.rank, self.world = rank, world
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning tells the epoch before each pass."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self._draw()) // self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        for batch in torch.split(self._draw(), self.batch_size):
            share = batch[self.rank :: self.world]
            # A last batch smaller than the number of ranks: the ranks without a share repeat its first window.
            yield share if len(share) else batch[:1]

    def _draw(self) -> Tensor:
        rng = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        offset = torch.randint(0, self.window.scored, (len(self.counts),), generator=rng)
        index = tiling(self.counts, self.window, offset)
        return index[torch.randperm(len(index), generator=rng)]


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
