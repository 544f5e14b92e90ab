"""Training on several devices of one machine: one process a device, for as long as a stage is trained.

The process of the command is rank zero, and all that is not training stays its own: data, files, progress, prediction.
The other ranks are given what it trains as bytes, train beside it, and end. They start from a server that has loaded
the libraries once: a fork of rank zero itself could use neither its GPU nor its threads.
"""

import io
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from typing import Any

import torch
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import find_free_network_port
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.parametrize import is_parametrized

from ..errors import UserError

FAILED = 1  # exit status of a rank that cannot go on
GRACE = 10.0  # s, in which rank zero may say by itself what became of another rank


class Rank(ClusterEnvironment):
    """Tells Lightning which of the processes of a training this one is, and where they meet.

    Parameters
    ----------
    rank : from 0. world : number of ranks. port : free one of this machine.
    """

    def __init__(self, rank: int, world: int, port: int) -> None:
        self.rank, self.world, self.port = rank, world, port

    creates_processes_externally = True
    main_address = "127.0.0.1"

    @property
    def main_port(self) -> int:
        """Port at which the ranks meet."""
        return self.port

    @staticmethod
    def detect() -> bool:
        """Say that this is never found by itself."""
        return False

    def world_size(self) -> int:
        """Return the number of ranks."""
        return self.world

    def set_world_size(self, size: int) -> None:
        """Keep the number of ranks: it is known from the start."""

    def global_rank(self) -> int:
        """Return the rank."""
        return self.rank

    def set_global_rank(self, rank: int) -> None:
        """Keep the rank: it is known from the start."""

    def local_rank(self) -> int:
        """Return the rank on this machine, which is the only one."""
        return self.rank

    def node_rank(self) -> int:
        """Return the machine's."""
        return 0


@contextmanager
def beside_other_ranks(train: Callable[[Rank], object], devices: int) -> Iterator[Rank | None]:
    """Have ``train`` called by every other rank while the body trains as the rank that this gives.

    Parameters
    ----------
    train : trains as one rank; what it holds is copied to each.
    devices : number of ranks; with one, None is given and nothing is started.
    """
    if devices == 1:
        yield None
        return
    port, threads = find_free_network_port(), torch.get_num_threads()
    share = max(1, threads // devices)
    context = get_context("forkserver")
    context.set_forkserver_preload([f"{__package__}.stages"])
    job = pickled(train)
    others = [
        context.Process(target=_take_part, args=(job, Rank(rank, devices, port), share), daemon=True)
        for rank in range(1, devices)
    ]
    for other in others:
        other.start()
    del job
    over = threading.Event()
    threading.Thread(target=_end_with, args=(others, over), daemon=True).start()
    torch.set_num_threads(share)
    try:
        yield Rank(0, devices, port)
    finally:
        over.set()
        for other in others:  # whatever is to be kept, rank zero has by now
            other.kill()
            other.join()
        torch.set_num_threads(threads)
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _take_part(job: bytes, rank: Rank, threads: int) -> None:
    """Train as one of the other ranks; what every rank would say of a user's mistake is left to rank zero."""
    from .stages import quiet

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # rank zero is interrupted, and ends the others
    threading.Thread(target=_end_with_parent, daemon=True).start()
    quiet()
    torch.set_num_threads(threads)
    try:
        pickle.loads(job)(rank)
    except UserError:
        sys.exit(FAILED)
    except BaseException:
        traceback.print_exc()
        sys.exit(FAILED)


def _end_with_parent() -> None:
    """Leave at once when rank zero is gone: a collective operation would wait for it."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(FAILED)


def _end_with(others: Sequence[ForkServerProcess], over: threading.Event) -> None:
    """Leave when another rank has failed: rank zero may wait for it where no exception reaches."""
    left = list(others)
    while left and not over.is_set():
        ended = wait([other.sentinel for other in left])
        if any(other.exitcode for other in left if other.sentinel in ended) and not over.wait(GRACE):
            print("error: one of the training processes has failed, see above", file=sys.stderr, flush=True)
            os._exit(FAILED)
        left = [other for other in left if other.sentinel not in ended]


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
