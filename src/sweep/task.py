"""One point of a sweep: its run folder is made ready once, and then gone on with until it is finished."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..atomic import write_text
from ..config.compose import to_yaml
from ..config.job_step import job_step
from ..config.schema import Config
from ..errors import UserError
from ..stopping import NOTHING_NEW, TO_BE_GONE_ON_WITH
from ..workflow.folder import locked
from .plan import Point, Sweep

STATE, LOG = "state.json", "log.txt"
STARTED, STOPPED, FINISHED, FAILED = "started", "stopped", "finished", "failed"
FRUITLESS = 3  # sessions in a row that were stopped before they could keep anything: more would come to no end
_LONGEST = 300  # characters of a reason


class StoppedError(UserError):
    """A point was asked to stop before its end, and can be gone on with."""

    def __init__(self, kept: bool) -> None:
        super().__init__("asked to stop before its end; the same command goes on with it")
        self.kept = kept


def own_folder(run: Path) -> Path:
    """Folder in a point's run where the sweep keeps state, log and a lock of its own: training locks the run itself."""
    return run / "sweep"


def run_point(
    sweep: Sweep, number: int, train: Path, begun: Callable[["subprocess.Popen[bytes]"], None] = lambda _: None
) -> str:
    """Train and evaluate a point in a process of its own, unless it is finished, and return what to say of it.

    The state that is left tells how it ended; a point that was killed leaves the state ``started``.

    Parameters
    ----------
    train : ``scripts/train.py``.
    begun : told of the process that trains.

    Raises
    ------
    StoppedError
        The point was asked to stop.
    UserError
        The point failed; the message is its reason.
    """
    point, run = sweep.points[number], sweep.place(number)
    own = own_folder(run)
    try:
        own.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{own}: cannot be made ({error.strerror})") from error
    with locked(own, waiting=lambda: None) as lock:  # whoever holds it runs this very point
        before = read_state(run)
        if before.get("state") == FINISHED:
            return "finished before"
        started, fruitless = time.monotonic(), int(before.get("fruitless", 0))
        write_state(run, STARTED, fruitless=fruitless)
        try:
            _make_ready(point, run)
            # The lock is the process's too: should this one be killed, the point still counts as running.
            _train(run, train, own / LOG, lock.fileno(), begun)
        except StoppedError as stopped:
            fruitless = 0 if stopped.kept else fruitless + 1
            if fruitless < FRUITLESS:
                write_state(run, STOPPED, fruitless=fruitless, reason=str(stopped))
                raise
            reason = f"asked to stop {fruitless} times in a row before it could keep anything new; give it more time"
            write_state(run, FAILED, reason=reason)
            raise UserError(f"{point.name}: {reason}") from stopped
        except (UserError, OSError) as error:
            write_state(run, FAILED, reason=str(error))
            raise UserError(f"{point.name}: {error}") from error
        except KeyboardInterrupt:
            write_state(run, FAILED, reason="interrupted")
            raise
        minutes = round((time.monotonic() - started) / 60, 1)
        write_state(run, FINISHED, minutes=minutes)
    return f"finished in {minutes} min"


def serve_point(sweep: Sweep, number: int) -> bool:
    """Take part in a point on several nodes, as any task of its job step but the first; False as the first, or alone.

    Raises
    ------
    UserError
        The first task cannot be reached.
    """
    if os.environ.get("SLURM_PROCID", "0") == "0":
        return False
    config = replace(sweep.points[number].config(), resume=str(sweep.place(number)))
    step = job_step(config.trainer)
    assert step is not None
    from ..workflow.step_ranks import serve  # seconds that the first task need not wait: training is another process

    serve(config, step)
    return True


def read_state(run: Path) -> dict[str, Any]:
    """Return how the last attempt at a point ended; empty where there was none."""
    path = own_folder(run) / STATE
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); delete it to have the point run again") from error
    return state if isinstance(state, dict) else {}


def write_state(run: Path, state: str, **told: str | float) -> None:
    """Keep how an attempt at a point stands."""
    write_text(json.dumps({"state": state} | told) + "\n", own_folder(run) / STATE)


def _make_ready(point: Point, run: Path) -> None:
    """Make an unfinished run of the folder, which ``resume=`` goes on with; each model in it says its command."""
    config = point.config()
    if (run / "config.yaml").exists():
        return
    for place in _places(config):
        command = shlex.join(["python", "scripts/train.py", *point.overrides])
        write_text(f"{command}\n", run / place / "command.txt")
    write_text(to_yaml(config), run / "config.yaml")


def _places(config: Config) -> list[str]:
    return ["", *(f"baselines/{name}" for name in config.compare)]


def _train(run: Path, train: Path, log: Path, lock: int, begun: Callable[["subprocess.Popen[bytes]"], None]) -> None:
    """Go on with a run; what it prints goes to the end of the log.

    Raises
    ------
    StoppedError
        It was asked to stop.
    UserError
        It failed; the message is the last line that it printed, or the signal that killed it.
    """
    # YAML reads the value: a folder may be called anything, and a JSON text is YAML.
    command = [sys.executable, str(train), f"resume={json.dumps(str(run))}"]
    with (
        log.open("ab") as printed,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT, pass_fds=[lock]
        ) as training,
    ):
        begun(training)
        ended = training.wait()
    # The signals themselves end a training that does not listen yet.
    if ended in (TO_BE_GONE_ON_WITH, NOTHING_NEW, -signal.SIGTERM, -signal.SIGUSR1):
        raise StoppedError(kept=ended == TO_BE_GONE_ON_WITH)
    if ended < 0:
        raise UserError(f"killed by signal {-ended}, perhaps for want of memory")
    if ended > 0:
        raise UserError(_last_line(log) or f"ended with status {ended} and without a word")


def _last_line(log: Path) -> str:
    lines = log.read_bytes()[-10_000:].decode("utf-8", errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return last.removeprefix("error: ")[:_LONGEST]
