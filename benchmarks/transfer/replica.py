"""A made-up X-MethaneWet in the published layout, for the data-sparse study where the real files are not at hand.

``python -m benchmarks.transfer.replica FOLDER`` writes ``FOLDER/X-MethaneWet``: a coarse grid of a made-up planet, 42
towers on it. A tower's flux follows its cell's wetland type, which models are told, times a factor that nobody is.
"""

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "datamodules" / "sources"))  # its tests write the same layout

from xmethanewet_layout import is_land, latitude, wetland_codes, write_grids, write_towers  # noqa: E402

FIRST, LAST = 2001, 2004
TOWERS, ROWS = 42, 24
HIDDEN = 0.3  # spread of the logarithm of the factor


def write_replica(folder: Path) -> Path:
    """Write both folders of the data set; the same files whenever it is called."""
    home = folder / "X-MethaneWet"
    write_grids(home / "TEM-MDM", range(FIRST, LAST + 1), ROWS)
    rng = np.random.default_rng(0)
    row, column = np.nonzero(is_land(ROWS) & (np.abs(latitude(ROWS)) < 70)[:, None])
    drawn = rng.permutation(len(row))[:TOWERS]
    names = [f"XX-{number:03d}" for number in range(TOWERS)]
    lat, lon = latitude(ROWS)[row[drawn]], (column[drawn] + 0.5) * 180 / ROWS - 180
    places = {name: (float(y), float(x), "WET") for name, y, x in zip(names, lat, lon, strict=True)}
    level = (4.0 + 6.0 * wetland_codes(ROWS)[row[drawn], column[drawn]]) * np.exp(HIDDEN * rng.standard_normal(TOWERS))
    write_towers(home / "FLUXNET-CH4", FIRST, LAST, names, places=places, levels=dict(zip(names, level, strict=True)))
    return home


if __name__ == "__main__":
    print(write_replica(Path(sys.argv[1])))
