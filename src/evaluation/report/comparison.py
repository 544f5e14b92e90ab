"""The report's section that sets the run beside its baselines: median sites, and differences with their intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import UserError
from ..comparison.compare import compare
from ..comparison.compared import Comparison, Pair, ScoreComparison
from ..comparison.entries import entries
from ..comparison.tables import PAIR_HEADER, comparison_notes, pair_rows, site_rows, uncertainty_tables
from ..headline import show
from ..scored import ScoredRun
from ..wording import LABELS, pretty_unit
from .charts import LOWEST_R2, Dot, DotChart
from .tables import Column, Line, Table

CLAIM = "mean_rmse"  # the difference that is drawn; the table has all


@dataclass(frozen=True)
class Compared:
    """One score's differences."""

    score: str
    size: str
    chart: DotChart | None
    table: Table
    uncertainty: list[Table]  # of intervals and quantiles, where all models have them
    by_site: Table | None  # where clusters are too few for intervals


def comparable(run: ScoredRun, baselines: Sequence[ScoredRun]) -> tuple[list[ScoredRun], list[str]]:
    """Return the baselines that were asked the same as the run, and why the others were not."""
    kept, refused = [], []
    for baseline in baselines:
        try:
            entries([run, baseline])
        except UserError as error:
            refused.append(f"{baseline.label} is not compared: {error}")
        else:
            kept.append(baseline)
    return kept, refused


def comparison_section(run: ScoredRun, baselines: Sequence[ScoredRun]) -> tuple[list[Compared], list[str]]:
    """Return differences to the baselines under each score, and what must be said beside them or instead of them."""
    blocks = run.summary["scores"]
    scored = [score for score, block in blocks.items() if block["days"] > block["days_without_prediction"]]
    if not baselines or not scored:
        return [], []
    try:
        comparison = compare([run, *baselines], scores=scored)
    except UserError as error:
        return [], [f"no comparison: {error}"]
    return [_under(comparison, compared) for compared in comparison.scores], comparison_notes(comparison)


def median_charts(run: ScoredRun, baselines: Sequence[ScoredRun]) -> list[DotChart]:
    """R2 and RMSE of the median site of every model under the primary score, whiskers over the middle half of sites."""
    charts, unit = [], pretty_unit(run.summary["units"])
    for metric, axis, floor in (("r2", "R²", LOWEST_R2), ("rmse", f"RMSE [{unit}]", 0.0)):
        dots = []
        for model in (run, *baselines):
            spread = model.summary["scores"].get(run.primary, {}).get("per_site", {}).get(metric)
            if spread and spread["median"] is not None:
                text = show(spread["median"])
                dots.append(Dot(model.label, spread["median"], spread["q25"], spread["q75"], text, main=model is run))
        if dots:
            charts.append(
                DotChart.around(f"{axis.split()[0]} of the median site", axis, dots, zero=metric == "rmse", floor=floor)
            )
    return charts


def _under(comparison: Comparison, compared: ScoreComparison) -> Compared:
    shown = {line.model: line.shown for line in compared.models}
    dots = [_dot(pair, shown[pair.model]) for pair in compared.pairs if pair.differences[CLAIM].value is not None]
    unit = pretty_unit(comparison.units)
    axis = f"mean RMSE of sites, baseline − {comparison.reference} [{unit}]"
    columns = [Column(name, is_text=place < 2) for place, name in enumerate(PAIR_HEADER)]
    return Compared(
        score=LABELS[compared.score],
        size=f"{compared.sites:,} sites, {compared.clusters:,} clusters, {compared.days:,} days",
        chart=DotChart.around("", axis, dots, zero=True) if dots else None,
        table=Table(columns, [Line(row) for row in pair_rows(compared, bounds=" ({})")]),
        uncertainty=[
            Table([Column(name, is_text=place == 0) for place, name in enumerate(header)], [Line(row) for row in rows])
            for header, rows in uncertainty_tables(compared, bounds=" ({})")
        ],
        by_site=_by_site(compared),
    )


def _by_site(compared: ScoreComparison) -> Table | None:
    header, listed = site_rows(compared)
    columns = [Column(name, is_text=place == 0) for place, name in enumerate(header)]
    return Table(columns, [Line(row) for row in listed], tall=True) if listed else None


def _dot(pair: Pair, name: str) -> Dot:
    """Green where the interval lies on the run's side, red on the baseline's, grey where it holds 0 or is not given."""
    difference = pair.differences[CLAIM]
    value, low, high = difference.value or 0.0, difference.low, difference.high
    kind = "unsure" if low is None or high is None or low <= 0 <= high else "better" if low > 0 else "worse"
    return Dot(name, value, low, high, f"{value:+.3f}".replace("-", "−"), kind)
