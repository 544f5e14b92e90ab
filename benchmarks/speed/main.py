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
    from . import gather, global_grid, grids, half_hours, neuralhydrology, raci, reading, retrieval, step, xmethanewet
    from .show import load, machine, print_rows, write_json

    console.print(", ".join(f"{name} {value}" for name, value in machine().items()), highlight=False, soft_wrap=True)
    threads = [settings.threads] if settings.threads else [1, 2][: os.cpu_count() or 1]
    loads = [load()]
    rows = {}
    if "gather" in settings.speeds:
        rows["gather"] = gather.measure(settings, threads)
        print_rows(f"gather: batches of {settings.batch} x 365 x 15 float32, shuffled", rows["gather"], console)
    if "step" in settings.speeds:
        rows["step"] = step.measure(settings, threads)
        print_rows("step: training, hidden 64, 365 days", rows["step"], console)
    if "raci" in settings.speeds:
        rows["raci"] = raci.measure(settings, threads)
        print_rows(
            f"raci: a training step, hidden {raci.WIDTH}, 365 days, batch {settings.batch}", rows["raci"], console
        )
    if "retrieval" in settings.speeds:
        rows["retrieval"] = retrieval.measure(settings, threads)
        print_rows(f"retrieval: {retrieval.K} of {settings.places:,} places", rows["retrieval"], console)
    if "xmethanewet" in settings.speeds:
        rows["xmethanewet"] = xmethanewet.measure(settings, threads)
        print_rows("xmethanewet: batches of 128 x 365 x 15, and targets", rows["xmethanewet"], console)
    for name, measure, title in (
        ("neuralhydrology", neuralhydrology.measure, "as many days of a window as ours"),
        ("neuralhydrology_default", neuralhydrology.measure_default, "its default, the last day of a window"),
    ):
        why_not = neuralhydrology.missing(settings)
        if name in settings.speeds and why_not is None:
            rows[name] = measure(settings, threads[-1])
            print_rows(f"{name}: LSTM 64 on 365 days of 30 towers, {title}", rows[name], console)
        elif name in settings.speeds:
            console.print(f"{name}: skipped, {why_not}", highlight=False, soft_wrap=True)
    if "half_hours" in settings.speeds:
        rows["half_hours"] = half_hours.measure(settings, threads[-1])
        print_rows("half_hours: a FLUXNET table to days", rows["half_hours"], console)
    if "grids" in settings.speeds:
        rows["grids"] = grids.measure(settings, threads[-1])
        print_rows("grids: full-size years of X-MethaneWet to a cube", rows["grids"], console)
    if "global" in settings.speeds:
        rows["global"] = global_grid.measure(settings, threads)
        print_rows("global: a 0.5-degree land grid, Zarr to Zarr", rows["global"], console)
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
