"""What looking at neighbours can win in an embedded world, before any model is trained.

``python -m benchmarks.accuracy.ceilings`` prints the table of ``docs/simulation.md``.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray
from raciflux.config.sources import EmbeddedSource
from raciflux.evaluation.metrics import Sums, r2, rmse
from raciflux.geography import tower_clusters
from raciflux.simulation.ceiling import kriged_truth
from raciflux.simulation.world import ECOSYSTEMS, embedded_cube
from raciflux.variables import EXPECTED_SUFFIX, MEASURED_SUFFIX, QC_SUFFIX

from .embedded_grids import PAIRS

FOLDS, CLUSTER_KM, FEWEST_DAYS = 5, 50.0, 180
WORLDS = ((60, 0.5), (120, 0.5), (120, 0.9))  # towers, share of the hidden variance that neighbours share


def ceilings(pair: str, source: EmbeddedSource) -> dict[str, float]:
    """Return what the truth scores, kriged (over folds of clusters) and without neighbours, and what those win.

    The first three are medians over towers of R2; the last is the fall of the mean over towers of RMSE when
    neighbours may be looked at, as a share.
    """
    target, cube = ECOSYSTEMS[pair].target, embedded_cube(pair, source)
    lat, lon, seen = (cube[name].to_numpy() for name in ("lat", "lon", target))
    scored = (cube[target + QC_SUFFIX].to_numpy() >= 0.75) & (cube[target + MEASURED_SUFFIX].to_numpy() >= 0.5)
    scored &= np.isfinite(seen)
    counted = scored.sum(1) >= FEWEST_DAYS
    cluster = tower_clusters(lat, lon, CLUSTER_KM)
    fold = np.random.default_rng(0).permutation(cluster.max() + 1)[cluster] % FOLDS
    kriged = np.empty(seen.shape)
    for tested in (fold == number for number in range(FOLDS)):
        kriged[tested] = kriged_truth(pair, source, lat[tested], lon[tested], lat[~tested], lon[~tested])
    nobody = np.empty(0)
    alone = kriged_truth(pair, source, lat, lon, nobody, nobody)

    def sums(made: NDArray[np.floating]) -> Sums:
        return Sums.of(seen[counted], made[counted], scored[counted])

    truth = cube[target + EXPECTED_SUFFIX].to_numpy()
    return {
        "noise": float(np.median(r2(sums(truth)))),
        "kriged": float(np.median(r2(sums(kriged)))),
        "no neighbours": float(np.median(r2(sums(alone)))),
        "won": float(1.0 - rmse(sums(kriged)).mean() / rmse(sums(alone)).mean()),
    }


def rows() -> Iterator[str]:
    """Yield the table's lines."""
    for pair, (towers, share) in product(PAIRS, WORLDS):
        found = ceilings(pair, EmbeddedSource(places=towers, years=3, hidden_share=share))
        r2s = " | ".join(f"{found[name]:.3f}" for name in ("noise", "kriged", "no neighbours"))
        yield f"| {pair} | {towers} | {share:g} | {r2s} | {100 * found['won']:.1f} % |"


if __name__ == "__main__":
    for row in rows():
        print(row, flush=True)
