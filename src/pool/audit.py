"""The audit: what each source gave, what was masked, converted or left out while it was read, as a page and as JSON."""

import html
import json
from collections.abc import Sequence
from typing import Any

from .catalogue import Written

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;width:100%;margin:1rem 0}td,th{border-bottom:1px solid #ddd;padding:.3rem .6rem;"
    "text-align:left;vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums}code{font-size:.9em}"
    "ul{padding-left:1.2rem}.wide{overflow-x:auto}"
)


def audit_of(written: Sequence[Written]) -> list[dict[str, Any]]:
    """Return for each source its sites, the days of each variable, its input and what its reader noted."""
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
            "site_days": _site_days(each),
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
        f"<p>{len(audit)} sources. Days are those with a value in the cube.</p>{sections}</html>\n"
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
    days = "".join(
        f'<tr><td><code>{html.escape(name)}</code></td><td class="n">{count:,}</td></tr>'
        for name, count in source["site_days"].items()
    )
    notes = "".join(f"<li>{html.escape(line)}</li>" for line in source["notes"])
    noted = f"<ul>{notes}</ul>" if notes else "<p>The reader noted nothing.</p>"
    return (
        f'<h2>{html.escape(source["source"])}</h2><div class="wide"><table>{about}</table></div>'
        f"<table><tr><th>variable</th><th>site-days</th></tr>{days}</table>"
        f"<h3>While it was read</h3>{noted}"
    )


def _site_days(written: Written) -> dict[str, int]:
    total: dict[str, int] = {}
    for row in written.rows:
        for name, days in json.loads(row["days"]).items():
            total[name] = total.get(name, 0) + days
    return dict(sorted(total.items()))
