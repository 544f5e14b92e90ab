"""Predict a stored cube with a finished run; print seconds and peak memory as JSON. A process of its own.

Called as ``python -P predict_once.py RUN CUBE OUTPUT THREADS``.
"""

import json
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parent))  # at the end: what stands here shadows no package

from read_once import peak_bytes


def main(run: str, cube: str, output: str, threads: int) -> None:
    """Print ``seconds`` and ``peak_gb`` (1e9), of imports too the latter."""
    import torch
    from raciflux.workflow.apply import finished_run, read_places
    from raciflux.workflow.blocks import predict_in_blocks
    from raciflux.workflow.stages import quiet

    quiet()
    torch.set_num_threads(threads)
    started = time.perf_counter()
    predict_in_blocks(finished_run(Path(run)), read_places(Path(run), [f"data={cube}"]), Path(output))
    print(json.dumps({"seconds": time.perf_counter() - started, "peak_gb": peak_bytes() / 1e9}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
