"""``report.html``: one self-contained page of a run, for phone and desktop; everything from data is escaped."""

import base64
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from ..atomic import write_text
from ..variables import CLASSES
from .drawing import Drawn
from .headline import error_decimals, rows, show, unlike
from .scored import ScoredRun
from .wording import LABELS, long_name, notes, pretty_unit, target_name

QUESTION = "unseen sites: no flux of a test site, nor of any tower of its cluster, was visible to the model"
SITE_COLUMNS = {
    "site_id": "site",
    **{name: name for name in CLASSES},
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
}
WHOLE = ("cluster", "fold", "days")


def write_report(run: ScoredRun, baselines: Sequence[ScoredRun], figures: Sequence[Drawn], path: Path) -> None:
    """Write the report of a run, whole or not at all."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files(__package__).joinpath("report.html").read_text(encoding="utf-8"))
    write_text(template.render(_content(run, baselines, figures)), path)


def _content(run: ScoredRun, baselines: Sequence[ScoredRun], figures: Sequence[Drawn]) -> dict[str, Any]:
    summary = run.summary
    odd = summary["without_odd_sites"]
    return {
        "summary": summary,
        "target": target_name(summary),
        "long_name": long_name(summary),
        "unit": pretty_unit(summary["units"]),
        "facts": _facts(run),
        "tables": [(LABELS[score], rows(run, baselines, score)) for score in summary["scores"]],
        "odd_sites": odd["sites"] if odd else [],
        "odd_tables": [(LABELS[score], rows(run, baselines, score, odd_sites=False)) for score in summary["scores"]]
        if odd
        else [],
        "notes": notes(summary),
        "warnings": unlike(run, baselines),
        "figures": [(figure, _data_uri(figure.path)) for figure in figures],
        "primary": LABELS[run.primary],
        **_site_table(run),
        "config": run.folder.config_text(),
        "command": run.folder.command(),
        "versions": run.folder.versions(),
    }


def _facts(run: ScoredRun) -> dict[str, str]:
    """Say what was asked, in the order that the page lists it."""
    predictions = run.predictions
    day = predictions["time"].to_numpy().astype("datetime64[D]")
    folds = len(set(predictions["fold"].to_numpy().tolist()))
    return {
        "experiment": run.summary["experiment"],
        "pair": run.summary["pair"],
        "flux": f"{long_name(run.summary)} [{pretty_unit(run.summary['units'])}]",
        "model": run.model,
        "question": QUESTION,
        "test sites": f"{predictions.sizes['site']:,} in {folds} fold{'s' if folds > 1 else ''}, each tested once",
        "period": f"{day.min()} to {day.max()}" if day.size else "no days",
    }


def _site_table(run: ScoredRun) -> dict[str, Any]:
    """Cells as (value to sort by, text to show)."""
    sites = run.sites.filter(score=run.primary).sort("r2", descending=True, nulls_last=True)
    columns, decimals = [name for name in SITE_COLUMNS if name in sites.columns], error_decimals(run)
    cells = [
        [
            ("" if value is None else value, _cell(name, value, decimals))
            for name, value in zip(columns, row, strict=True)
        ]
        for row in sites.select(columns).iter_rows()
    ]
    return {
        "site_columns": [(SITE_COLUMNS[name], name in WHOLE or sites[name].dtype.is_float()) for name in columns],
        "site_rows": list(zip(sites["enters"].to_list(), cells, strict=True)),
    }


def _cell(name: str, value: str | float | None, decimals: int) -> str:
    if isinstance(value, str):
        return value
    if name in WHOLE:
        return f"{value:,}" if name == "days" else str(value)
    return show(value, decimals if name in ("rmse", "mae", "bias") else 3)


def _data_uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
