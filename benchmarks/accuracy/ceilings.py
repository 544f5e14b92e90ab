"""What looking at neighbours can win in an embedded world, before any model is trained.

``python -m benchmarks.accuracy.ceilings`` prints the table of ``docs/simulation.md``.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from raciflux.config.sources import EmbeddedSource
from raciflux.evaluation.metrics import Sums, r2
from raciflux.geography import tower_clusters
from raciflux.simulation.ceiling import KrigedHidden, Kriging, kriged_truth
from raciflux.simulation.hidden import Hidden, WorldParameters
from raciflux.simulation.world import ECOSYSTEMS, embedded_cube, recorded, setting
from raciflux.variables import EXPECTED_SUFFIX, MEASURED_SUFFIX, QC_SUFFIX

from .embedded_grids import PAIRS

FOLDS, DRAWS, CLUSTER_KM, FEWEST_DAYS = 5, 8, 50.0, 180


def ceilings(pair: str, source: EmbeddedSource) -> dict[str, float]:
    """Return the median R2 over towers of the truth, the kriged truth (over folds of clusters), the median place."""
    target, cube = ECOSYSTEMS[pair].target, embedded_cube(pair, source)
    lat, lon, seen = (cube[name].to_numpy() for name in ("lat", "lon", target))
    scored = (cube[target + QC_SUFFIX].to_numpy() >= 0.75) & (cube[target + MEASURED_SUFFIX].to_numpy() >= 0.5)
    cluster = tower_clusters(lat, lon, CLUSTER_KM)
    fold = np.random.default_rng(0).permutation(cluster.max() + 1)[cluster] % FOLDS
    kriged = np.empty(seen.shape)
    for tested in (fold == number for number in range(FOLDS)):
        kriged[tested] = kriged_truth(pair, source, lat[tested], lon[tested], lat[~tested], lon[~tested], DRAWS)

    def median(made: NDArray[np.floating]) -> float:
        counted = scored & np.isfinite(seen)
        of_towers = r2(Sums.of(seen, made, counted))
        return float(np.median(of_towers[counted.sum(1) >= FEWEST_DAYS]))

    truth = cube[target + EXPECTED_SUFFIX].to_numpy()
    return {
        "noise": median(truth),
        "kriged": median(kriged),
        "median place": median(median_place(pair, source, lat, lon)),
    }


def median_place(
    pair: str, source: EmbeddedSource, lat: NDArray[np.float64], lon: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the true flux (place, day) with every hidden property at its median: nothing is known of any tower."""
    at, world = setting(ECOSYSTEMS[pair], source, lat, lon), WorldParameters.of(source)
    nowhere = np.empty(0)
    nobody = Kriging(np.empty((len(lat), 0)), np.ones(len(lat)))
    bank = Hidden(source.seed, nowhere, nowhere, world)
    hidden = KrigedHidden(source.seed, lat, lon, world, bank, nobody, 0, 1)
    return ECOSYSTEMS[pair].truth(at, hidden).target[:, recorded(source)]


def rows() -> Iterator[str]:
    """Yield the table's lines."""
    for pair in PAIRS:
        for towers in (60, 120):
            found = ceilings(pair, EmbeddedSource(places=towers, years=3))
            yield f"| {pair} | {towers} | {' | '.join(f'{value:.3f}' for value in found.values())} |"


if __name__ == "__main__":
    for row in rows():
        print(row, flush=True)
