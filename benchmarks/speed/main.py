"""The speed benchmark from its command line: measure, print a table for each speed, write JSON where asked."""

import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from .settings import parse_settings


def measure_speed(arguments: Sequence[str], console: Console) -> None:
    """Measure the speeds asked for."""
    settings = parse_settings(arguments)
    # Imported only now: mistakes are said before the heavy libraries are loaded.
    from .show import load, machine, print_rows, write_json
    from .speeds import SPEEDS

    console.print(", ".join(f"{name} {value}" for name, value in machine().items()), highlight=False, soft_wrap=True)
    threads = [settings.threads] if settings.threads else [1, 2][: os.cpu_count() or 1]
    loads = [load()]
    rows = {}
    for name in settings.speeds:
        speed = SPEEDS[name]
        if why_not := speed.missing(settings):
            console.print(f"{name}: skipped, {why_not}", highlight=False, soft_wrap=True)
            continue
        rows[name] = speed.measure(settings, threads)
        print_rows(f"{name}: {speed.title.format_map(vars(settings))}", rows[name], console)
    loads.append(load())
    console.print(f"load average before {loads[0]}, after {loads[1]}", highlight=False, soft_wrap=True)
    if settings.output is not None:
        write_json(Path(settings.output), settings, rows, loads)
