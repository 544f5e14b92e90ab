"""The tasks of a Slurm job step as ranks of one run: how they find each other, on one node or several.

Task 0 is rank zero. It listens at a port of its own and says where in a file of the shared file system, which the user
alone may read and write; the others find it there, prove that they have read the file, and take part in each job.
"""

import hmac
import json
import os
import secrets
import socket
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypedDict

from ..atomic import replacing
from ..config.job_step import JobStep
from ..config.schema import Config
from ..errors import UserError
from .others import Others, take_part
from .rank import Rank

WAIT = 300.0  # s, in which the tasks of a step have to find each other: srun starts them at once
PATIENCE = 10.0  # s, for one answer: a stranger may call and stay silent
_LONGEST = 1000  # bytes of a greeting


class _Told(TypedDict):
    """What rank zero writes to be found."""

    hosts: list[str]
    port: int
    secret: str


_present: Others | None = None  # one process is rank zero of one step at most


def others_of_step() -> Others | None:
    """Return the other tasks of this job step; None where there are none."""
    return _present


@contextmanager
def calling_others(config: Config, step: JobStep | None) -> Iterator[None]:
    """As task 0, have the other tasks of the step at hand; nothing outside a step.

    Raises
    ------
    UserError
        If one of them does not come.
    """
    global _present
    if step is None:
        yield
        return
    secret = secrets.token_bytes(32)
    _present = Others(_gathered(step, _meeting_point(config, step), secret), secret)
    try:
        yield
        _present.end()
    finally:
        _present.dismiss()
        _present = None


def serve(config: Config, step: JobStep) -> None:
    """As another task, take part in what task 0 hands out, until it ends the run.

    Raises
    ------
    UserError
        If it cannot be reached.
    """
    connection, host, secret = _reached(step, _meeting_point(config, step))
    take_part(connection, secret, partial(_rank_at, step, host))


def _rank_at(step: JobStep, host: str, port: int) -> Rank:
    return Rank(step.rank, step.world, port, step.local, step.node, host)


def _meeting_point(config: Config, step: JobStep) -> Path:
    return Path(config.resume or config.output) / f".step-{step.name}.json"


def _gathered(step: JobStep, point: Path, secret: bytes) -> dict[Connection, str]:
    """Wait for the other tasks, and return what to call each."""
    came: dict[int, tuple[Connection, str]] = {}
    deadline = time.monotonic() + WAIT
    with socket.create_server(("", 0), backlog=step.world) as door:
        hosts = list(dict.fromkeys([socket.gethostname(), step.host]))
        told = {"hosts": hosts, "port": door.getsockname()[1], "secret": secret.hex()}
        with replacing(point) as partial_file:
            partial_file.touch(mode=0o600)
            partial_file.write_text(json.dumps(told))
        try:
            while len(came) < step.world - 1:
                door.settimeout(max(deadline - time.monotonic(), 0.001))
                caller, _ = door.accept()
                greeted = _greeted(_connection(caller), secret)
                if greeted is not None:
                    rank, host, connection = greeted
                    came[rank] = connection, f"rank {rank} on {host}"
        except TimeoutError:
            missing = ", ".join(str(rank) for rank in range(1, step.world) if rank not in came)
            raise UserError(
                f"task {missing} of the job step did not come within {WAIT:.0f} s; see whether it failed, whether it "
                f"sees {point.parent} under this path, and whether the nodes reach each other by {' or '.join(hosts)}"
            ) from None
        finally:
            point.unlink(missing_ok=True)
    return dict(came.values())


def _greeted(connection: Connection, secret: bytes) -> tuple[int, str, Connection] | None:
    """Return rank and host of who calls; None of a stranger."""
    asked = secrets.token_bytes(32)
    try:
        connection.send_bytes(asked)
        if not connection.poll(PATIENCE):
            return None
        answer = connection.recv_bytes(_LONGEST)
    except (EOFError, OSError):
        return None
    proof, greeting = answer[:32], answer[32:]
    if not hmac.compare_digest(proof, hmac.digest(secret, asked + greeting, "sha256")):
        return None
    rank, host = json.loads(greeting)
    return int(rank), str(host), connection


def _reached(step: JobStep, point: Path) -> tuple[Connection, str, bytes]:
    """Return the connection to rank zero, the host by which it was reached, and the step's secret."""
    deadline, problem = time.monotonic() + WAIT, ""
    while time.monotonic() < deadline:
        try:
            told = _told(point)
            secret = bytes.fromhex(told["secret"])
            connection, host = _called(told["hosts"], told["port"])
            _introduce(connection, step, secret)
        except (OSError, EOFError) as error:
            problem = str(error)
            time.sleep(0.2)
        else:
            return connection, host, secret
    raise UserError(
        f"task {step.rank} of the job step did not reach task 0 within {WAIT:.0f} s ({problem}); see whether task 0 "
        "failed, and whether all nodes see the same folder and each other"
    )


def _called(hosts: Sequence[str], port: int) -> tuple[Connection, str]:
    """Call rank zero by each of its names; which one the other nodes know depends on the cluster."""
    problems = []
    for host in hosts:
        try:
            return _connection(socket.create_connection((host, port), timeout=PATIENCE)), host
        except OSError as error:
            problems.append(f"{host}: {error}")
    raise ConnectionError("; ".join(problems))


def _introduce(connection: Connection, step: JobStep, secret: bytes) -> None:
    if not connection.poll(PATIENCE):
        raise TimeoutError("no answer")
    asked, greeting = connection.recv_bytes(_LONGEST), json.dumps([step.rank, step.host]).encode()
    connection.send_bytes(hmac.digest(secret, asked + greeting, "sha256") + greeting)


def _told(point: Path) -> _Told:
    """Read where rank zero is, if nobody else could have written that.

    Raises
    ------
    UserError
        If others may read or write the file.
    """
    with point.open(encoding="utf-8") as file:
        held = os.fstat(file.fileno())
        if held.st_uid != os.geteuid() or stat.S_IMODE(held.st_mode) & 0o077:
            raise UserError(
                f"{point}: other users may read or write it; set output= to a folder of yours, of a file system that "
                "keeps permissions"
            )
        told: _Told = json.load(file)
    return told


def _connection(caller: socket.socket) -> Connection:
    """Keep a connection open for as long as both ends live: hours may pass without a word."""
    caller.settimeout(None)
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
    return Connection(caller.detach())
