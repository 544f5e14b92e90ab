"""Four ways of making the same shuffled batches (batch, day, feature) of windows: ours, and three that peers use.

Each is given the list of windows in the form that suits it best, and the first epoch of a seed comes in the same order,
so that the batches can be compared number by number.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd  # type: ignore[import-untyped]  # its stubs are a package of their own
import torch
from numpy.typing import NDArray
from raciflux.datamodules.resident import windows
from raciflux.datamodules.windows import Indices
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler, Sampler

from .made_up import DRIVERS, WINDOW

Window = tuple[int, int]  # site, first day


class ShuffledIndices(Sampler[Tensor]):
    """Whole batches of windows (batch, 2) in random order."""

    def __init__(self, chosen: Sequence[Window], batch: int, seed: int) -> None:
        self.index = torch.tensor(chosen)
        self.batch = batch
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[Tensor]:
        order = torch.randperm(len(self.index), generator=self.generator)
        return iter(torch.split(self.index[order], self.batch))


class TensorItems(Dataset[Tensor]):
    """One window an item, sliced from the resident tensor (site, day, feature)."""

    def __init__(self, drivers: Tensor, chosen: Sequence[Window]) -> None:
        self.drivers, self.chosen = drivers, chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, item: int) -> Tensor:
        """Return (day, feature), a view."""
        site, first = self.chosen[item]
        return self.drivers[site, first : first + WINDOW]


class FrameItems(Dataset[NDArray[Any]]):
    """One window an item, sliced by date from the data frame of its site.

    Parameters
    ----------
    with_columns : the frame also holds the target, as frames read from files do, and an item names its drivers;
        otherwise the frame holds the drivers alone.
    """

    def __init__(self, drivers: Tensor, chosen: Sequence[Window], with_columns: bool) -> None:
        dates = pd.date_range("2000-01-01", periods=drivers.shape[1])
        names = list(DRIVERS)
        self.frames = [pd.DataFrame(of_site.numpy(), index=dates, columns=names) for of_site in drivers]
        if with_columns:
            self.frames = [frame.assign(GPP=0.0) for frame in self.frames]
        self.columns = names if with_columns else None
        self.chosen = [(site, dates[first], dates[first + WINDOW - 1]) for site, first in chosen]

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, item: int) -> NDArray[Any]:
        """Return (day, feature)."""
        site, first, last = self.chosen[item]
        days = self.frames[site].loc
        values: NDArray[Any] = (days[first:last] if self.columns is None else days[first:last, self.columns]).to_numpy()
        return values


class ResidentGather:
    """Ours: the loader yields indices, and one ``index_select`` over a strided view makes the batch."""

    def __init__(self, drivers: Tensor, chosen: Sequence[Window], batch: int, seed: int) -> None:
        self.days = drivers.shape[1]
        self.windows = windows(drivers.reshape(-1, drivers.shape[-1]), WINDOW)
        self.loader = DataLoader(Indices(), sampler=ShuffledIndices(chosen, batch, seed), batch_size=None)

    def __iter__(self) -> Iterator[Tensor]:
        for index in self.loader:
            first_row = index[:, 0] * self.days + index[:, 1]
            yield self.windows.index_select(0, first_row).view(len(index), WINDOW, -1)


def collated(dataset: Dataset[Any], batch: int, seed: int) -> DataLoader[Any]:
    """Return the loader that peers use: per item, shuffled, default collate, in the training process."""
    order = RandomSampler(dataset, generator=torch.Generator().manual_seed(seed))  # type: ignore[arg-type]
    return DataLoader(dataset, batch_size=batch, sampler=order, num_workers=0)
