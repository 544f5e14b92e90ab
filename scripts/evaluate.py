"""Recompute every number of a run from its folder alone; rewrite metrics, figures and report, and print the table."""

import argparse
from collections.abc import Sequence

from raciflux.command_line import run_script
from raciflux.errors import UserError
from raciflux.evaluation.console import print_evaluation
from raciflux.evaluation.evaluate import evaluate_run, score_run, stored_differences
from rich.console import Console


def main(arguments: Sequence[str]) -> None:
    """Evaluate the run folder named on the command line."""
    parser = argparse.ArgumentParser(prog="evaluate.py", description=__doc__)
    parser.add_argument("run", help="run folder, as scripts/train.py printed it")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if a stored number differs from the recomputed one"
    )
    asked = parser.parse_args(arguments)

    if asked.check:
        evaluations = score_run(asked.run)
        differences = [line for evaluation in evaluations for line in stored_differences(evaluation)]
        if differences:
            more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
            raise UserError(f"{differences[0]}{more}")
    else:
        evaluations = evaluate_run(asked.run)
    console = Console()
    for evaluation in evaluations:
        print_evaluation(evaluation, console)


if __name__ == "__main__":
    run_script(main)
