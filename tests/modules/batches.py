"""Made-up layouts and batches for tests of networks: no cube, no data module."""

from collections.abc import Sequence

import numpy as np
import torch
from raciflux.contracts import Batch, Layout, WindowLayout
from torch import Tensor

WINDOW = WindowLayout(warmup=20, scored=45, block_days=15, history=3)
NAMES = {"targets": ("GPP", "NEE"), "fast": ("TA", "SW", "VPD"), "static": ("elevation", "mat")}
CLASSES = {"igbp": 4, "koppen": 3}  # number of codes


def made_up_layout(targets: int = 2, places: bool = True, window: WindowLayout = WINDOW) -> Layout:
    """A layout of three drivers and their slow means; without ``places`` it has neither statics nor classes."""
    fast = NAMES["fast"]
    return Layout(
        targets=NAMES["targets"][:targets],
        fast=fast,
        slow=tuple(f"{name}_{days}d" for days in (30, 365) for name in fast),
        static=NAMES["static"] if places else (),
        classes=tuple(CLASSES) if places else (),
        class_sizes=tuple(CLASSES.values()) if places else (),
        window=window,
    )


def made_up_batch(layout: Layout, size: int = 12, missing: float = 0.1, seed: int = 0) -> Batch:
    """Normal noise for everything; a share of the values is NaN first, then 0 and marked, as ``contracts`` says."""
    rng = np.random.default_rng(seed)

    def with_gaps(*shape: int) -> tuple[Tensor, Tensor]:
        values = rng.normal(size=shape)
        values[rng.random(shape) < missing] = np.nan
        tensor = torch.tensor(values, dtype=torch.float32)
        return torch.nan_to_num(tensor), torch.isfinite(tensor).float()

    window = layout.window
    fast, fast_mask = with_gaps(size, window.days, len(layout.fast))
    slow, slow_mask = with_gaps(size, window.blocks, len(layout.slow))
    static, static_mask = with_gaps(size, len(layout.static))
    codes = [rng.integers(0, count, size) for count in layout.class_sizes]
    target, known = with_gaps(size, window.days, len(layout.targets))
    counts = known.bool() & (torch.arange(window.days) >= window.warmup)[None, :, None]
    return Batch(
        fast=fast,
        fast_mask=fast_mask,
        slow=slow,
        slow_mask=slow_mask,
        static=static,
        static_mask=static_mask,
        classes=torch.tensor(np.stack(codes, 1) if codes else np.zeros((size, 0)), dtype=torch.int64),
        target=target * counts,
        target_mask=counts,
        own=torch.zeros_like(target),
        own_mask=torch.zeros_like(counts),
        site=torch.arange(size),
        day=torch.full((size,), 420),
    )


def rows(batch: Batch, chosen: Sequence[int]) -> Batch:
    """The windows of a batch at the places ``chosen``, in that order."""
    return Batch(**{name: value[list(chosen)] for name, value in batch.items()})  # type: ignore[typeddict-item]


def future_changed(batch: Batch, layout: Layout, day: int, seed: int = 1) -> Batch:
    """Other drivers after ``day`` of the window, gaps closed and made, and other slow blocks where these end later."""
    window = layout.window
    other = made_up_batch(layout, len(batch["site"]), missing=0.5, seed=seed)
    later_days = torch.arange(window.days) > day
    last_day_of_block = (torch.arange(window.blocks) - window.history + 1) * window.block_days - 1
    later = {"fast": later_days, "slow": last_day_of_block > day}
    changed = dict(batch)
    for role, is_later in later.items():
        for name in (role, f"{role}_mask"):
            changed[name] = torch.where(is_later[None, :, None], 3.0 * other[name], batch[name])  # type: ignore[literal-required]
    return Batch(**changed)  # type: ignore[typeddict-item]
