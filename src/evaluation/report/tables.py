"""Tables of the report: cells are the texts shown, and a column sorts by the number its texts begin with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl
from markupsafe import Markup

from ...variables import CLASSES
from ..headline import error_decimals, rows, show
from ..scored import ScoredRun

SITE_COLUMNS = {
    "site_id": "site",
    **{name: name for name in CLASSES},
    "region": "latitude band",
    "cluster": "cluster",
    "fold": "fold",
    "days": "days",
    "r2": "R²",
    "ceiling_r2": "ceiling R²",
    "rmse": "RMSE",
    "mae": "MAE",
    "bias": "bias",
    "nrmse_std": "RMSE / std",
    "kge": "KGE",
    "coverage": "coverage",
    "width": "width",
    "crps": "CRPS",
    "dissimilarity": "distance",
    "inside": "area",
}
CODES, ERRORS = ("cluster", "fold"), ("rmse", "mae", "bias", "width", "crps")


@dataclass(frozen=True)
class Column:
    """A column; one of texts is aligned left and sorted by letters."""

    name: str
    is_text: bool = False


@dataclass(frozen=True)
class Line:
    """A row; ``kind`` is its class in ``report.css``."""

    cells: Sequence[str]
    kind: str = ""


@dataclass(frozen=True)
class Table:
    """What one sortable table shows; ``tall`` ones scroll in a frame of their own."""

    columns: Sequence[Column]
    lines: Sequence[Line]
    name: str = ""
    tall: bool = False


def headline_table(run: ScoredRun, baselines: Sequence[ScoredRun], score: str, *, odd_sites: bool = True) -> Table:
    """Return the models under one score, and the noise ceiling where the truth is known."""
    listed = rows(run, baselines, score, odd_sites=odd_sites)
    lines = [
        Line((row.model, *row.cells.values()), "main" if row.main else "ceiling" if row.ceiling else "")
        for row in listed
    ]
    return Table((Column("model", is_text=True), *map(Column, listed[0].cells)), lines, "headline")


def site_table(run: ScoredRun, numbers: Mapping[str, int]) -> Table:
    """Return every site under the primary score, best first; ``numbers`` of the sites whose series are in the page."""
    sites = run.sites.filter(score=run.primary).sort("r2", descending=True, nulls_last=True)
    kept, decimals = [name for name in SITE_COLUMNS if name in sites.columns], error_decimals(run)
    lines = []
    for record in sites.iter_rows(named=True):
        cells = [site_cell(name, record[name], decimals) for name in kept]
        number = numbers.get(record["site_id"])
        if number is not None:
            cells[0] = Markup('<a href="#series" data-site="{}">{}</a>').format(number, cells[0])
        lines.append(Line(cells, "" if record["enters"] else "out"))
    columns = [Column(SITE_COLUMNS[name], sites[name].dtype == pl.String) for name in kept]
    return Table(columns, lines, "sites", tall=True)


def site_cell(name: str, value: str | float | None, decimals: int) -> str:
    """Write one number of a site; ``decimals`` are those of its errors."""
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value) if name in CODES else f"{value:,}"
    return show(value, decimals if name in ERRORS else 3)


def site_fact(run: ScoredRun, site_id: str) -> str:
    """Say what stands in the page above a site's series."""
    record = run.sites.filter(score=run.primary, site_id=site_id).row(0, named=True)
    decimals = error_decimals(run)
    classes = [record[name] for name in CLASSES if record.get(name)]
    place = [f"cluster {record['cluster']}", f"fold {record['fold']}"]
    scores = [f"R² {show(record['r2'])}", f"RMSE {show(record['rmse'], decimals)}", f"{record['days']:,} scored days"]
    return " · ".join([*classes, *place, *scores] + ([] if record["enters"] else ["too few for a score"]))
