"""The committed results as one page: ``python -m benchmarks.speed.page`` makes ``results.md`` of ``results/*.json``."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .settings import ON_REQUEST
from .settings import SPEEDS as BY_DEFAULT
from .show import number, verdict
from .speeds import SPEEDS
from .timing import Bar, Row, Spread

HERE = Path(__file__).parent
HEAD = """\
# Measured speeds
Made of `results/*.json` by `python -m benchmarks.speed.page`; what is compared, and what is doubtful:
[README.md](README.md).
A ratio is the median over rounds, with its range; it is ours over theirs, or of times theirs over ours, unless its bar
says `<=`.
"""
HARDWARE = ("date", "cores", "processor")
COLUMNS = ("", "threads", "ours", "against", "unit", "ratio (range)", "bar")


def page(folder: Path = HERE / "results") -> str:
    """Return all results of a folder as Markdown, in the order of the settings."""
    measured = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    by_speed = {speed: content for content in measured for speed in content["results"]}
    return "\n".join(
        [HEAD, *(_section(name, by_speed[name]) for name in (*BY_DEFAULT, *ON_REQUEST) if name in by_speed)]
    )


def _section(name: str, content: Mapping[str, Any]) -> str:
    machine, load = content["machine"], content["load_average"]
    versions = ", ".join(
        f"{key} {value}" for key, value in machine.items() if key not in ("date", "cores", "processor")
    )
    rows = [_of_json(row) for row in content["results"][name]]
    lines = [
        f"## {name}: {SPEEDS[name].title.format_map(content['settings'])}",
        f"`{content['command']}`, seed {content['settings']['seed']}, {machine['date']}, {machine['processor']}, "
        f"{machine['cores']} cores, load average {load['before'][0]} before, {load['after'][0]} after; {versions}.\n",
        _line(COLUMNS),
        _line(["---"] * len(COLUMNS)),
        *(_line(_cells(row)) for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _of_json(row: Mapping[str, Any]) -> Row:
    ratio, bar = (kind(**row[key]) if row[key] else None for key, kind in (("ratio", Spread), ("bar", Bar)))
    return Row(row["what"], row["threads"], row["ours"], row["theirs"], row["unit"], ratio, bar)


def _cells(row: Row) -> list[str]:
    against = "" if row.theirs is None else number(row.theirs)
    ratio = "" if row.ratio is None else number(row.ratio.median)
    if row.ratio is not None and row.ratio.lowest < row.ratio.highest:
        ratio += f" ({number(row.ratio.lowest)} - {number(row.ratio.highest)})"
    bar = "" if row.bar is None else verdict(row).replace("\n", ", ")
    return [row.what, str(row.threads), number(row.ours), against, row.unit, ratio, bar]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    (HERE / "results.md").write_text(page(), encoding="utf-8")
