"""``report.html``: one self-contained page of a run, for phone and desktop; everything from data is escaped."""

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from ...atomic import write_text
from ..figures.drawing import Drawn
from ..headline import unlike
from ..scored import ScoredRun
from ..scores.tables import score_names
from ..transferred import verdict
from ..wording import LABELS, QUESTION_MEANINGS, long_name, notes, pretty_unit, question, target_name, where
from .calibration import calibration_section
from .comparison import comparable, comparison_section, median_charts
from .error import SCALE_NOTE, group_tables, part_chart, scale_tables
from .map import site_map
from .series import BAND, pack_series, ranked_sites
from .tables import headline_table, site_fact, site_table
from .transfer import transfer_section
from .trust import trust_section
from .why import why_section

SCRIPTS = ("report_page.js", "report_why.js", "report_series.js")  # the last chooses the first site
DRAWN_LIVE = (
    "comparison",
    "series",
    "error_map",
    "reliability",
    "neighbours",
    "distance_map",
    "context",
)  # figures that the page draws itself, for a mouse and a finger
READING = (
    "R² is the Nash–Sutcliffe efficiency, 1 − SSE/SST; median and quartiles over sites, pooled over all days; bias is"
    " predicted − observed"
)


def write_report(run: ScoredRun, baselines: Sequence[ScoredRun], figures: Sequence[Drawn], path: Path) -> None:
    """Write the report of a run, whole or not at all."""
    write_text(render("report.html", _content(run, baselines, figures), SCRIPTS), path)


def render(template: str, content: dict[str, Any], scripts: Sequence[str] = ()) -> str:
    """Fill a template of this package; only the given scripts of this package may run in the page."""
    environment = Environment(
        loader=FunctionLoader(_packaged),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = "\n".join(map(_packaged, scripts))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    own = {"style": Markup(_packaged("report.css")), "script": Markup(script), "script_hash": f"sha256-{digest}"}
    return environment.get_template(template).render({**content, **own}).lstrip()


def _packaged(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _content(run: ScoredRun, baselines: Sequence[ScoredRun], figures: Sequence[Drawn]) -> dict[str, Any]:
    summary = run.summary
    odd = summary["without_odd_sites"]
    alike, refused = comparable(run, baselines)
    compared, comparison_notes = comparison_section(run, alike)
    content = {
        "summary": summary,
        "model": run.label,
        "target": target_name(summary),
        "long_name": long_name(summary),
        "where": where(summary),
        "unit": pretty_unit(summary["units"]),
        "primary": LABELS[run.primary],
        "facts": _facts(run),
        "warnings": [*_hurt(run), *unlike(run, baselines), *refused, *([] if compared else comparison_notes)],
        "notes": [READING, *notes(summary), *run.folder.not_learned()],
        "headline": [(LABELS[score], headline_table(run, baselines, score)) for score in summary["scores"]],
        "odd_sites": odd["sites"] if odd else [],
        "odd_headline": [
            (LABELS[score], headline_table(run, baselines, score, odd_sites=False))
            for score in (summary["scores"] if odd else ())
        ],
        "median_charts": median_charts(run, alike),
        "compared": compared,
        "comparison_notes": comparison_notes,
        "part_chart": part_chart(run, alike),
        "error_counts": _counts(run),
        "scale_tables": scale_tables(run, alike),
        "scale_note": SCALE_NOTE,
        "group_tables": group_tables(run),
        "calibration": calibration_section(run, alike),
        "trust": trust_section(run),
        "transfer": transfer_section(run),
        **_series(run, alike),
        "figures": [(figure, _data_uri(figure.path)) for figure in figures if figure.path.stem not in DRAWN_LIVE],
        "config": run.folder.config_text(),
        "command": run.folder.command(),
        "versions": run.folder.versions(),
    }
    return content | {"sections": _sections(content)}


def _series(run: ScoredRun, baselines: Sequence[ScoredRun]) -> dict[str, Any]:
    """Gather the series, and what leads to them: the map and the table of sites."""
    packed = pack_series(run, baselines)
    for site in packed["sites"]:
        site["fact"] = site_fact(run, site["id"])
    numbers = {site["id"]: number for number, site in enumerate(packed["sites"])}
    ranked = {rank: numbers[site] for rank, site in ranked_sites(run).items() if site in numbers}
    attrs = run.predictions.attrs
    level = f"{float(attrs['interval_level']):.0%} interval" if "interval_level" in attrs else "interval"
    return {
        "packed": packed,
        "ranked": ranked or {"median": 0},
        "site_count": run.predictions.sizes["site"],
        "has_band": BAND[0] in packed["columns"],
        "band_name": f"{level}, {attrs['interval_method']}" if "interval_method" in attrs else level,
        "has_filled": len(score_names(run.predictions)) > 1,
        "site_map": site_map(run, numbers),
        "why": why_section(run, list(numbers)),
        "site_table": site_table(run, numbers),
    }


def _sections(content: dict[str, Any]) -> dict[str, str]:
    """List the sections that the run has data for: anchor and title, in the order of the page."""
    sections = {
        "asked": ("Asked", True),
        "scores": ("Scores", True),
        "comparison": ("Baselines", bool(content["compared"])),
        "error": ("Error", content["part_chart"] is not None),
        "classes": ("Classes", bool(content["group_tables"])),
        "calibration": ("Uncertainty", content["calibration"] is not None),
        "trust": ("Trust", content["trust"] is not None),
        "transfer": ("Transfer", content["transfer"] is not None),
        "map": ("Map", content["site_map"] is not None),
        "series": ("Series", bool(content["packed"]["sites"])),
        "why": ("Why", content["why"] is not None),
        "sites": ("Sites", True),
        "figures": ("Figures", bool(content["figures"])),
        "made": ("Made", True),
    }
    return {anchor: title for anchor, (title, shown) in sections.items() if shown}


def _facts(run: ScoredRun) -> dict[str, str]:
    """Say what was asked, in the order that the page lists it."""
    predictions = run.predictions
    day = predictions["time"].to_numpy().astype("datetime64[D]")
    folds = len(set(predictions["fold"].to_numpy().tolist()))
    return {
        "experiment": run.summary["experiment"],
        "pair": run.summary["pair"],
        "flux": f"{long_name(run.summary)} [{pretty_unit(run.summary['units'])}]",
        "model": run.label,
        "question": QUESTION_MEANINGS[question(run.summary)],
        "test sites": f"{predictions.sizes['site']:,} in {folds} fold{'s' if folds > 1 else ''}, each tested once",
        "period": f"{day.min()} to {day.max()}" if day.size else "no days",
    }


def _hurt(run: ScoredRun) -> list[str]:
    """Return the warning of a run whose simulation hurts on validation."""
    said = verdict(run.folder)
    return [said[0]] if said is not None and said[1] else []


def _counts(run: ScoredRun) -> str:
    block = run.summary["scores"][run.primary]["error_parts"]
    return f"{block['sites']:,} sites, {block['clusters']:,} clusters, {block['days']:,} days"


def _data_uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
