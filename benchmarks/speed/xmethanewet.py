"""Batches of simulated years a second: our resident gather against the way of the code published with X-MethaneWet.

That way (arXiv 2505.18355) keeps a file of samples (sample, day, feature) for each year and one of targets. An item
opens both as memory maps, takes one sample, standardises it in float64 and copies it into a float32 tensor; PyTorch's
default collate makes the batch. This is our own version of it. It reads from the page cache, which favours it. Ours
standardised the drivers once, when they were made resident. Both give the same drivers and targets in the same order.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from .loaders import ResidentGather, Window, collated
from .made_up import DAYS, WINDOW, driver_table
from .settings import Settings
from .timing import Bar, Row, Spread, paired, rates, torch_threads

BAR = Bar(80.0, at_least=True)
SHARE = 16  # their side is slow: a round takes this part of the batches
YEARS = DAYS // WINDOW
THEIR_BATCH = 128
OURS, THEIRS = "resident gather", "memory map per item"
FLUX = 1.0 / 23  # their targets are divided by 23

Pair = tuple[Tensor, Tensor]  # drivers (batch, day, feature), targets (batch, day)


class MappedItems(Dataset[Pair]):
    """One simulated year an item, read from the file of its year."""

    def __init__(self, folder: Path, chosen: Sequence[Window], mean: Tensor, std: Tensor) -> None:
        self.drivers = [folder / f"drivers{year}.npy" for year in range(YEARS)]
        self.fluxes = [folder / f"fluxes{year}.npy" for year in range(YEARS)]
        self.chosen = [(site, first // WINDOW) for site, first in chosen]
        self.mean, self.std = mean.double().numpy(), std.double().numpy()

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, item: int) -> Pair:
        """Return drivers (day, feature) and targets (day,)."""
        site, year = self.chosen[item]
        drivers = (np.load(self.drivers[year], mmap_mode="r")[site] - self.mean) / self.std
        flux = np.load(self.fluxes[year], mmap_mode="r")[site] * FLUX
        return torch.tensor(drivers, dtype=torch.float32), torch.tensor(flux, dtype=torch.float32)


class ResidentPairs:
    """Ours: drivers and targets beside each other in one resident table, gathered together."""

    def __init__(self, table: Tensor, chosen: Sequence[Window], batch: int, seed: int) -> None:
        self.gather = ResidentGather(table, chosen, batch, seed)

    def __iter__(self) -> Iterator[Pair]:
        for both in self.gather:
            yield both[..., :-1], both[..., -1]


def measure(settings: Settings, threads: Sequence[int]) -> list[Row]:
    """Measure each number of threads."""
    with tempfile.TemporaryDirectory() as folder:
        many, few = (loaders(settings, n, Path(folder)) for n in (settings.batches, max(settings.batches // SHARE, 1)))
        rows = []
        for count in threads:
            with torch_threads(count):
                measured = rates({OURS: _windows(many[OURS]), THEIRS: _windows(few[THEIRS])}, settings.rounds)
            ours, theirs = (measured[name] for name in (OURS, THEIRS))
            medians = [Spread.of(of_side).median for of_side in (ours, theirs)]
            rows.append(Row(f"against a {THEIRS}", count, *medians, "windows/s", paired(ours, theirs), BAR))
    return rows


def loaders(settings: Settings, batches: int, folder: Path) -> dict[str, Iterable[Pair]]:
    """Return both ways of making the same batches, theirs from files that are written to ``folder``."""
    table = driver_table(settings.sites, settings.seed)
    flux = table.mean(-1, keepdim=True)
    mean, std = table.mean((0, 1)), table.std((0, 1))
    for year in range(YEARS):
        days = slice(year * WINDOW, (year + 1) * WINDOW)
        np.save(folder / f"drivers{year}.npy", table[:, days].numpy())
        np.save(folder / f"fluxes{year}.npy", flux[:, days, 0].numpy())
    rng = torch.Generator().manual_seed(settings.seed)
    batch = min(settings.batch, THEIR_BATCH)
    size = (batches * batch,)
    site, year_of = torch.randint(0, settings.sites, size, generator=rng), torch.randint(0, YEARS, size, generator=rng)
    chosen = list(zip(site.tolist(), (year_of * WINDOW).tolist(), strict=True))
    return {
        OURS: ResidentPairs(torch.cat([(table - mean) / std, flux * FLUX], -1), chosen, batch, settings.seed),
        THEIRS: collated(MappedItems(folder, chosen, mean, std), batch, settings.seed),
    }


def _windows(loader: Iterable[Pair]) -> Callable[[], int]:
    return lambda: sum(len(drivers) for drivers, _ in loader)
