"""Tasks of a job step find each other by a file that the user alone may read, and do what rank zero signs."""

import json
import os
import socket
import stat
import threading
import time
from dataclasses import replace
from functools import partial
from multiprocessing import Pipe, get_context
from pathlib import Path

import pytest
from raciflux.config.job_step import JobStep
from raciflux.config.schema import Config, TrainerConfig
from raciflux.errors import UserError
from raciflux.workflow import step_ranks
from raciflux.workflow.others import FAILED, Others, _signed, take_part
from raciflux.workflow.rank import Rank
from raciflux.workflow.ranks import beside_other_ranks, pickled
from raciflux.workflow.step_ranks import calling_others, serve

ZERO = JobStep("7.0.0", rank=0, world=2, local=0, node=0, host="one", cpus=2)
ONE = replace(ZERO, rank=1, node=1, host="two")
TWO_NODES = TrainerConfig(num_nodes=2)


STARTED = []


@pytest.fixture(autouse=True)
def nobody_is_left(monkeypatch):
    monkeypatch.setattr(step_ranks, "WAIT", 60.0)
    yield
    for process in STARTED:  # it hears no SIGTERM
        process.kill()
    STARTED.clear()


def config_of(folder: Path) -> Config:
    return Config(experiment="tiny", output=str(folder))


def started(work, *arguments):
    """A process as another task of the step would be."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["raciflux.workflow.stages"])
    process = context.Process(target=work, args=arguments, daemon=True)
    process.start()
    STARTED.append(process)
    return process


def _note(folder: Path, rank: Rank) -> None:
    (folder / f"rank{rank.rank}.txt").write_text(f"{rank.world} {rank.local} {rank.node} {rank.port}")


def _leave(rank: Rank) -> None:
    os._exit(3)


def test_the_other_task_does_each_job_and_ends_with_rank_zero(tmp_path, monkeypatch):
    monkeypatch.setattr("raciflux.workflow.ranks.job_step", lambda trainer: ZERO)
    other = started(serve, config_of(tmp_path), ONE)
    with calling_others(config_of(tmp_path), ZERO):
        for job in ("first", "second"):
            (tmp_path / job).mkdir()
            with beside_other_ranks(partial(_note, tmp_path / job), TWO_NODES) as rank:
                assert rank is not None and (rank.rank, rank.world) == (0, 2)
            assert (tmp_path / job / "rank1.txt").read_text() == f"2 0 1 {rank.port}"
    other.join(30)
    assert other.exitcode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"first", "second"}


def test_a_task_that_goes_is_named_and_one_whose_rank_zero_goes_leaves(tmp_path, monkeypatch):
    monkeypatch.setattr("raciflux.workflow.ranks.job_step", lambda trainer: ZERO)
    other = started(serve, config_of(tmp_path), ONE)
    with (
        pytest.raises(UserError, match="rank 1 on two of the training is gone"),
        calling_others(config_of(tmp_path), ZERO),
        beside_other_ranks(_leave, TWO_NODES),
    ):
        pass
    other.join(30)
    assert other.exitcode == 3
    near, far = Pipe()
    left = started(take_part, far, b"secret", second_rank)
    far.close()
    near.close()
    left.join(30)
    assert left.exitcode == FAILED


def second_rank(port: int) -> Rank:
    return Rank(1, 2, port, local=1)


def test_a_job_that_is_sent_again_is_not_done_again(tmp_path):
    near, far = Pipe()
    other = started(take_part, far, b"of the step", second_rank)
    far.close()
    job = pickled((partial(_count, tmp_path), 1, 1))
    for _ in range(2):
        near.send_bytes(_signed(b"of the step", 0, job))
        near.send_bytes(job)
    other.join(30)
    assert other.exitcode == FAILED
    assert len(list(tmp_path.iterdir())) <= 1  # the first may have been done before the second was met


def _count(folder: Path, rank: Rank) -> None:
    (folder / str(time.monotonic_ns())).touch()


@pytest.mark.parametrize("tampered", [False, True])
def test_a_job_that_rank_zero_has_not_signed_is_not_read(tmp_path, tampered):
    near, far = Pipe()
    other = started(take_part, far, b"of the step", second_rank)
    far.close()
    if tampered:
        Others({near: "rank 1"}, b"of somebody else").dismiss()
        near.send_bytes(b"0" * 32)
        near.send_bytes(f"cos\nsystem\n(S'touch {tmp_path}/read'\ntR.".encode())
    else:
        Others({near: "rank 1"}, b"of the step").end()
    other.join(30)
    assert other.exitcode == (FAILED if tampered else 0)
    assert not (tmp_path / "read").exists()


def test_a_stranger_is_turned_away(tmp_path):
    """It knows the port and not the secret; the task that comes after it is taken."""
    point = tmp_path / ".step-7.0.0.json"
    turned_away = []

    def call() -> None:
        while not point.exists():
            time.sleep(0.01)
        assert stat.S_IMODE(point.stat().st_mode) == 0o600
        told = json.loads(point.read_text())
        with socket.create_connection(("127.0.0.1", told["port"])) as stranger:
            stranger.sendall(b"\0\0\0\x28" + b"x" * 32 + b'[1,"two"]'[:8])
            stranger.settimeout(30)
            while stranger.recv(1000):
                pass
            turned_away.append(True)
        connection, _, _ = step_ranks._reached(ONE, point)
        came.append(connection)

    came: list[object] = []
    calling = threading.Thread(target=call)
    calling.start()
    with calling_others(config_of(tmp_path), ZERO):
        calling.join(30)
    assert turned_away == [True] and len(came) == 1


def test_a_file_that_others_may_read_is_not_believed(tmp_path):
    point = tmp_path / ".step-7.0.0.json"
    point.write_text(json.dumps({"hosts": ["127.0.0.1"], "port": 1, "secret": "00"}))
    point.chmod(0o644)
    with pytest.raises(UserError, match=r"step-7\.0\.0\.json: other users may read or write it"):
        serve(config_of(tmp_path), ONE)


def test_who_does_not_come_and_who_is_not_there_is_said_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr(step_ranks, "WAIT", 0.5)
    with pytest.raises(UserError, match=r"task 1 of the job step did not come within"):
        calling_others(config_of(tmp_path), ZERO).__enter__()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match=r"task 1 of the job step did not reach task 0 .*No such file"):
        serve(config_of(tmp_path), ONE)
    point = tmp_path / ".step-7.0.0.json"  # of a rank zero that was killed
    point.touch(mode=0o600)
    point.write_text(json.dumps({"hosts": ["127.0.0.1"], "port": 9, "secret": "00"}))
    with pytest.raises(UserError, match=r"did not reach task 0 .*127\.0\.0\.1: .*refused"):
        serve(config_of(tmp_path), ONE)
