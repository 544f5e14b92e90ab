"""Time an LSTM's forward and backward pass; print milliseconds as JSON. Run as a process of its own.

Called as ``python -P step_once.py BATCH``: how OpenMP's threads wait is read from the environment as torch is loaded.
"""

import json
import statistics
import sys
import time


def main(batch: int) -> None:
    """Print the median of some steps, after one that does not count."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    network, windows = nn.LSTM(28, 64, batch_first=True), torch.randn(batch, 365, 28)
    seconds = []
    for _ in range(8):
        started = time.perf_counter()
        network(windows)[0].square().mean().backward()
        seconds.append(time.perf_counter() - started)
    print(json.dumps(1000 * statistics.median(seconds[1:])))


if __name__ == "__main__":
    main(int(sys.argv[1]))
