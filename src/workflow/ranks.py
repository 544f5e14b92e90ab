"""Several devices: one process each, which takes part in what rank zero hands out.

The process of the command is rank zero, and all that is not training or predicting stays its own: data, files,
progress. On one machine it starts the other ranks for each job, from a server that has loaded the libraries once: a
fork of rank zero itself could use neither its GPU nor its threads. In a job step of Slurm they are the step's other
tasks, see ``step_ranks``.
"""

import io
import pickle
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from typing import Any

import torch
from lightning.fabric.plugins.environments.lightning import find_free_network_port
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.parametrize import is_parametrized

from ..config.job_step import job_step
from ..config.schema import TrainerConfig
from ..stopping import held_back
from .others import Others, leave_group, take_part
from .rank import Rank
from .step_ranks import others_of_step


@contextmanager
def beside_other_ranks(work: Callable[[Rank], object], trainer: TrainerConfig) -> Iterator[Rank | None]:
    """Have ``work`` called by every other rank while the body does the same as the rank that this gives.

    Parameters
    ----------
    work : what one rank does; what it holds is copied to each.
    trainer : says how many ranks there are; with one, None is given and nothing is started.

    Raises
    ------
    UserError
        If another rank is gone before all have done their part.
    """
    world = trainer.devices * trainer.num_nodes
    if world == 1:
        yield None
        return
    port, threads = find_free_network_port(), torch.get_num_threads()
    share = _threads_of_a_rank(trainer)
    with _others(trainer.devices) as others:
        others.hand(pickled((work, port, share)))
        torch.set_num_threads(share)
        try:
            yield Rank(0, world, port, local=0)
            others.join()
        except BaseException as error:
            others.dismiss()
            if isinstance(error, RuntimeError):  # a collective operation's own words for having lost somebody
                others.check(within=2.0)
            raise
        finally:
            torch.set_num_threads(threads)
            leave_group()


def _threads_of_a_rank(trainer: TrainerConfig) -> int:
    """Part the threads among the devices of a machine; a task of a job step may see the cores of all, or its own."""
    threads, step = torch.get_num_threads(), job_step(trainer)
    if step is not None and not trainer.threads:
        threads = min(threads * trainer.devices, step.cpus)
    return max(1, threads // trainer.devices)


@contextmanager
def _others(devices: int) -> Iterator[Others]:
    """Give the other tasks of the job step, or processes that are started here and end with the body."""
    of_step = others_of_step()
    if of_step is not None:
        yield of_step
        return
    context = get_context("forkserver")
    context.set_forkserver_preload([f"{__package__}.stages"])
    secret = secrets.token_bytes(32)
    names, processes = {}, []
    try:
        for rank in range(1, devices):
            near, far = Pipe()
            process = context.Process(target=_take_part, args=(far, secret, rank, devices), daemon=True)
            with held_back():  # rank zero is asked to stop, and tells the others
                process.start()
            processes.append(process)
            far.close()  # so that it breaks when the process ends
            names[near] = f"rank {rank}"
        others = Others(names, secret)
        try:
            yield others
        finally:
            others.dismiss()
    finally:
        for process in processes:  # whatever is to be kept, rank zero has by now
            process.kill()
            process.join()


def _take_part(connection: Connection, secret: bytes, rank: int, devices: int) -> None:
    take_part(connection, secret, lambda port: Rank(rank, devices, port, local=rank))


def pickled(what: object) -> bytes:
    """Return any training as bytes."""
    buffer = io.BytesIO()
    _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(what)
    return buffer.getvalue()


class _Pickler(pickle.Pickler):
    """Copies layers with normalised weights too, which torch leaves to their state dict."""

    def reducer_override(self, obj: Any) -> Any:  # noqa: ANN401  pickle's signature
        """Have such a layer made anew, and anything else copied as it is."""
        if not (isinstance(obj, nn.Conv1d) and is_parametrized(obj)):
            return NotImplemented
        return _normalised, (obj.in_channels, obj.out_channels, obj.kernel_size, obj.dilation, dict(obj.state_dict()))


def _normalised(
    inputs: int, outputs: int, kernel: tuple[int], dilation: tuple[int], state: dict[str, Tensor]
) -> nn.Module:
    layer: nn.Module = weight_norm(nn.Conv1d(inputs, outputs, kernel, dilation=dilation))
    layer.load_state_dict(state)
    return layer
