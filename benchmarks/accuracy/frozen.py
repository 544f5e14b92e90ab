"""The worlds of RACI's claim, frozen: what they are made of, and a hash that was committed before RACI was tuned."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from raciflux.config.sources import EmbeddedSource
from raciflux.simulation.hidden import WorldParameters
from raciflux.simulation.world import ECOSYSTEMS, embedded_cube
from raciflux.variables import EXPECTED_SUFFIX

from .cells import runs_of
from .embedded_grids import CLAIM_SEEDS, DEVELOPMENT_SEED, EMBEDDED_GRIDS, PAIRS

OF_SPLIT = ("kind", "folds", "seed", "cluster_km", "min_scored_days", "validation_share")
FILE = Path(__file__).parents[1] / "raci" / "world.json"


def frozen_world() -> dict[str, Any]:
    """Return what the worlds of the claim are made of, and the SHA-256 of its canonical JSON.

    ``pairs`` holds for each pair the keys of its towers, of its simulation and of its split, and the hidden properties'
    spreads, range and share that follow from them. Beside the hash stands the mean flux of a few towers of the
    development world, which would betray other equations; the last digits depend on the machine.
    """
    pairs = {pair: _made_of(pair) for pair in PAIRS}
    made_of = {"pairs": pairs, "development_seed": DEVELOPMENT_SEED, "claim_seeds": list(CLAIM_SEEDS)}
    return {
        **made_of,
        "sha256": hashlib.sha256(_canonical(made_of).encode()).hexdigest(),
        "mean_flux": {pair: _mean_flux(pair) for pair in PAIRS},
    }


def write_frozen_world(path: Path = FILE) -> None:
    """Write the file that is committed; only before a claim is made."""
    path.write_text(json.dumps(frozen_world(), indent=1, sort_keys=True) + "\n")


def _made_of(pair: str) -> dict[str, Any]:
    name = f"embedded_unseen_{pair}"
    only = {"models": ["raci"], "splits": ["development"]}
    data = runs_of(name, EMBEDDED_GRIDS[name], {}, only, 1)[0].config().data
    towers, simulation = asdict(data.source), asdict(data.simulation)
    hidden = asdict(WorldParameters.of(data.source))
    for source in (towers, simulation):
        del source["seed"]
        # younger than the hash: at its default, the worlds are what they were when they were frozen
        simulator = source.pop("simulator")
        assert simulator == EmbeddedSource().simulator
    split = {name: getattr(data.split, name) for name in OF_SPLIT}
    return {"towers": towers, "simulation": simulation, "split": split, "hidden": hidden}


def _mean_flux(pair: str) -> float:
    cube = embedded_cube(pair, EmbeddedSource(seed=DEVELOPMENT_SEED, places=6, years=1))
    return float(f"{float(cube[ECOSYSTEMS[pair].target + EXPECTED_SUFFIX].mean()):.5g}")


def _canonical(content: object) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"))
