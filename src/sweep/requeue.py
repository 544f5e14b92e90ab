"""A point as a task of Slurm's array: asked to make room it saves itself, and stands in the queue again."""

import os
import signal
import subprocess
from pathlib import Path
from types import FrameType

from ..errors import UserError
from .plan import Sweep
from .task import FAILED, StoppedError, run_point, write_state


class _Heard:
    """Hands the signals that a task hears to its training, which alone knows how to stop."""

    def __init__(self) -> None:
        self.training: subprocess.Popen[bytes] | None = None
        self.number: int | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Hear a signal."""
        self.number = number
        self.hand_on()

    def began(self, training: "subprocess.Popen[bytes]") -> None:
        """Take the training, and hand on what was heard before it."""
        self.training = training
        self.hand_on()

    def hand_on(self) -> None:
        """Send the training what was heard."""
        if self.training is not None and self.number is not None:
            self.training.send_signal(self.number)


def run_task(sweep: Sweep, number: int, train: Path) -> str:
    """Run a point, queue it up again where it was asked to stop, and return what to say of it.

    Raises
    ------
    UserError
        The point failed, or Slurm does not take it again.
    """
    heard = _Heard()
    for one in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(one, heard)
    try:
        return run_point(sweep, number, train, heard.began)
    except StoppedError as stopped:
        task = f"{os.environ.get('SLURM_ARRAY_JOB_ID')}_{os.environ.get('SLURM_ARRAY_TASK_ID')}"
        if not _runs(task):  # cancelled, or queued up again by Slurm itself
            return str(stopped)
        done = subprocess.run(["scontrol", "requeue", task], capture_output=True, text=True, check=False)
        if done.returncode:
            reason = f"asked to stop, and Slurm does not queue it up again: {' '.join(done.stderr.split())[:200]}"
            write_state(sweep.place(number), FAILED, reason=reason)
            raise UserError(reason) from stopped
        return "asked to stop, and queued up again"


def _runs(task: str) -> bool:
    """Whether Slurm counts a task as running, and so takes nobody's word for its end but ours."""
    asked = ["squeue", f"--jobs={task}", "--noheader", "--format=%T"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout.split() == ["RUNNING"]
