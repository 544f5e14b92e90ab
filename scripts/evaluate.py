"""Recompute every number of a run from its folder alone, compare runs, or average them.

evaluate.py RUN [--check]                 rewrite metrics, figures and report, and print the table
evaluate.py compare RUN|SWEEP [...]       differences with intervals; one run: against the models beside it
evaluate.py ensemble RUN RUN ... --output FOLDER   the mean of runs, as a run of its own
evaluate.py adapt RUN [RUN ...] --shown FILE.json --days K --output FOLDER   corrected by K own days of each site
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from raciflux.command_line import run_script
from raciflux.errors import UserError
from raciflux.evaluation.comparison.bootstrap import DRAWS
from raciflux.evaluation.comparison.console import print_comparison
from raciflux.evaluation.comparison.ensemble import write_ensemble
from raciflux.evaluation.comparison.files import write_comparison
from raciflux.evaluation.comparison.folders import compare_folders
from raciflux.evaluation.console import print_evaluation
from raciflux.evaluation.evaluate import evaluate_run, score_run, stored_differences
from raciflux.own_days.correct import CORRECTIONS
from raciflux.sweep.results import finished_runs
from rich.console import Console


def main(arguments: Sequence[str]) -> None:
    """Do what the command line asks; without a command, evaluate the run folder that it names."""
    commands = {"run": run, "compare": compare, "ensemble": ensemble, "adapt": adapt}
    named = not arguments or arguments[0] in (*commands, "-h", "--help")
    asked = parser().parse_args(arguments if named else ["run", *arguments])
    commands[asked.command](asked, Console())


def parser() -> argparse.ArgumentParser:
    """Return the grammar of the command line."""
    whole = argparse.ArgumentParser(
        prog="evaluate.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = whole.add_subparsers(dest="command", required=True)
    one = commands.add_parser("run", help="evaluate one run")
    one.add_argument("run", help="run folder, as scripts/train.py printed it")
    one.add_argument(
        "--check", action="store_true", help="write nothing; fail if a stored number differs from the recomputed one"
    )
    several = commands.add_parser("compare", help="compare runs of one test set")
    several.add_argument(
        "runs",
        nargs="+",
        type=Path,
        help="run folders, or sweeps for their finished points, the model of interest first; its seeds are pooled",
    )
    several.add_argument("--reference", help="model to hold the others against (default: the first), or best_baseline")
    several.add_argument("--target", help="only this target of runs with several")
    several.add_argument("--score", help="only this score, such as measured")
    several.add_argument("--output", type=Path, help="folder for the tables (default: comparison/ in the first)")
    several.add_argument("--draws", type=int, default=DRAWS, help="bootstrap draws (default: %(default)s)")
    mean = commands.add_parser("ensemble", help="average the predictions of runs")
    mean.add_argument(
        "runs",
        nargs="+",
        help="run folders: different seeds of one model, or different models, which its name then holds",
    )
    mean.add_argument("--output", type=Path, required=True, help="new run folder of the ensemble")
    own = commands.add_parser("adapt", help="correct a run's predictions by a few own days of each site")
    own.add_argument("runs", nargs="+", help="runs with calibration.kind=cross_conformal; of several, their mean")
    own.add_argument("--shown", type=Path, required=True, help="JSON file of start dates, see docs/own_days.md")
    own.add_argument("--days", type=int, required=True, help="days shown from the start; 0 shows none")
    own.add_argument("--start", type=int, default=0, help="which start date of each site, from 0 (default: 0)")
    own.add_argument("--correction", choices=list(CORRECTIONS), default="empirical_bayes", help="default: %(default)s")
    own.add_argument("--output", type=Path, required=True, help="new run folder")
    return whole


def run(asked: argparse.Namespace, console: Console) -> None:
    """Evaluate one run."""
    evaluations = score_run(asked.run) if asked.check else evaluate_run(asked.run)
    differences = [line for one in evaluations for line in stored_differences(one)] if asked.check else []
    if differences:
        more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
        raise UserError(f"{differences[0]}{more}")
    for evaluation in evaluations:
        print_evaluation(evaluation, console)


def compare(asked: argparse.Namespace, console: Console) -> None:
    """Compare runs; what a sweep has not finished is named beside the numbers."""
    options = {"target": asked.target, "reference": asked.reference, "score": asked.score, "draws": asked.draws}
    runs, unfinished = finished_runs(asked.runs)
    try:
        comparisons = compare_folders(runs, **options)
    except UserError as error:
        if unfinished:
            raise UserError(f"{error}; perhaps for {len(unfinished)} points: {unfinished[0]}") from error
        raise
    output = asked.output or asked.runs[0] / "comparison"
    for target, compared in comparisons.items():
        comparison = replace(compared, remarks=unfinished)
        print_comparison(comparison, console)
        written = write_comparison(comparison, output / target if len(comparisons) > 1 else output)
        console.print(f"tables: {', '.join(map(str, written))}", soft_wrap=True, markup=False)


def ensemble(asked: argparse.Namespace, console: Console) -> None:
    """Average runs, and evaluate their mean."""
    for evaluation in evaluate_run(write_ensemble(asked.runs, asked.output)):
        print_evaluation(evaluation, console)


def adapt(asked: argparse.Namespace, console: Console) -> None:
    """Correct by own days, and evaluate what comes of it."""
    from raciflux.workflow.adapt import write_adapted  # reads the run's data, which no other command does

    command = ["python", "scripts/evaluate.py", "adapt", *map(str, asked.runs), "--shown", str(asked.shown)]
    command += ["--days", str(asked.days), "--start", str(asked.start), "--correction", asked.correction]
    command += ["--output", str(asked.output)]
    runs = [Path(folder) for folder in asked.runs]
    choice = (asked.shown, asked.correction, asked.days, asked.start)
    for evaluation in evaluate_run(write_adapted(runs, *choice, asked.output, command)):
        print_evaluation(evaluation, console)


if __name__ == "__main__":
    run_script(main)
