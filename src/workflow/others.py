"""The other ranks of a training: what rank zero hands them and hears of them, and how they take part.

A connection carries jobs one way and a word when each is done the other way. That it breaks tells either side at once
that the other is gone, where a collective operation would wait.
"""

import hmac
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from itertools import count
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue

import torch

from ..errors import UserError
from ..stopping import SIGNALS, Stopped
from .rank import Rank

FAILED = 1  # exit status of a rank that cannot go on
GRACE = 10.0  # s, in which rank zero may say by itself what became of another rank
_DONE = b"done"
_NO_MORE = b""


class Others:
    """The other ranks, as rank zero has them.

    Parameters
    ----------
    names : what to call the rank at the far end of each connection.
    secret : what jobs are signed with, since who gets one unpickles it.
    """

    def __init__(self, names: Mapping[Connection, str], secret: bytes) -> None:
        self._names, self._secret, self._handed = dict(names), secret, 0
        self._busy: set[Connection] = set()
        self._lost: str | None = None
        self._changed = threading.Condition()
        self._over = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def hand(self, job: bytes) -> None:
        """Have every other rank begin a job.

        Raises
        ------
        UserError
            If one of them is gone.
        """
        with self._changed:
            self._busy = set(self._names)
        self._send(job)

    def join(self) -> None:
        """Wait until every other rank has done its job.

        Raises
        ------
        UserError
            If one of them is gone.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._busy or self._lost is not None)
        self.check(0.0)

    def check(self, within: float) -> None:
        """Raise the error that says which rank is gone, if one is, or is within so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._lost is not None, within)
        if self._lost is not None:
            raise UserError(self._gone())

    def end(self) -> None:
        """Let the others go: none of them is missed from here on."""
        self.dismiss()
        if self._lost is None:
            self._send(_NO_MORE)

    def dismiss(self) -> None:
        """Keep quiet about whoever is gone from here on."""
        self._over.set()

    def _send(self, job: bytes) -> None:
        signature = _signed(self._secret, self._handed, job)
        self._handed += 1
        for connection in self._names:
            try:
                connection.send_bytes(signature)
                connection.send_bytes(job)
            except OSError:  # whoever listens finds out the same
                if not self._over.is_set():
                    self.check(GRACE)

    def _listen(self) -> None:
        """Note what is done, and leave when a rank is gone: rank zero may wait for it where no exception reaches."""
        left = set(self._names)
        while left:
            for connection in wait(list(left)):
                assert isinstance(connection, Connection)
                try:
                    connection.recv_bytes()
                except (EOFError, OSError):
                    left.discard(connection)
                    self._miss(connection)
                with self._changed:
                    self._busy.discard(connection)
                    self._changed.notify_all()

    def _miss(self, connection: Connection) -> None:
        with self._changed:
            self._lost = self._lost or self._names[connection]
            self._changed.notify_all()
        if not self._over.wait(GRACE):
            print(f"error: {self._gone()}", file=sys.stderr, flush=True)
            os._exit(FAILED)

    def _gone(self) -> str:
        return (
            f"{self._lost} of the training is gone: killed, out of memory, or failed as it says itself; what was "
            "checkpointed is kept, go on with resume=RUN"
        )


def take_part(connection: Connection, secret: bytes, rank_at: Callable[[int], Rank]) -> None:
    """Do one job after another as another rank, until rank zero ends it; leave the process where it is gone.

    Parameters
    ----------
    rank_at : says which rank this is in a job, by the port at which rank zero listens in it.
    """
    # Signals reach every process of a terminal or job: rank zero answers them, and ends the others.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    from .stages import quiet  # only now: it takes seconds, and rank zero has been told that this one is there

    quiet()
    jobs: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_receive, args=(connection, secret, jobs), daemon=True).start()
    try:
        while job := jobs.get():
            work, port, threads = pickle.loads(job)
            del job
            torch.set_num_threads(threads)
            work(rank_at(port))
            leave_group()
            connection.send_bytes(_DONE)
    except Stopped:  # at the same step as rank zero, who says so
        os._exit(0)
    except UserError:  # what every rank would say of a user's mistake is left to rank zero
        os._exit(FAILED)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(FAILED)


def leave_group() -> None:
    """Part from the other ranks after a stage."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _receive(connection: Connection, secret: bytes, jobs: "SimpleQueue[bytes]") -> None:
    """Pass jobs on; leave at once when rank zero is gone, since a collective operation would wait for it."""
    for number in count():
        try:
            signature, job = connection.recv_bytes(), connection.recv_bytes()
        except (EOFError, OSError):
            os._exit(FAILED)
        if not hmac.compare_digest(signature, _signed(secret, number, job)):
            print("error: a job came that rank zero has not signed; nothing of it was read", file=sys.stderr)
            os._exit(FAILED)
        jobs.put(job)
        if job == _NO_MORE:
            return


def _signed(secret: bytes, number: int, job: bytes) -> bytes:
    """Sign the n-th job: one that is kept and sent again is no n-th one."""
    signature = hmac.new(secret, number.to_bytes(8), "sha256")
    signature.update(job)
    return signature.digest()
