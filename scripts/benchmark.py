"""Measure the speeds raciflux promises: ``python scripts/benchmark.py [speed=gather|step|read] [key=value ...]``."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from raciflux.command_line import run_script
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1]))  # the peers' code stands beside the package, not in it

from benchmarks.speed.settings import help_lines, parse_settings


def main(arguments: Sequence[str]) -> None:
    """Measure, print a table for each speed, and write JSON where asked."""
    if any(argument in ("-h", "--help") for argument in arguments):
        print(f"{__doc__}\n\n{help_lines()}")
        return
    settings = parse_settings(arguments)
    # Imported only now: mistakes are said before the heavy libraries are loaded.
    from benchmarks.speed import gather, reading, step
    from benchmarks.speed.show import load, machine, print_rows, write_json

    console = Console()
    console.print(", ".join(f"{name} {value}" for name, value in machine().items()), highlight=False, soft_wrap=True)
    threads = [settings.threads] if settings.threads else [1, 2][: os.cpu_count() or 1]
    loads = [load()]
    rows = {}
    if "gather" in settings.speeds:
        rows["gather"] = gather.measure(settings, threads)
        print_rows(f"gather: batches of {settings.batch} x 365 x 15 float32, shuffled", rows["gather"], console)
    if "step" in settings.speeds:
        rows["step"] = step.measure(settings, threads)
        print_rows(f"step: training the LSTM, hidden 64, 365 days, batch {settings.batch}", rows["step"], console)
    if "read" in settings.speeds:
        why_not = reading.missing(settings.data.root)
        if why_not is None:
            rows["read"] = reading.measure(settings, threads[-1])
            print_rows("read: FLUXNET2015, files to training", rows["read"], console)
        else:
            console.print(f"read: skipped, {why_not}", highlight=False, soft_wrap=True)
    loads.append(load())
    console.print(f"load average before {loads[0]}, after {loads[1]}", highlight=False, soft_wrap=True)
    if settings.output is not None:
        write_json(Path(settings.output), settings, rows, loads)


if __name__ == "__main__":
    run_script(main)
