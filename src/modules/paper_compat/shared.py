"""The faults that all of the published networks share: what they read, and which batches they learn from."""

import torch
from torch import Tensor, nn

from ...contracts import Batch, Layout


class PaperNetwork(nn.Module):
    """A network that takes class codes for quantities and learns nothing from a batch with a gap in its labels.

    Fault: a code is z-scored as if it were a number, so the order in which classes were numbered shapes the response.
    The published scaler takes mean and spread of the codes from the data; here each code counts once, which a linear
    layer cannot tell apart. Fault: missing inputs are not marked, 0 (the mean) stands for them.

    Parameters
    ----------
    layout : features and window of a batch.
    """

    code_mean: Tensor
    code_std: Tensor

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.warmup = layout.window.warmup
        sizes = torch.tensor(layout.class_sizes, dtype=torch.float32)
        self.statics = len(layout.static) + len(sizes)
        self.features = self.statics + len(layout.fast)
        self.register_buffer("code_mean", (sizes - 1) / 2, persistent=False)
        self.register_buffer("code_std", ((sizes.square() - 1) / 12).sqrt().clamp(min=1e-6), persistent=False)

    def place(self, batch: Batch) -> Tensor:
        """Return statics and z-scored class codes (batch, static)."""
        codes = (batch["classes"] - self.code_mean) / self.code_std
        return torch.cat([batch["static"], codes], dim=-1)

    def inputs(self, batch: Batch) -> Tensor:
        """Return all inputs (batch, day, feature): the statics repeated each day, then the drivers."""
        place = self.place(batch)[:, None].expand(-1, batch["fast"].shape[1], -1)
        return torch.cat([place, batch["fast"]], dim=-1)

    def training_mask(self, mask: Tensor) -> Tensor:
        """Return which labels (batch, day, target) are learned from: all of the batch, or none if any day lacks one.

        Fault: one missing day among all windows of a batch discards the whole batch.
        """
        return mask & mask[:, self.warmup :].all()
