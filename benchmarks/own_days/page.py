"""The page of a question: every method's mean per-site RMSE, against each reference."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
from raciflux.atomic import write_text

from ..accuracy.markdown import markdown
from .methods import METHODS, REFERENCES
from .summary import Line, lines

ABOUT = {
    "few_shot": "Some days from a start date are shown, of that site alone; what is scored lies a year or more after "
    "the start, the same days for every method and every number of shown days.",
    "gap": "Days in a row are hidden, of all fluxes, with a day on both sides; every other measured day of the site is "
    "shown. What is scored are the measured days inside.",
}
WORDS = {"few_shot": "days shown", "gap": "days hidden"}
NOTES = (
    "RMSE of a site is over the scored days of all its questions; sites weigh alike.",
    "Intervals (95 %) and p-values resample clusters of towers; p is adjusted for the number of rows of its table "
    "(Holm). Only one training of each model stands behind a row unless several runs are named.",
    "GPP is a partitioned product.",
)


def write_page(kind: str, table: pl.DataFrame, runs: Mapping[str, Sequence[str]], draws: int, path: Path) -> None:
    """Write the tables of every flux and reference.

    Parameters
    ----------
    table : one row a question and method, see ``summary.lines``.
    runs : the runs behind each method.
    """
    text = [f"# {'A few own days' if kind == 'few_shot' else 'Gaps'}", "", ABOUT[kind], ""]
    text += [f"* `python scripts/benchmark.py own_days={kind}` with these runs, tables of {time.strftime('%Y-%m-%d')}"]
    text += _runs(kind, runs)
    text += [f"* {note}" for note in NOTES]
    for target in table["target"].unique(maintain_order=True):
        for reference in REFERENCES[kind]:
            found = lines(table, target, reference, draws)
            if found:
                text += ["", f"## {target}, against {reference}", "", *markdown(_header(kind, reference), _rows(found))]
    write_text("\n".join(text) + "\n", path)


def _runs(kind: str, runs: Mapping[str, Sequence[str]]) -> list[str]:
    """Say which runs the methods were given, by the key that names them."""
    given: dict[tuple[str, str], list[str]] = {}
    for method, folders in runs.items():
        if folders:
            given.setdefault((METHODS[kind][method].uses, ",".join(folders)), []).append(method)
    return [f"* `{key}=[{folders}]` ({', '.join(methods)})" for (key, folders), methods in given.items()]


def _header(kind: str, reference: str) -> tuple[str, ...]:
    return (
        WORDS[kind],
        "method",
        "mean RMSE",
        f"change to {reference} (95 % interval)",
        "p (Holm)",
        "sites",
        "clusters",
    )


def _rows(found: Sequence[Line]) -> list[tuple[str, ...]]:
    return [
        (
            str(line.days),
            line.method,
            f"{line.rmse:.3f}",
            f"{100 * line.change:+.1f} %"
            + (f" ({100 * line.within[0]:+.1f} to {100 * line.within[1]:+.1f})" if line.within else ""),
            "–" if line.p is None else f"{line.p:.4f}",
            str(line.sites),
            str(line.clusters),
        )
        for line in sorted(found, key=lambda line: line.days)
    ]
