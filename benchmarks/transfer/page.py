"""The page of a study: what validation chose against scratch, every technique, and what is missing."""

import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
from raciflux.atomic import write_text

from ..accuracy.markdown import markdown
from .effects import Change, Effect, Effects, effects
from .figure import draw
from .runs import Wanted
from .store import Store
from .study import LONGER, SCRATCH, VARIANTS, Study

NOTES = (
    "Changes are shares of scratch's error: negative is a gain. Intervals (95 %) resample clusters of towers and, "
    "inside a draw, seeds, the same for both; p is adjusted over the rows and both statistics of one table (Holm).",
    "Techniques stand in the order of validation, which alone chooses; worse: share of towers whose RMSE is higher "
    "than from scratch. Minutes are the least of any cell; finetune, residual and stacking had the pretraining at hand "
    "in some.",
    f"{LONGER}: from scratch with {VARIANTS[LONGER][-1]}, as many steps on the towers as adversarial and reweight "
    "take in their two stages; the others have the steps of scratch. stacking and residual hear a network that learned "
    "the simulation, stacking_series and residual_series what the simulator itself says at the tower.",
)
CHOSEN_HEADER = (
    *("network", "condition", "chosen", "validation", "against", "its validation"),
    *("median RMSE", "mean RMSE", "verdict"),
)
HEADER = (
    *("technique", "validation", "median RMSE", "change", "p", "mean RMSE", "change", "p"),
    *("median R2", "worse", "minutes"),
)


def write_page(
    name: str,
    study: Study,
    of_study: Sequence[Wanted],
    store: Store,
    tuned: Mapping[str, Sequence[str]],
    draws: int,
    output: Path,
    runs: Path,
) -> None:
    """Write ``NAME.md`` and its figure; every score comes from the store."""
    folds = sorted({cell.fold for cell in of_study[0].cells(runs)})

    def against(baseline: str) -> list[Effects]:
        return [
            one
            for network in study.networks
            for condition in study.conditions
            if (one := effects(store.cells, store.sites, condition, network, folds, draws, baseline))
        ]

    found = against(SCRATCH)
    lines = [f"# Transfer: {name}", "", study.about, "", *_made(name, study, store, tuned, folds)]
    if found:
        chosen = _chosen_rows([*found, *against(LONGER)])
        lines += ["", "## What validation chose, against scratch", "", *markdown(CHOSEN_HEADER, chosen)]
        draw(found, output / f"{name}.png")
        lines += ["", f"![Change against scratch]({name}.png)", "", "Filled: what validation chose."]
    if len(study.conditions) > 1:
        lines += ["", "## Median R2", "", *_r2_by_condition(study, found)]
    for one in found:
        lines += ["", f"## {one.network}, {one.condition}", "", _counts(one), "", *markdown(HEADER, _rows(one, store))]
        lines += _sites(one)
    lines += ["", "## Cells", "", *_missing(study, of_study, store, runs)]
    write_text("\n".join(lines) + "\n", output / f"{name}.md")


def _made(name: str, study: Study, store: Store, tuned: Mapping[str, Sequence[str]], folds: Sequence[int]) -> list[str]:
    chosen = "; ".join(f"{technique}: {shlex.join(of) or 'the default'}" for technique, of in tuned.items())
    commits = sorted({commit[:12] for commit in store.cells["commit"].unique()}) or ["–"]
    return [
        f"* `python scripts/benchmark.py transfer={name}`, page of {time.strftime('%Y-%m-%d')}; code "
        f"{', '.join(commits)} with the versions of its constraints.txt; "
        f"{', '.join(sorted(store.cells['processor'].unique()))}",
        f"* folds {', '.join(map(str, folds))}, every cell: {shlex.join(study.regime)}",
        *[f"* {network}: {shlex.join(of)}" for network, of in study.of_network.items()],
        f"* hyper-parameters, {_tuning(study)}: {chosen or 'defaults'}",
        *(f"* {note}" for note in NOTES),
    ]


def _tuning(study: Study) -> str:
    if study.tuned_by:
        return f"as transfer={study.tuned_by} chose them"
    return (
        f"four configurations a technique, tried with {study.networks[0]} at {study.tuned_in}, first fold, every seed"
    )


def _counts(one: Effects) -> str:
    return f"{len(one.baseline.by_site)} towers in {one.clusters} clusters, seeds {', '.join(map(str, one.seeds))}." + (
        "" if one.chosen.changes["median"].within else " Too few clusters for an interval."
    )


def _chosen_rows(found: Sequence[Effects]) -> list[tuple[str, ...]]:
    return [
        (
            one.network,
            one.condition,
            one.chosen.technique,
            f"{one.chosen.validation:.3f}",
            one.against,
            f"{one.baseline.validation:.3f}",
            *(_change(one.chosen.changes[name]) for name in ("median", "mean")),
            _verdict(one),
        )
        for one in found
    ]


def _verdict(one: Effects) -> str:
    """Say what the interval of the median says of the technique that validation chose."""
    kept = one.baseline.validation <= one.chosen.validation
    said = f"validation keeps {one.against}" if kept else "validation takes it"
    within = one.chosen.changes["median"].within
    if within is None:
        return said
    helps = "helps" if within[1] < 0 else "hurts" if within[0] > 0 else "cannot be told apart"
    return f"{helps}; {said}"


def _rows(one: Effects, store: Store) -> list[tuple[str, ...]]:
    minutes = store.cells.filter(pl.col("condition") == one.condition, pl.col("network") == one.network)
    return [
        (
            line.technique,
            f"{line.validation:.3f}",
            f"{line.rmse['median']:.3f}",
            *_columns(line, "median"),
            f"{line.rmse['mean']:.3f}",
            *_columns(line, "mean"),
            f"{line.r2:.3f}",
            "–" if line.technique == one.against else f"{100 * line.worse:.0f} %",
            f"{minutes.filter(pl.col('technique') == line.technique)['minutes'].to_numpy().min():.2f}",
        )
        for line in one.lines
    ]


def _r2_by_condition(study: Study, found: Sequence[Effects]) -> list[str]:
    """Table of the median over towers of R2: how a technique learns as it is shown more."""
    r2 = {(one.network, line.technique, one.condition): f"{line.r2:.3f}" for one in found for line in one.lines}
    rows = [
        (network, technique, *(r2.get((network, technique, condition), "–") for condition in study.conditions))
        for network in study.networks
        for technique in study.techniques
    ]
    return markdown(("network", "technique", *study.conditions), rows)


def _columns(line: Effect, name: str) -> tuple[str, str]:
    change = line.changes.get(name)
    if change is None:
        return "–", "–"
    return _change(change), "–" if change.p is None else f"{change.p:.3f}"


def _change(change: Change) -> str:
    held = "" if change.within is None else f" ({100 * change.within[0]:+.1f} to {100 * change.within[1]:+.1f})"
    return f"{100 * change.value:+.1f} %{held}"


def _sites(one: Effects) -> list[str]:
    """Tower by tower, where they are too few for an interval."""
    if one.chosen.changes["median"].within is not None:
        return []
    others = [line for line in one.lines if line is not one.baseline]
    header = ("tower", one.against, *(line.technique for line in others))
    rows = [
        (site, f"{rmse:.2f}", *(f"{line.by_site[site] - rmse:+.2f}" for line in others))
        for site, rmse in one.baseline.by_site.items()
    ]
    return [
        "",
        f"RMSE of each tower, averaged over seeds, and differences from {one.against}:",
        "",
        *markdown(header, rows),
    ]


def _missing(study: Study, of_study: Sequence[Wanted], store: Store, runs: Path) -> list[str]:
    """Table of finished and wanted cells, so that what is missing is seen."""
    rows = []
    for network in study.networks:
        for technique in study.techniques:
            row = [network, technique]
            for condition in study.conditions:
                of_row = [
                    (one, cell)
                    for one in of_study
                    if (one.network, one.technique, one.condition) == (network, technique, condition)
                    for cell in one.cells(runs)
                ]
                finished = sum(store.holds(one, cell) for one, cell in of_row)
                row.append(f"{finished} of {len(of_row)}" + ("" if finished == len(of_row) else " **missing**"))
            rows.append(row)
    return markdown(("network", "technique", *study.conditions), rows)
