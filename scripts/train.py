"""Train, test and report a flux model: ``python scripts/train.py [group=option] [key=value] [experiment=recipe]``."""

import shlex
import time
from collections.abc import Sequence
from pathlib import Path

from raciflux.command_line import parse, run_script
from raciflux.config.job_step import job_step
from raciflux.config.schema import Config
from raciflux.stopping import listening, name_run


def main(argv: Sequence[str]) -> None:
    """Do what the command line asks; asked to stop, what was done is kept."""
    with listening():
        start(argv)


def start(argv: Sequence[str]) -> None:
    """Read the command line and run it; in a job step of Slurm the first task does, and the others serve it."""
    config = parse(argv)
    if config is None:
        return
    # Imported only now: --help and --validate answer before the heavy libraries are loaded.
    from raciflux.workflow.step_ranks import calling_others, serve

    step = job_step(config.trainer)
    if step is not None and step.rank > 0:
        serve(config, step)
        return
    with calling_others(config, step):
        run(config, argv)


def run(config: Config, argv: Sequence[str]) -> None:
    """Train every model of the configuration, evaluate the run folder, and show where to look."""
    from raciflux.evaluation.console import print_evaluation
    from raciflux.evaluation.evaluate import evaluate_run
    from raciflux.workflow.folder import locked, new_folder
    from raciflux.workflow.prepare import prepare
    from raciflux.workflow.progress import RunProgress
    from raciflux.workflow.stages import quiet
    from raciflux.workflow.tracking_results import log_results
    from raciflux.workflow.train import run_all, total_steps
    from rich.console import Console

    started = time.monotonic()
    quiet()
    prepared = prepare(config)
    folder = Path(config.resume) if config.resume else new_folder(config)
    with locked(folder):
        name_run(folder)
        progress = RunProgress(total_steps(config, len(prepared.folds)), config.trainer.progress)
        progress.say(f"{config.experiment} in {shlex.quote(str(folder))}", "bold")
        for note in prepared.notes:
            progress.say(f"  {note}", "dim")
        with progress.shown():
            run_all(config, prepared, folder, list(argv), progress)
        evaluations = evaluate_run(folder, config.report)
        console = Console()
        for evaluation in evaluations:
            print_evaluation(evaluation, console)
        log_results(config, folder, evaluations)
    console.print(f"time: {time.monotonic() - started:.0f} s", highlight=False)


if __name__ == "__main__":
    run_script(main)
