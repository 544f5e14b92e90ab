"""How honest intervals are: coverage with its interval, its spread over sites, and width at one coverage."""

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
    "target",
    "score",
    "mean coverage (95 % interval)",
    "quartiles over sites",
    "lowest to highest site",
    "mean width",
    "mean width at matched coverage",
    "sites",
    "clusters",
    "days",
)


def interval_table(runs: Sequence[tuple[Run, Path]]) -> list[str]:
    """Return the table of the runs that have intervals; nothing if none has."""
    rows = []
    for run, place in runs:
        for folder in of_targets(place):
            said = summary(folder.predictions())
            for score, block in said["scores"].items():
                bounds = block["intervals"] and block["intervals"]["bounds"]
                if bounds:
                    rows.append((run.model, said["target"], LABELS[score], *_cells(bounds)))
    return ["", *markdown(HEADER, rows)] if rows else []


def _cells(bounds: Mapping[str, Any]) -> tuple[str, ...]:
    covered, within, matched = bounds["coverage"], bounds["coverage"]["interval"], bounds["matched"]
    interval = f" ({within['low']:.3f} to {within['high']:.3f})" if within else ""
    return (
        f"{covered['mean']:.3f}{interval}",
        f"{covered['q25']:.3f} to {covered['q75']:.3f}",
        f"{covered['min']:.3f} to {covered['max']:.3f}",
        f"{bounds['width']['mean']:.2f}",
        f"{matched['width']:.2f}" if matched else "–",
        *(f"{bounds[name]:,}" for name in ("sites", "clusters", "days")),
    )
