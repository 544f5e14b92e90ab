"""A comparison of models on disk: ``comparison.json``, ``comparison.csv`` and ``comparison.tex``."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from ...atomic import write_text
from ..latex import escaped, table
from ..run_folder import write_json
from .compared import Comparison, ScoreComparison
from .tables import (
    MODEL_HEADER,
    PAIR_HEADER,
    comparison_notes,
    model_rows,
    pair_rows,
    site_rows,
    title,
    uncertainty_tables,
)

BESIDE = " ({})"  # the interval behind its number
CSV_COLUMNS = (
    *("target", "units", "question", "score", "model", "reference", "site", "statistic"),
    *("value", "low", "high", "p", "p_holm", "seeds", "sites", "clusters", "days"),
)


def write_comparison(comparison: Comparison, folder: Path) -> list[Path]:
    """Write the three files, each whole or not at all; returns their paths."""
    paths = [folder / f"comparison.{kind}" for kind in ("json", "csv", "tex")]
    content = asdict(comparison)
    content["validation"] = {
        label: score._asdict() if score else None for label, score in comparison.validation.items()
    }
    write_json(content, paths[0])
    write_text(comparison_csv(comparison), paths[1])
    write_text(comparison_tex(comparison), paths[2])
    return paths


def comparison_csv(comparison: Comparison) -> str:
    """One row a number: of a model (no ``reference``), a difference, or a count of sites; empty where undefined."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    identity = {"target": comparison.target, "units": comparison.units, "question": comparison.question}
    for compared in comparison.scores:
        size = {name: getattr(compared, name) for name in ("score", "sites", "clusters", "days")}
        writer.writerows({**identity, **size, **row} for row in _rows(compared))
    return text.getvalue()


def comparison_tex(comparison: Comparison) -> str:
    """Tables for LaTeX with the package booktabs, two or more for each score; the notes stand above as comments."""
    parts = [r"% needs \usepackage{booktabs}", *(f"% {escaped(line)}" for line in comparison_notes(comparison))]
    for compared in comparison.scores:
        name, label = title(comparison, compared), f"tab:comparison-{comparison.target}-{compared.score}".lower()
        parts.append(_table(name, label, MODEL_HEADER, model_rows(compared, BESIDE)))
        parts.append(_table(f"{name}; differences", f"{label}-differences", PAIR_HEADER, pair_rows(compared, BESIDE)))
        for (header, rows), kind in zip(uncertainty_tables(compared, BESIDE), ("", "-differences"), strict=False):
            parts.append(_table(f"{name}; uncertainty", f"{label}-uncertainty{kind}", header, rows))
        header, sites = site_rows(compared)
        if sites:
            parts.append(_table(f"{name}; differences of RMSE", f"{label}-sites", header, sites))
    return "\n".join(parts)


def _table(caption: str, label: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return table([*map(escaped, header)], [[*map(escaped, row)] for row in rows], escaped(caption), label)


def _rows(compared: ScoreComparison) -> Iterator[dict[str, object]]:
    seeds = {line.model: len(line.seeds) for line in compared.models}
    for line in compared.models:
        for name, estimate in line.estimates.items():
            yield {"model": line.model, "seeds": seeds[line.model], "statistic": name, **vars(estimate)}
    for pair in compared.pairs:
        row = {"model": pair.model, "reference": pair.reference, "seeds": seeds[pair.model]}
        for name, difference in pair.differences.items():
            yield {**row, "statistic": name, **vars(difference)}
        for name in ("wins", "ties", "losses"):
            yield {**row, "statistic": name, "value": getattr(pair, name)}
        for site, value in (pair.sites or {}).items():
            yield {**row, "site": site, "statistic": "rmse", "value": value}
