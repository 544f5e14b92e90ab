"""A Slurm of two nodes on this machine, with its own key, ports and folders; nothing of it outlives the tests."""

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
SYSTEM = f"{os.environ['PATH']}:/usr/sbin:/sbin"  # daemons are not on every user's path
CONF = """\
ClusterName=raciflux
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
KillWait=1
MinJobAge=3600
NodeName=one NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=1
NodeName=two NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
PartitionName=all Nodes=one,two Default=YES MaxTime=10 PriorityTier=1 GraceTime=60
PartitionName=urgent Nodes=one,two MaxTime=10 PriorityTier=2
"""


@pytest.fixture(scope="session")
def slurm() -> Iterator[None]:
    """Start munged, slurmctld and two slurmd; skipped without Slurm, unless RACIFLUX_REQUIRE_SLURM=1 makes it fail."""
    absent = [program for program in PROGRAMS if shutil.which(program, path=SYSTEM) is None]
    if absent:
        message = f"no {', '.join(absent)} here; on Debian: apt-get install slurm-wlm munge"
        if os.environ.get("RACIFLUX_REQUIRE_SLURM") == "1":
            pytest.fail(message)
        pytest.skip(message)
    # Not below pytest's folder: the path of a socket may have 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    running: list[subprocess.Popen[bytes]] = []
    before = dict(os.environ)
    try:
        _configure(folder)
        os.environ |= {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": SYSTEM}
        for command in _daemons(folder):  # one by one: what has started is ended even if the next does not start
            running.append(_started(command, folder))  # noqa: PERF401
        _wait_for("idle", ["sinfo", "--noheader", "--partition=all", "--Node", "--format=%T"], 2, folder)
        yield
    finally:
        for daemon in reversed(running):
            daemon.terminate()
        for daemon in running:
            daemon.wait(timeout=30)
        os.environ.clear()
        os.environ |= before
        shutil.rmtree(folder, ignore_errors=True)


def _configure(folder: Path) -> None:
    host = socket.gethostname().partition(".")[0]
    (folder / "state").mkdir()
    (folder / "slurm.conf").write_text(
        CONF.format(folder=folder, host=host, user=getpass.getuser(), ports=_free_ports(3))
    )
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)


def _daemons(folder: Path) -> Iterator[list[str]]:
    places = {name: f"{folder}/munge.{name}" for name in ("socket", "pid", "log", "seed")}
    yield [
        *("munged", "--foreground", "--force", f"--key-file={folder}/munge.key", f"--socket={places['socket']}"),
        *(f"--pid-file={places['pid']}", f"--log-file={places['log']}", f"--seed-file={places['seed']}"),
    ]
    yield ["slurmctld", "-D", "-f", f"{folder}/slurm.conf"]
    for node in ("one", "two"):
        yield ["slurmd", "-D", "-N", node, "-f", f"{folder}/slurm.conf"]


def _started(command: list[str], folder: Path) -> "subprocess.Popen[bytes]":
    with (folder / "printed.log").open("ab") as printed:
        daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=printed, stderr=printed)
    if command[0] == "munged":  # the others ask it who they are
        deadline = time.monotonic() + 20
        while not (folder / "munge.socket").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    return daemon


def _wait_for(word: str, command: list[str], count: int, folder: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
        if said.count(word) == count:
            return
        time.sleep(0.2)
    logs = "\n".join(f"{log.name}: {log.read_text()[-800:]}" for log in sorted(folder.glob("*.log")))
    pytest.fail(f"Slurm does not come up:\n{logs}")


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens at: all are held until the last is found, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
