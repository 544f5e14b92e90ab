"""Read FLUXNET2015 and make it ready for training; print seconds and peak memory as JSON. Run as a process of its own.

Called as ``python -P read_once.py ROOT``, so that imports are counted and nothing else weighs on the memory.
"""

import json
import sys
import time
from pathlib import Path


def main(root: str) -> None:
    """Print seconds ``importing``, ``reading`` and ``preparing``, ``site_days`` on the cube, and ``peak_gb`` (1e9)."""
    started = time.perf_counter()
    import numpy as np
    from raciflux.config.compose import compose
    from raciflux.workflow.prepare import fold_split, prepare, tower_data

    imported = time.perf_counter()
    config = compose(["experiment=fluxnet2015_gpp", f"data.root={root}"])
    prepared = prepare(config)
    read = time.perf_counter()
    tower_data(config, prepared, fold_split(config, prepared, 0), None)
    ready = time.perf_counter()
    peak = peak_bytes()
    daily = [variable for variable in prepared.towers.data_vars.values() if variable.ndim == 2]
    known = np.logical_or.reduce([np.isfinite(variable.to_numpy()) for variable in daily])
    measured = {
        "importing": imported - started,
        "reading": read - imported,
        "preparing": ready - read,
        "site_days": int(known.sum()),
        "peak_gb": peak / 1e9,
    }
    print(json.dumps(measured))


def peak_bytes() -> int:
    """Return the peak of resident memory of this process.

    Linux lets a child inherit its parent's ``ru_maxrss``, which would blame us for whoever started us; the high-water
    mark in /proc is this program's own.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main(sys.argv[1])
