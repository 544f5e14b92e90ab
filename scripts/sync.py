"""Send offline W&B runs up, as often as you like: ``python scripts/sync.py [RUN|SWEEP|FOLDER ...]``, default ``runs``.

Each W&B run keeps its id; what was sent before is not sent again. A key has to be here (`wandb login`).
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from raciflux.command_line import run_script
from raciflux.errors import UserError
from raciflux.workflow.offline_runs import REFUSED, check_reachable, find, send


def main(arguments: Sequence[str]) -> None:
    """Send what is missing of every run, and say of each what was done."""
    asked = parser().parse_args(arguments)
    runs = find(asked.folders)
    if any(run.missing for run in runs):
        check_reachable()
    done: Counter[str] = Counter()
    for run in runs:
        state, why = send(run)
        done[state] += 1
        print(f"{run.folder}  {run.id}  {state}" + (f": {why}" if why else ""), flush=True)
    print(", ".join(f"{count} {state}" for state, count in done.items()) or "no offline runs there")
    if done[REFUSED]:
        raise UserError(f"{done[REFUSED]} of {len(runs)} runs were refused; give the command again to try them again")


def parser() -> argparse.ArgumentParser:
    """Return the grammar of the command line."""
    whole = argparse.ArgumentParser(
        prog="sync.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    whole.add_argument(
        "folders", nargs="*", type=Path, default=[Path("runs")], help="run folders, sweeps or folders of them"
    )
    return whole


if __name__ == "__main__":
    run_script(main)
