"""Convert years of TEM-MDM's grids to a cube in a pool; print seconds and peak memory as JSON. A process of its own.

Called as ``python -P convert_once.py DATA POOL YEARS``.
"""

import json
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parent))  # at the end: what stands here shadows no package

from read_once import peak_bytes

FIRST = 1979


def main(data: str, pool: str, years: int) -> None:
    """Print ``seconds``, ``cells`` and ``peak_gb`` (1e9)."""
    from raciflux.config.sources import XMethaneWetSource
    from raciflux.pool.build import build
    from raciflux.pool.plan import Entry, Plan

    source = XMethaneWetSource(face="cells", first_year=FIRST, last_year=FIRST + years - 1)
    started = time.perf_counter()
    built = build(Plan(Path(data), Path(pool), (Entry("tem", source, "wetland_ch4"),)), 1, lambda *_: None)
    seconds = time.perf_counter() - started
    audit = json.loads((built.folder / "audit.json").read_text())
    print(json.dumps({"seconds": seconds, "cells": audit[0]["sites"], "peak_gb": peak_bytes() / 1e9}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
