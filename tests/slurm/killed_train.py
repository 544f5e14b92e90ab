"""``scripts/train.py`` with a task that is killed: its RANK, then STEP or ``merge``, then what train.py takes.

As the kernel or an administrator would do it, with SIGKILL, but at a known point of the work.
"""

import os
import runpy
import signal
import sys
from pathlib import Path

from raciflux.workflow import shards
from raciflux.workflow.seeded_steps import SeededSteps

TRAIN = Path(__file__).parents[2] / "scripts" / "train.py"


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(step):
    start = SeededSteps.on_train_batch_start

    def on_train_batch_start(self, trainer, *rest):
        if trainer.global_step == step:
            die()
        start(self, trainer, *rest)

    SeededSteps.on_train_batch_start = on_train_batch_start


if __name__ == "__main__":
    rank, when, *arguments = sys.argv[1:]
    if os.environ["SLURM_PROCID"] == rank:
        if when == "merge":
            shards.merged = die
        else:
            die_at(int(when))
    sys.argv = [str(TRAIN), *arguments]
    runpy.run_path(str(TRAIN), run_name="__main__")
