"""Arrays that stay on one device, and the gather that cuts windows from them.

A loader yields only ``(site, first_day)``; everything else happens here, on the device that holds the arrays. Sites
stand one after the other in one long table of days, each padded so that no window reaches a neighbour: a window is
then one contiguous run of rows, and a batch is one ``index_select`` over a strided view.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from ..contracts import Batch, Layout

Part = Literal["train", "validation", "test"]  # which days a batch counts; of the test, none
COUNTS: dict[Part, int] = {"train": 1, "validation": 2}  # block of ``target`` that holds the part's mask


@dataclass(frozen=True)
class ResidentArrays:
    """Scaled inputs and target of every site, padded in time.

    Attributes
    ----------
    layout : places of the features, and the window.
    fast : (site * padded day, 2 * feature) values, then masks.
    slow : (site * padded day, 2 * slow feature) trailing means as of each day, then masks.
    target : (site * padded day, 3 * target) values, then whether they count in training, then in validation.
    static, static_mask : (site, static feature).
    classes : (site, class).
    days : padded days a site.
    pad : padded days before the cube's first.
    """

    layout: Layout
    fast: Tensor
    slow: Tensor
    target: Tensor
    static: Tensor
    static_mask: Tensor
    classes: Tensor
    days: int
    pad: int

    @classmethod
    def build(
        cls,
        layout: Layout,
        fast: Tensor,
        slow: Tensor,
        target: Tensor,
        train: Tensor,
        validation: Tensor,
        static: Tensor,
        classes: Tensor,
    ) -> "ResidentArrays":
        """Pad and pack.

        Parameters
        ----------
        fast, slow : (site, day, feature) scaled, NaN where missing.
        target : (site, day, target) scaled, anything where it does not count.
        train, validation : (site, day, target) bool, the values that count in each part.
        static : (site, static feature) scaled, NaN where missing.
        classes : (site, class) int64.
        """
        window = layout.window
        before = window.days + window.history * window.block_days
        after = window.days
        days = before + fast.shape[1] + after
        known_target = torch.where(train | validation, target, torch.zeros_like(target))
        return cls(
            layout,
            _packed(fast, before, after),
            _packed(slow, before, after),
            _pad([known_target, train, validation], before, after),
            torch.nan_to_num(static),
            torch.isfinite(static).float(),
            classes,
            days,
            before,
        )

    def to(self, device: torch.device) -> "ResidentArrays":
        """Move every array to a device; the arrays themselves if they are there already."""
        if self.fast.device == device:
            return self
        names = ("fast", "slow", "target", "static", "static_mask", "classes")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})

    def gather(self, index: Tensor, part: Part) -> Batch:
        """Cut one window for each row of ``index`` (batch, 2): site and first day (negative before the cube's first).

        Parameters
        ----------
        part : whose days count. Of the test no flux is shown at all; of a split in time, a training window shows none
            of the validation days that it may reach.

        Returns
        -------
        Batch : see ``contracts.Batch``; the target never counts in warm-up.
        """
        window = self.layout.window
        site, day = index[:, 0], index[:, 1]
        first_row = site * self.days + day + self.pad
        fast = windows(self.fast, window.days).index_select(0, first_row).view(len(index), window.days, -1)
        target = windows(self.target, window.days).index_select(0, first_row).view(len(index), window.days, -1)
        block = torch.arange(window.blocks, device=index.device) - window.history + 1
        slow_rows = (first_row - 1)[:, None] + (block * window.block_days)[None]
        slow = self.slow.index_select(0, slow_rows.reshape(-1)).view(len(index), window.blocks, -1)
        blocks = torch.split(target, len(self.layout.targets), dim=-1)
        counts = blocks[COUNTS[part]] > 0 if part in COUNTS else torch.zeros_like(blocks[0], dtype=torch.bool)
        counts[:, : window.warmup] = False
        n_fast, n_slow = len(self.layout.fast), len(self.layout.slow)
        return Batch(
            fast=fast[..., :n_fast],
            fast_mask=fast[..., n_fast:],
            slow=slow[..., :n_slow],
            slow_mask=slow[..., n_slow:],
            static=self.static[site],
            static_mask=self.static_mask[site],
            classes=self.classes[site],
            target=blocks[0] * counts,
            target_mask=counts,
            own=torch.zeros_like(blocks[0]),
            own_mask=torch.zeros_like(counts),
            site=site,
            day=day,
        )


def windows(table: Tensor, days: int) -> Tensor:
    """View (row, feature) as overlapping windows (first row, days * feature) without a copy.

    One window is then one contiguous run of memory, and a gather of windows runs at the speed of memory.
    """
    rows, features = table.shape
    return table.as_strided((rows - days + 1, days * features), (features, 1))


def _packed(values: Tensor, before: int, after: int) -> Tensor:
    """Lay values, 0 where missing, and whether they are known (site, day, feature) beside each other; see ``_pad``."""
    known = torch.isfinite(values)
    return _pad([torch.where(known, values, 0), known], before, after)


def _pad(parts: Sequence[Tensor], before: int, after: int) -> Tensor:
    """Pad days (site, day, feature) with zeros and put the sites one after the other: (site * padded day, features)."""
    sites, days, features = parts[0].shape[0], parts[0].shape[1], sum(part.shape[-1] for part in parts)
    table = parts[0].new_zeros(sites, before + days + after, features)
    first = 0
    for part in parts:
        last = first + part.shape[-1]
        table[:, before : before + days, first:last] = part
        first = last
    return table.view(-1, features)
