"""What Slurm says of a task is read, and an srun that does not fit the trainer is refused in a line."""

import pytest
from raciflux.config.job_step import JobStep, job_step
from raciflux.config.schema import TrainerConfig
from raciflux.errors import UserError

TOLD = {  # as srun 23.11 sets them in the second task on the second of two nodes
    "SLURM_JOB_ID": "7",
    "SLURM_STEP_ID": "1",
    "SLURM_RESTART_COUNT": "2",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
    "SLURMD_NODENAME": "two",
    "SLURM_CPUS_ON_NODE": "8",
}


def test_a_task_knows_its_place():
    step = job_step(TrainerConfig(devices=2, num_nodes=2), TOLD)
    assert step == JobStep("7.1.2", rank=3, world=4, local=1, node=1, host="two", cpus=8)


def test_the_tasks_of_one_node_are_ranks_too():
    told = TOLD | {"SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_TASKS_PER_NODE": "2", "SLURM_PROCID": "1"}
    step = job_step(TrainerConfig(devices=2), told)
    assert step is not None and (step.rank, step.world) == (1, 2)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"SLURM_JOB_ID": "7", "SLURM_PROCID": "0", "SLURM_NTASKS": "4"},  # a batch script
        TOLD | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_STEP_TASKS_PER_NODE": "1"},  # a shell that srun started
    ],
)
def test_one_process_is_no_step_and_several_nodes_want_srun(told):
    assert job_step(TrainerConfig(), told) is None
    assert job_step(TrainerConfig(devices=2), told) is None  # which it starts itself
    with pytest.raises(UserError, match="start it as srun --nodes=3 --ntasks-per-node=2 python"):
        job_step(TrainerConfig(devices=2, num_nodes=3), told)


@pytest.mark.parametrize(
    ("trainer", "of_nodes"),
    [
        (TrainerConfig(), "2(x2)"),  # each would be a run of its own
        (TrainerConfig(devices=4), "2(x2)"),
        (TrainerConfig(devices=2, num_nodes=2), "1,3"),
        (TrainerConfig(devices=2, num_nodes=2), "4"),
    ],
)
def test_tasks_that_are_not_one_for_each_device_are_refused(trainer, of_nodes):
    with pytest.raises(UserError, match=r"srun started 4 tasks, on its nodes \d.* takes .*; use srun --nodes="):
        job_step(trainer, TOLD | {"SLURM_STEP_TASKS_PER_NODE": of_nodes})
