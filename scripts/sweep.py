"""Run a grid of trainings, on a cluster as one Slurm job array or here in a few processes.

sweep.py experiment=fluxnet2015_gpp model=lstm,raci seed=0..4 data.split.fold=0..4              check, start nothing
sweep.py ... cluster=NAME          submit what is missing; NAME is a page of configs/cluster/ or the path of yours
sweep.py ... --local N             run what is missing on this machine, N points at a time
sweep.py ... --status              how each point stands, and why
sweep.py FOLDER cluster=NAME | --local N | --status        the same of a sweep that was made, by its folder

key=a,b,c takes each value, key=0..4 each whole number; brackets and quotes keep a comma, as in compare=[a,b].
sweep=NAME names the sweep and its W&B group. See docs/sweeps.md.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from raciflux.command_line import run_script
from raciflux.config.checks import check_machine
from raciflux.config.cluster import ClusterConfig, check_fits, read_cluster
from raciflux.config.schema import Config
from raciflux.errors import UserError
from raciflux.sweep.local import run_local
from raciflux.sweep.order import leaders
from raciflux.sweep.plan import Sweep, check_again, load_sweep, make_folder, plan, write_manifest
from raciflux.sweep.requeue import run_task
from raciflux.sweep.slurm import submit, told_by_slurm
from raciflux.sweep.status import lines, standings, summary, to_run
from raciflux.sweep.task import serve_point
from raciflux.workflow.folder import locked

SCRIPT = Path(__file__).resolve()
TRAIN = SCRIPT.with_name("train.py")


def main(arguments: Sequence[str]) -> None:
    """Do what the command line asks."""
    asked = parser().parse_intermixed_args(arguments)
    if asked.run is not None:
        sweep, number = load_sweep(Path(asked.run[0]).parent), int(asked.run[1])
        if not serve_point(sweep, number):
            print(run_task(sweep, number, TRAIN))
        return
    page, name, rest = taken(asked.grid)
    if asked.local is not None and asked.local < 1:
        raise UserError(f"--local {asked.local}: give the number of points to run at a time, 1 or more")
    if sum((page is not None, asked.local is not None, asked.status)) > 1:
        raise UserError("cluster=, --local and --status exclude each other; give one")
    cluster = None if page is None else read_cluster(page)
    sweep = asked_sweep(rest, name, lambda config: check_place(config, cluster, asked.local))
    if asked.status:
        stand = standings(load_sweep(sweep.folder), told_by_slurm(sweep))
        print("\n".join([*lines(sweep, stand), f"{sweep.folder}: {summary(stand)}"]))
    elif cluster is None and asked.local is None:
        print("\n".join(point.name for point in sweep.points))
        print(
            f"{len(sweep.points)} valid points for {sweep.folder}; nothing was started: add cluster=NAME or --local N"
        )
    else:
        start(sweep, cluster, asked.local)


def parser() -> argparse.ArgumentParser:
    """Return the grammar of the command line."""
    whole = argparse.ArgumentParser(
        prog="sweep.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    whole.add_argument("grid", nargs="*", help="key=value[,value ...], or the folder of a sweep")
    whole.add_argument("--local", type=int, metavar="N", help="run on this machine, N points at a time")
    whole.add_argument("--status", action="store_true", help="say how each point stands")
    whole.add_argument("--run", nargs=2, help=argparse.SUPPRESS)  # MANIFEST NUMBER: what a task of the array calls
    return whole


def taken(arguments: Sequence[str]) -> tuple[str | None, str | None, list[str]]:
    """Return what ``cluster=`` and ``sweep=`` say, and the other arguments."""
    own: dict[str, str] = {}
    rest = []
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key not in ("cluster", "sweep"):
            rest.append(argument)
        elif key in own:
            raise UserError(f"{key} is given twice; keep one")
        else:
            own[key] = value
    return own.get("cluster"), own.get("sweep"), rest


def asked_sweep(rest: Sequence[str], name: str | None, check: Callable[[Config], None]) -> Sweep:
    """Return the sweep that is typed, or the one of the folder that is named, every point of it checked."""
    if len(rest) == 1 and "=" not in rest[0]:
        sweep = load_sweep(Path(rest[0]))
        check_again(sweep, check)
        return sweep
    return plan(rest, name, check)


def check_place(config: Config, cluster: ClusterConfig | None, processes: int | None) -> None:
    """Refuse a point for what its machine or cluster cannot give."""
    if processes is not None:
        check_machine(config)
    elif cluster is not None:
        check_fits(config, cluster)
        # Whether there is a GPU, and who starts the tasks of several nodes, is told where the point runs.
        check_machine(replace(config, trainer=replace(config.trainer, accelerator="auto", num_nodes=1)))


def start(sweep: Sweep, cluster: ClusterConfig | None, processes: int | None) -> None:
    """Submit what is missing, or run it here."""
    make_folder(sweep)
    with locked(sweep.folder):
        write_manifest(sweep)
        stand = standings(sweep, told_by_slurm(sweep))
        numbers = to_run(stand)
        print(f"{len(sweep.points)} points in {sweep.folder}: {summary(stand)}", flush=True)
        after = leaders(sweep, numbers, stand)
        if after:
            print(f"{len(after)} of them wait for the pretraining of another", flush=True)
        if numbers and cluster is not None:
            print(f"submitted {len(numbers)} of them as Slurm job {submit(sweep, numbers, after, cluster, SCRIPT)}")
        elif numbers and processes is not None:
            run_local(sweep, numbers, after, processes, TRAIN, lambda line: print(line, flush=True))
            failed = to_run(standings(sweep, {}))
            if failed:
                raise UserError(f"{len(failed)} of {len(sweep.points)} points failed; give the command again to retry")


if __name__ == "__main__":
    run_script(main)
