"""Batches of daily drivers a second: our resident gather against items collated one by one."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from raciflux.datamodules.base import FluxDataModule
from raciflux.datamodules.windows import Indices
from torch import Tensor
from torch.utils.data import DataLoader

from .loaders import FrameItems, ResidentGather, ShuffledIndices, TensorItems, Window, collated
from .made_up import DAYS, WINDOW, data_module, driver_table
from .settings import Settings
from .timing import Bar, Row, Spread, paired, rates, torch_threads

ITEM_BAR = {1: Bar(1.3, at_least=True), 2: Bar(2.0, at_least=True)}
FRAME_BAR = Bar(50.0, at_least=True)
FRAME_SHARE = 8  # frames are slow: a round takes this part of the batches

OURS = "resident gather"
ITEM = "against per-item Dataset of a resident tensor"
FRAME = "against DataFrame.loc[first:last].to_numpy() per item, a frame of drivers alone"
COLUMNS = "against DataFrame.loc[first:last, drivers].to_numpy() per item, a frame that also holds the target"
WHOLE = "resident gather of whole batches: masks, slow inputs and target too"


def measure(settings: Settings, threads: Sequence[int]) -> list[Row]:
    """Measure each number of threads.

    Only values are gathered on either side, no masks or targets, except in the last row, which nothing is compared to.
    """
    drivers = driver_table(settings.sites, settings.seed)
    data = data_module(settings.sites, settings.batch, settings.seed)
    rows = []
    with warnings.catch_warnings():
        # pandas 3 hands out read-only arrays; default collate copies them and writes to none.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        for count in threads:
            with torch_threads(count):
                rows += _rows(settings, drivers, data, count)
    return rows


def choose_windows(settings: Settings, batches: int) -> list[Window]:
    """Draw the windows of a round."""
    rng = torch.Generator().manual_seed(settings.seed)
    size = (batches * settings.batch,)
    site = torch.randint(0, settings.sites, size, generator=rng)
    first = torch.randint(0, DAYS - WINDOW + 1, size, generator=rng)
    return list(zip(site.tolist(), first.tolist(), strict=True))


def value_loaders(settings: Settings, drivers: Tensor, batches: int) -> dict[str, Iterable[Tensor]]:
    """Return the four ways of making the same batches of values."""
    chosen, batch, seed = choose_windows(settings, batches), settings.batch, settings.seed
    return {
        OURS: ResidentGather(drivers, chosen, batch, seed),
        ITEM: collated(TensorItems(drivers, chosen), batch, seed),
        FRAME: collated(FrameItems(drivers, chosen, with_columns=False), batch, seed),
        COLUMNS: collated(FrameItems(drivers, chosen, with_columns=True), batch, seed),
    }


def _rows(settings: Settings, drivers: Tensor, data: FluxDataModule, threads: int) -> list[Row]:
    many = value_loaders(settings, drivers, settings.batches)
    few = value_loaders(settings, drivers, max(settings.batches // FRAME_SHARE, 1))
    whole = _whole(settings, data)
    loaders = {OURS: many[OURS], ITEM: many[ITEM], FRAME: few[FRAME], COLUMNS: few[COLUMNS]}
    speed = rates({name: _epoch(loader) for name, loader in loaders.items()} | {WHOLE: whole}, settings.rounds)
    median = {name: Spread.of(of_side).median for name, of_side in speed.items()}
    bars = {ITEM: ITEM_BAR.get(threads), FRAME: FRAME_BAR, COLUMNS: FRAME_BAR}
    rows = [
        Row(name, threads, median[OURS], median[name], "windows/s", paired(speed[OURS], speed[name]), bar)
        for name, bar in bars.items()
    ]
    return [*rows, Row(WHOLE, threads, median[WHOLE], None, "windows/s")]


def _epoch(loader: Iterable[Tensor]) -> Callable[[], int]:
    return lambda: sum(len(batch) for batch in loader)


def _whole(settings: Settings, data: FluxDataModule) -> Callable[[], int]:
    chosen = choose_windows(settings, settings.batches)
    loader: DataLoader[Any] = DataLoader(
        Indices(), sampler=ShuffledIndices(chosen, settings.batch, settings.seed), batch_size=None
    )
    return lambda: sum(len(data.arrays.gather(index, "train")["site"]) for index in loader)
