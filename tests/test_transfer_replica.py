"""The made-up replica of X-MethaneWet's files, which a study of transfer runs on."""

import sys
from pathlib import Path

import numpy as np
from raciflux.config.sources import XMethaneWetSource
from raciflux.datamodules.sources import read

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.transfer.replica import FIRST, TOWERS, write_replica


def test_the_replica_has_towers_and_cells_that_the_reader_takes(tmp_path):
    write_replica(tmp_path)
    source = {"path": "X-MethaneWet", "first_year": FIRST, "last_year": FIRST}
    towers = read("wetland_ch4", XMethaneWetSource(face="towers", **source), tmp_path)
    cells = read("wetland_ch4", XMethaneWetSource(face="cells", cells=9, **source), tmp_path)
    assert (towers.sizes["site"], cells.sizes["site"]) == (TOWERS, 9)
    assert all(np.isfinite(cube["FCH4"].to_numpy()).any(axis=1).all() for cube in (towers, cells))
