"""The Slurm job step that this process is a task of, where srun started one process for each device."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import UserError
from .schema import TrainerConfig


@dataclass(frozen=True)
class JobStep:
    """A task among those of its job step.

    Attributes
    ----------
    name : tells the step from every other, one that was queued again included.
    rank : from 0. world : number of tasks.
    local : rank among the tasks of this node. node : number of this node in the step. host : what Slurm calls it.
    cpus : CPU cores of the step on this node.
    """

    name: str
    rank: int
    world: int
    local: int
    node: int
    host: str
    cpus: int


def job_step(trainer: TrainerConfig, told: Mapping[str, str] = os.environ) -> JobStep | None:
    """Return this task's place in its job step; None outside a step, and in a step of one task.

    Parameters
    ----------
    told : variables that srun sets, see "OUTPUT ENVIRONMENT VARIABLES" of srun(1).

    Raises
    ------
    UserError
        Several nodes are asked for outside srun, or the step's tasks are not one for each device.
    """
    world = int(told.get("SLURM_STEP_NUM_TASKS", 1))  # set by srun alone: a batch script has none
    asked = f"trainer.num_nodes={trainer.num_nodes} with trainer.devices={trainer.devices}"
    command = f"srun --nodes={trainer.num_nodes} --ntasks-per-node={trainer.devices} python scripts/train.py ..."
    if world == 1:
        if trainer.num_nodes > 1:
            raise UserError(f"{asked} takes one task for each device; start it as {command}, see docs/cluster.md")
        return None
    of_nodes = told.get("SLURM_STEP_TASKS_PER_NODE", "")
    even = f"{trainer.devices}(x{trainer.num_nodes})" if trainer.num_nodes > 1 else f"{trainer.devices}"
    if of_nodes != even:
        raise UserError(f"srun started {world} tasks, on its nodes {of_nodes}, but {asked} takes {even}; use {command}")
    return JobStep(
        ".".join(told.get(name, "0") for name in ("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT")),
        int(told["SLURM_PROCID"]),
        world,
        int(told["SLURM_LOCALID"]),
        int(told["SLURM_NODEID"]),
        told.get("SLURMD_NODENAME", ""),
        int(told.get("SLURM_CPUS_ON_NODE", 1)),
    )
