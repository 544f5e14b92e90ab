"""A sweep as one Slurm job array: what is submitted, and what Slurm says of it.

Whatever a user typed reaches the job as an argument or through the manifest; no shell ever reads it.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..atomic import write_text
from ..config.cluster import ClusterConfig
from ..errors import UserError
from ..json_strict import read_object
from .plan import Sweep

JOBS, SCRIPT, LOGS = "jobs.json", "job.sh", "slurm"
_RUNNING = ("RUNNING", "COMPLETING", "STAGE_OUT", "SIGNALING", "RESIZING")
_WAITING = (
    *("PENDING", "CONFIGURING", "SUSPENDED", "STOPPED"),
    *("REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD", "SPECIAL_EXIT"),
)

# On several nodes a task for each device runs the command: the first the point, the others what it hands them.
_SRUN = 'srun --kill-on-bad-exit=1 --wait=60 --cpus-per-task="$SLURM_CPUS_PER_TASK" '

# The arguments are put aside first: a script that `activate` sources would see them as its own.
_SCRIPT = """\
#!/bin/bash
# Written by scripts/sweep.py. One point of a sweep: the command comes as arguments, its last is the point's number.
command=("$@")
set --
set -eo pipefail
unset OMP_NUM_THREADS POLARS_MAX_THREADS  # of the machine it was submitted from; the command counts its own cores
{activate}
exec {launcher}"${{command[@]}}" "$SLURM_ARRAY_TASK_ID"
"""


@dataclass(frozen=True)
class Told:
    """What Slurm says of a point: its state, in Slurm's words or empty where it is forgotten, the job, why it waits."""

    state: str
    job: str
    reason: str = ""

    @property
    def runs(self) -> bool:
        """Whether the point runs now."""
        return self.state in _RUNNING

    @property
    def waits(self) -> bool:
        """Whether the point stands in the queue."""
        return self.state in _WAITING


def submit(
    sweep: Sweep, numbers: Sequence[int], after: Mapping[int, Sequence[int]], cluster: ClusterConfig, script: Path
) -> str:
    """Submit points as one job array, and return the job's number.

    Parameters
    ----------
    after : points that a point waits for, of this submission or an earlier one, however they end.
    script : ``scripts/sweep.py``, which each task calls.

    Raises
    ------
    UserError
        There is no Slurm here, or it refuses the job, or points on several nodes differ in their devices.
    """
    tasks = _tasks_on_a_node(sweep, numbers, cluster)
    # In full: a folder that is called as a flag is would be one, and `--wrap` is shell.
    job_script = (sweep.folder / SCRIPT).resolve()
    write_text(_SCRIPT.format(activate=cluster.activate or "", launcher=_SRUN if cluster.nodes > 1 else ""), job_script)
    logs = sweep.folder / LOGS
    logs.mkdir(exist_ok=True)
    own_python = cluster.activate is None and cluster.container is None
    command = [
        "sbatch",
        "--parsable",
        f"--job-name={_job_name(sweep)}",
        f"--array={_array(numbers)}" + ("" if cluster.at_once is None else f"%{cluster.at_once}"),
        f"--output={str(logs).replace('%', '%%')}/%A_%a.txt",
        *(["--hold"] if after else []),  # until each knows whom it waits for
        "--open-mode=append",  # a point that is queued up again goes on in its file
        *_options(cluster, tasks),
        str(job_script),
        *(cluster.container or "").split(),
        sys.executable if own_python else "python",
        str(script),
        "--run",
        str(sweep.manifest.resolve()),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UserError("there is no sbatch on this machine; run the sweep here with --local N") from None
    if done.returncode:
        raise UserError(f"sbatch refused the sweep: {_one_line(done.stderr)}")
    job = done.stdout.strip().partition(";")[0]
    write_text(json.dumps({"jobs": _jobs(sweep) | {job: list(numbers)}}) + "\n", sweep.folder / JOBS)
    if after:
        _say_who_waits(job, after, _last_jobs(sweep))
        if not any(flag.startswith("--ho") for flag in cluster.flags):  # else the page itself holds what it submits
            _scontrol(job, "release", job)
    return job


def _say_who_waits(job: str, after: Mapping[int, Sequence[int]], jobs: Mapping[int, str]) -> None:
    """Give tasks of an array that is held the tasks that they wait for, so that the array stays one."""
    following: dict[tuple[str, ...], list[int]] = {}
    for number, leaders in after.items():
        tasks = tuple(f"{jobs[leader]}_{leader}" for leader in leaders if leader in jobs)  # others run outside Slurm
        following.setdefault(tasks, []).append(number)
    for tasks, numbers in following.items():
        if tasks:
            _scontrol(job, "update", f"JobId={job}_[{_array(numbers)}]", f"Dependency=afterany:{':'.join(tasks)}")


def _scontrol(job: str, *words: str) -> None:
    done = subprocess.run(["scontrol", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(
            f"scontrol refused to let points wait for each other's pretraining: {_one_line(done.stderr)}; Slurm job "
            f"{job} is held: start it with scontrol release {job}, and the points wait while they run"
        )


def told_by_slurm(sweep: Sweep) -> dict[int, Told]:
    """Return what Slurm says of the points that were submitted, each as part of its last job.

    A task that is cancelled while it waits leaves no trace but in the accounts: it is told without a state.

    Raises
    ------
    UserError
        Slurm is there and does not answer.
    """
    jobs, last = _jobs(sweep), _last_jobs(sweep)
    if not jobs or shutil.which("squeue") is None:
        return {}
    told = _asked_of_squeue(sweep)
    if any((job, number) not in told for number, job in last.items()):
        told = _asked_of_sacct(jobs) | told
    return {number: told.get((job, number), Told("", f"{job}_{number}")) for number, job in last.items()}


def _asked_of_squeue(sweep: Sweep) -> dict[tuple[str, int], Told]:
    """Ask for every task of the sweep that Slurm still remembers, some minutes after its end."""
    command = ["squeue", f"--name={_job_name(sweep)}", "--array", "--noheader", "--states=all", "--format=%F|%K|%T|%r"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"squeue does not answer: {_one_line(done.stderr)}; try again when Slurm is up")
    rows = [line.split("|", 3) for line in done.stdout.splitlines()]
    return {
        (job, int(number)): Told(state, f"{job}_{number}", reason)
        for job, number, state, reason in rows
        if number.isdigit()
    }


def _asked_of_sacct(jobs: Iterable[str]) -> dict[tuple[str, int], Told]:
    """Ask the accounts of jobs that ended long ago, on a cluster that keeps them."""
    command = ["sacct", f"--jobs={','.join(jobs)}", "--allocations", "--noheader", "--parsable2"]
    try:
        done = subprocess.run([*command, "--format=JobID,State"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return {}
    told = {}
    for line in done.stdout.splitlines() if done.returncode == 0 else ():
        name, _, state = line.partition("|")
        job, _, number = name.partition("_")
        if number.isdigit() and state:
            told[job, int(number)] = Told(state.split()[0], name)  # "CANCELLED by 1000"
    return told


def _tasks_on_a_node(sweep: Sweep, numbers: Sequence[int], cluster: ClusterConfig) -> int:
    if cluster.nodes == 1:
        return 1
    devices = {sweep.points[number].config().trainer.devices for number in numbers}
    if len(devices) > 1:
        raise UserError(
            f"trainer.devices={','.join(map(str, sorted(devices)))} with nodes: {cluster.nodes}: an array starts one "
            "number of tasks on a node; make a sweep for each"
        )
    return devices.pop()


def _options(cluster: ClusterConfig, tasks: int) -> list[str]:
    asked = {
        "partition": cluster.partition,
        "account": cluster.account,
        "qos": cluster.qos,
        "time": cluster.time,
        "mem": cluster.memory,
        "gpus-per-node": cluster.gpus or None,
        "nodes": cluster.nodes,
        "ntasks-per-node": tasks,
        "cpus-per-task": cluster.cpus // tasks,
        # To the task alone, which hands it to the training.
        "signal": None if cluster.warn is None else f"B:USR1@{cluster.warn}",
    }
    return ["--requeue", *(f"--{name}={value}" for name, value in asked.items() if value is not None), *cluster.flags]


def _array(numbers: Sequence[int]) -> str:
    """Write numbers as sbatch reads them: ``0-3,7``."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def _jobs(sweep: Sweep) -> dict[str, list[int]]:
    """Return the points of each job that was submitted, in the order of submission."""
    path = sweep.folder / JOBS
    return dict(read_object(path, ["jobs"], "restore it")["jobs"]) if path.exists() else {}


def _last_jobs(sweep: Sweep) -> dict[int, str]:
    """Return the job of each point that was submitted, its last."""
    return {number: job for job, numbers in _jobs(sweep).items() for number in numbers}


def _job_name(sweep: Sweep) -> str:
    return f"raciflux-{sweep.folder.name}"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
