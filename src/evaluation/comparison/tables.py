"""A comparison's cells as texts, for the console, the report and LaTeX alike."""

import math
from collections.abc import Sequence

from ..headline import NONE, show
from ..wording import LABELS, pretty_unit, target_name, where
from .bootstrap import FEWEST_CLUSTERS
from .compared import PERCENT, Comparison, Difference, Estimate, ScoreComparison

BELOW = "\n{}"  # the interval under its number
MODEL_COLUMNS = {
    "mean_rmse": "mean RMSE",
    "median_rmse": "median RMSE",
    "median_r2": "median R²",
    "pooled_rmse": "pooled RMSE",
    "pooled_r2": "pooled R²",
}
MODEL_HEADER = ("model", *MODEL_COLUMNS.values(), "seeds")
UNCERTAINTY_COLUMNS = {"coverage": "coverage", "matched_width": "width at matched coverage", "crps": "CRPS"}
OF_MEAN, OF_MEDIAN = ("Δ mean RMSE", "in %", "p (Holm)"), ("Δ median RMSE", "p (Holm)")
PAIR_HEADER = ("models", *OF_MEAN, *OF_MEDIAN, "Δ median R²", "wins ties losses")


def model_rows(compared: ScoreComparison, bounds: str = BELOW) -> list[tuple[str, ...]]:
    """Rows under ``MODEL_HEADER``; ``bounds`` says how an interval follows its number."""
    decimals = _decimals(compared)
    return [
        (
            line.shown,
            *(estimate_text(line.estimates[name], decimals[name], bounds) for name in MODEL_COLUMNS),
            str(len(line.seeds)),
        )
        for line in compared.models
    ]


def pair_rows(compared: ScoreComparison, bounds: str = BELOW) -> list[tuple[str, ...]]:
    """Rows under ``PAIR_HEADER``: a model minus what it is held against."""
    decimals, shown = _decimals(compared), {line.model: line.shown for line in compared.models}
    rows: list[tuple[str, ...]] = []
    for pair in compared.pairs:
        cells = {
            name: estimate_text(difference, decimals[name], bounds, sign="+")
            for name, difference in pair.differences.items()
        }
        mean, median = (p_text(pair.differences[name]) for name in ("mean_rmse", "median_rmse"))
        counts = f"{pair.wins}/{pair.ties}/{pair.losses}"
        names = f"{shown[pair.model]}{bounds[:1]}− {shown[pair.reference]}"
        of_mean = (cells["mean_rmse"], cells[PERCENT], mean)
        rows.append((names, *of_mean, cells["median_rmse"], median, cells["median_r2"], counts))
    return rows


def uncertainty_tables(
    compared: ScoreComparison, bounds: str = BELOW
) -> list[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """Headers and rows of what intervals and quantiles are worth, and of its differences; none unless all have them."""
    decimals, tables = _decimals(compared), []
    shown = {line.model: line.shown for line in compared.models}
    of_models = [(line.shown, line.estimates) for line in compared.models]
    of_pairs = [
        (f"{shown[pair.model]}{bounds[:1]}− {shown[pair.reference]}", pair.differences) for pair in compared.pairs
    ]
    for first, mark, sign, listed in (("model", "", "", of_models), ("models", "Δ ", "+", of_pairs)):
        given = {name: column for name, column in UNCERTAINTY_COLUMNS.items() if name in listed[0][1]}
        if given:
            rows = [
                (label, *(estimate_text(numbers[name], decimals[name], bounds, sign) for name in given))
                for label, numbers in listed
            ]
            tables.append(((first, *(f"{mark}{column}" for column in given.values())), rows))
    return tables


def site_rows(compared: ScoreComparison) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and rows of the differences at each site; without rows where there are clusters enough for intervals."""
    pairs = [(pair, pair.sites) for pair in compared.pairs if pair.sites is not None]
    header = ("site", *(f"{pair.model} − {pair.reference}" for pair, _ in pairs))
    decimals, sites = _decimals(compared)["mean_rmse"], pairs[0][1] if pairs else {}
    return header, [(site, *(_signed(of_pair[site], decimals, "+") for _, of_pair in pairs)) for site in sites]


def title(comparison: Comparison, compared: ScoreComparison) -> str:
    """Say what is compared: flux, unit, question, score and how much there is of it."""
    attrs = {"target": comparison.target, "question": comparison.question}
    flux = f"{target_name(attrs)} [{pretty_unit(comparison.units)}]"
    size = f"{compared.sites:,} sites, {compared.clusters:,} clusters, {compared.days:,} days"
    return f"{flux} {where(attrs)}, {LABELS[compared.score]}: {size}"


def comparison_notes(comparison: Comparison) -> list[str]:
    """Lines that belong beside the numbers."""
    lines = [
        *comparison.remarks,
        "Δ is model minus the one it is held against: a negative Δ RMSE is the model's gain, in % of the"
        " other's mean. Ties differ by < 1 %",
    ]
    if any(compared.clusters >= FEWEST_CLUSTERS for compared in comparison.scores):
        lines.append(
            f"intervals: 95 %, {comparison.draws:,} draws of clusters and seeds; p adjusted after Holm over the"
            " mean and median RMSE claims of a table"
        )
    lines += [
        f"{LABELS[compared.score]}: {compared.clusters} clusters are too few for intervals (fewer than "
        f"{FEWEST_CLUSTERS}); differences are listed by site"
        for compared in comparison.scores
        if compared.clusters < FEWEST_CLUSTERS
    ]
    alone = [line.shown for line in comparison.scores[0].models if len(line.seeds) == 1]
    if alone:
        lines.append(f"one seed alone, its spread is not in the interval: {', '.join(alone)}")
    lines += _resampling_notes(comparison)
    best = comparison.best_baseline or "not known, the runs hold no validation scores that can be compared"
    lines.append(f"best baseline, chosen on validation: {best}")
    if comparison.best_baseline and comparison.question == "unseen" and any(one.folds > 1 for one in comparison.scores):
        lines.append(
            "validation sites of one fold are tested in others: what validation chose is not blind to the pooled folds"
        )
    return lines


def _resampling_notes(comparison: Comparison) -> list[str]:
    """Say what the intervals hold of the seeds' spread, and how widths are matched."""
    lines = []
    seeds = {len(line.seeds) for compared in comparison.scores for line in compared.models} - {1}
    if seeds and any(compared.clusters >= FEWEST_CLUSTERS for compared in comparison.scores):
        held = ", ".join(f"{n - 1}/{n} of {n} seeds" for n in sorted(seeds))
        lines.append(
            f"resampling n seeds shows (n − 1)/n of the variance between seeds: {held}; intervals understate it"
        )
    levels = {compared.interval_level for compared in comparison.scores} - {None}
    lines += [
        f"width at matched coverage: mean over sites, with all intervals of a model stretched by the one factor that "
        f"covers sites at {level:.0%} on average; the factor is found anew in each draw"
        for level in sorted(level for level in levels if level)
    ]
    return lines


def estimate_text(estimate: Estimate, decimals: int, bounds: str = BELOW, sign: str = "") -> str:
    """Write a number and, where there is one, its interval."""
    if estimate.low is None or estimate.high is None:
        return _signed(estimate.value, decimals, sign)
    held = f"{_signed(estimate.low, decimals, sign)} to {_signed(estimate.high, decimals, sign)}"
    return _signed(estimate.value, decimals, sign) + bounds.format(held)


def p_text(difference: Difference) -> str:
    """Write the adjusted p."""
    if difference.p_holm is None:
        return NONE
    return "< 0.001" if difference.p_holm < 0.001 else f"{difference.p_holm:.3f}"


def _signed(value: float | None, decimals: int, sign: str) -> str:
    text = show(value, decimals)
    return f"{sign}{text}" if sign and value is not None and value > 0 else text


def _decimals(compared: ScoreComparison) -> dict[str, int]:
    """Three significant digits of the smallest error; three decimals of R2 and coverage."""
    errors: Sequence[float] = [value for line in compared.models if (value := line.estimates["mean_rmse"].value)]
    of_errors = max(0, min(9, 2 - math.floor(math.log10(min(errors))))) if errors else 3
    without_unit = ("median_r2", "pooled_r2", "coverage")
    decimals = {name: 3 if name in without_unit else of_errors for name in (*MODEL_COLUMNS, *UNCERTAINTY_COLUMNS)}
    return decimals | {PERCENT: 1}
