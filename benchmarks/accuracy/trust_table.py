"""What the distance to its bank says of a model's error: far sites should err more, and dropping them should help."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from raciflux.evaluation.scores.tables import summary
from raciflux.evaluation.wording import LABELS

from .cells import Run
from .collect import of_targets
from .markdown import markdown

HEADER = (
    "model",
    "seed",
    "target",
    "score",
    "role",
    "rank correlation of distance and error (95 % interval)",
    "nRMSE won by dropping the farthest fifth (95 % interval)",
    "sites",
    "clusters",
)


def trust_table(runs: Sequence[tuple[Run, Path]]) -> list[str]:
    """Return the table of the runs that have a bank; nothing if none has."""
    rows = []
    for run, place in runs:
        for folder in of_targets(place):
            said = summary(folder.predictions())
            score, block = next(iter(said["scores"].items()))
            if block["trust"]:
                of_run = (run.model, str(run.seed), said["target"], LABELS[score])
                rows += [(*of_run, *cells) for cells in _cells(block["trust"])]
    return ["", *markdown(HEADER, rows)] if rows else []


def _cells(trust: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """One row a role, and one for the farther of both."""
    sizes = tuple(f"{trust[name]:,}" for name in ("sites", "clusters"))
    return [
        (role, _estimate(trust["rank_correlation"][role]), _estimate(trust["gain"][role]), *sizes)
        for role in trust["gain"]
    ]


def _estimate(one: Mapping[str, Any]) -> str:
    if one["value"] is None:
        return "–"
    within = one["interval"]
    return f"{one['value']:+.3f}" + (f" ({within['low']:+.3f} to {within['high']:+.3f})" if within else "")
