"""What a prediction cannot be faster than: its bytes at this machine's copying rate, its products at that of matmul."""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from .timing import torch_threads

ROUNDS = 5
SIDE = 1536  # of the square matrices
COPIED = 256 * 2**20  # bytes, larger than any cache


@dataclass(frozen=True)
class Machine:
    """Rates of this machine with a number of threads, medians of a few rounds."""

    flops: float  # float32, a second
    copied: float  # bytes a second, read and written again in memory
    written: float  # bytes a second, to the disk of a folder, down to the device

    @classmethod
    def measured(cls, threads: int, folder: Path) -> "Machine":
        """Measure it now: the load of the moment weighs on both sides."""
        a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
        source, target = torch.zeros(COPIED // 4), torch.zeros(COPIED // 4)
        with torch_threads(threads):
            product, copy = _median(lambda: torch.mm(a, b)), _median(lambda: target.copy_(source))
        return cls(2 * SIDE**3 / product, COPIED / copy, COPIED / _median(lambda: _write(folder / "written")))

    def seconds(self, flops: float, read: float, written: float) -> float:
        """Return the time of floating-point operations, of bytes read from memory, and of bytes that the disk takes."""
        return flops / self.flops + read / self.copied + written / self.written


def lstm_flops(inputs: int, hidden: int) -> int:
    """Count a day of an LSTM: four gates, each a product with inputs and with state, a multiply and an add."""
    return 8 * hidden * (hidden + inputs)


def _median(run: Callable[[], object]) -> float:
    seconds = []
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


def _write(path: Path) -> None:
    with path.open("wb") as file:
        file.write(np.zeros(COPIED, np.uint8).data)
        file.flush()
        os.fsync(file.fileno())
