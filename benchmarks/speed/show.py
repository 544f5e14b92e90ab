"""The results as a table and as JSON, with the machine they were measured on."""

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .settings import Settings
from .timing import Row, Spread

PACKAGES = ("torch", "lightning", "numpy", "pandas", "polars", "xarray", "scikit-learn", "scipy")

PLACES = ("output=", "data.root=", "python=")  # where something stands on this machine is no part of a result


def machine() -> dict[str, str | int]:
    """Return the hardware, the versions and the date."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count() or 1,
        "processor": _processor(),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def load() -> list[float]:
    """Return the load averages of 1, 5 and 15 minutes; more than a little of it makes times doubtful."""
    return [round(value, 2) for value in os.getloadavg()]


def print_rows(title: str, rows: Sequence[Row], console: Console) -> None:
    """Print one table."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("what", overflow="fold")
    for name in ("threads", "ours", "against", "ratio", "bar"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        against = "" if row.theirs is None else f"{number(row.theirs)}\n{row.unit}"
        table.add_row(
            escape(row.what),
            str(row.threads),
            f"{number(row.ours)}\n{row.unit}",
            against,
            _ratio(row.ratio),
            verdict(row),
        )
    console.print(table)


def write_json(
    path: Path, settings: Settings, rows: Mapping[str, Sequence[Row]], loads: Sequence[Sequence[float]]
) -> None:
    """Write settings, machine, load average before and after, and every row."""
    arguments = [argument for argument in sys.argv[1:] if not argument.startswith(PLACES)]
    asked = {name: value for name, value in asdict(settings).items() if name not in ("data", "output", "python")}
    content = {
        "command": " ".join(["python scripts/benchmark.py", *arguments]),
        "settings": asked,
        "machine": machine(),
        "load_average": {"before": loads[0], "after": loads[1]},
        "results": {speed: [asdict(row) | {"met": row.met} for row in of_speed] for speed, of_speed in rows.items()},
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _processor() -> str:
    """Return the model name; Python knows it only outside Linux."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def number(value: float) -> str:
    """Return three digits, or all before the point."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}" if value < 10 else f"{value:.1f}"


def _ratio(ratio: Spread | None) -> str:
    return "" if ratio is None else f"{ratio.median:.3g}\n{ratio.lowest:.3g} - {ratio.highest:.3g}"


def verdict(row: Row) -> str:
    """Return the bar and whether it is met, on two lines; empty without a bar."""
    if row.bar is None:
        return ""
    return f"{'>=' if row.bar.at_least else '<='} {row.bar.limit:g}\n{'met' if row.met else 'MISSED'}"
