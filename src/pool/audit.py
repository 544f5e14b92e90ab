"""The audit: values in, site-days out, and where the others went: masked, converted, put together or left out."""

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..datamodules.sources.account import PUT_TOGETHER
from .catalogue import Written

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;width:100%;margin:1rem 0}td,th{border-bottom:1px solid #ddd;padding:.3rem .6rem;"
    "text-align:left;vertical-align:top}.n{text-align:right;font-variant-numeric:tabular-nums}code{font-size:.9em}"
    "ul{padding-left:1.2rem}.wide{overflow-x:auto}"
)


def audit_of(written: Sequence[Written]) -> list[dict[str, Any]]:
    """Return for each source its sites and input, what became of each variable's values, and its reader's notes."""
    return [
        {
            "source": each.name,
            "reader": each.kind,
            "product": each.attributes.get("source", each.name),
            "licence": each.attributes.get("licence", ""),
            "citation": each.attributes.get("citation", ""),
            "input_sha256": each.checksum,
            "cube": each.cube,
            "sites": len(each.rows),
            "variables": _variables(each),
            "notes": [line for line in each.attributes.get("reading_notes", "").split("\n") if line],
        }
        for each in written
    ]


def audit_page(audit: Sequence[dict[str, Any]]) -> str:
    """Return the audit as a page; what came from files is escaped."""
    sections = "".join(_section(source) for source in audit)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Audit of the pool</title><style>{STYLE}</style><h1>Audit of the pool</h1>"
        f"<p>{len(audit)} sources. Sites, days and values are counted over all of a source.</p>{sections}</html>\n"
    )


def _section(source: dict[str, Any]) -> str:
    about = "".join(
        f"<tr><th>{name}</th><td>{html.escape(str(source[key]))}</td></tr>"
        for name, key in (
            ("product", "product"),
            ("reader", "reader"),
            ("licence", "licence"),
            ("citation", "citation"),
            ("cube", "cube"),
            ("SHA-256 of the input", "input_sha256"),
            ("sites", "sites"),
        )
    )
    variables = "".join(_row(name, about_it) for name, about_it in source["variables"].items())
    notes = "".join(f"<li>{html.escape(line)}</li>" for line in source["notes"])
    noted = f"<ul>{notes}</ul>" if notes else "<p>The reader noted nothing.</p>"
    return (
        f'<h2>{html.escape(source["source"])}</h2><div class="wide"><table>{about}</table></div>'
        f'<div class="wide"><table><tr><th>variable</th><th>unit</th><th>values left after each step</th>'
        f'<th class="n">site-days in the cube</th></tr>{variables}</table></div>'
        f"<h3>While it was read</h3>{noted}"
    )


def _row(name: str, about: Mapping[str, Any]) -> str:
    """One variable; what a step took away stands in brackets."""
    steps, before = [], None
    for stage, count in about["steps"].items():
        fewer = before is not None and count < before and stage not in PUT_TOGETHER
        lost = f" (-{before - count:,})" if before is not None and fewer else ""
        steps.append(f"{html.escape(stage)} {count:,}{lost}")
        before = count
    unit = (
        about["unit"]
        if about["unit_in_files"] in ("", about["unit"])
        else f"{about['unit_in_files']} → {about['unit']}"
    )
    return (
        f"<tr><td><code>{html.escape(name)}</code></td><td>{html.escape(unit)}</td>"
        f'<td>{" → ".join(steps)}</td><td class="n">{about["site_days"]:,}</td></tr>'
    )


def _variables(written: Written) -> dict[str, dict[str, Any]]:
    days: dict[str, int] = {}
    for row in written.rows:
        for name, count in json.loads(row["days"]).items():
            days[name] = days.get(name, 0) + count
    return {
        name: {
            "unit_in_files": written.units[name][0],
            "unit": written.units[name][1],
            "steps": dict(account),
            "site_days": days.get(name, 0),
        }
        for name, account in sorted(written.accounts.items())
    }
