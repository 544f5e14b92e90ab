"""Measure what raciflux promises.

``python scripts/benchmark.py [speed=gather|step|read] [key=value ...]`` measures speeds,
``python scripts/benchmark.py accuracy=fluxnet2015|peprmt_ch4|pmodel_gpp|embedded [key=value ...]`` how well each model
predicts; what an earlier call finished is not run again.
``python scripts/benchmark.py own_days=few_shot|gap base=[RUN,...] [raci=[RUN,...]]`` what own days are worth.
``python scripts/benchmark.py transfer=labels|simulator_error|... [key=value ...]`` which technique of transfer helps.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from raciflux.command_line import run_script
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1]))  # the benchmarks' code stands beside the package, not in it

from benchmarks.accuracy import settings as accuracy
from benchmarks.accuracy.main import measure_accuracy
from benchmarks.own_days import settings as own_days
from benchmarks.own_days.main import measure_own_days
from benchmarks.speed import settings as speed
from benchmarks.speed.main import measure_speed
from benchmarks.transfer import settings as transfer
from benchmarks.transfer.main import measure_transfer


def main(arguments: Sequence[str]) -> None:
    """Run the benchmark that is named, else measure speeds."""
    if any(argument in ("-h", "--help") for argument in arguments):
        print(f"{__doc__}\nspeed\n{speed.help_lines()}\n\naccuracy\n{accuracy.help_lines()}")
        print(f"\nown_days\n{own_days.help_lines()}\n\ntransfer\n{transfer.help_lines()}")
        return
    benchmarks = {"accuracy=": measure_accuracy, "own_days=": measure_own_days, "transfer=": measure_transfer}
    named = [measure for key, measure in benchmarks.items() if any(one.startswith(key) for one in arguments)]
    (named[0] if named else measure_speed)(arguments, Console())


if __name__ == "__main__":
    run_script(main)
