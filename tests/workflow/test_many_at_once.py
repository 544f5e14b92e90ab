"""A hundred tasks of an array that start in the same second share neither a run folder nor a W&B run."""

import subprocess
import sys
from pathlib import Path

TASKS = 100
CODE = """
import os, sys, time

from raciflux.config.compose import compose
from raciflux.workflow.folder import new_folder
from raciflux.workflow.tracking_run import _kept_id

config = compose([f"output={sys.argv[1]}", "logger.wandb=disabled"])
time.strftime = lambda form: "20260101-000000"
time.time = lambda: 0.0
gate, opener = os.pipe()
tasks = []
for _ in range(int(sys.argv[2])):
    task = os.fork()
    if task == 0:
        os.close(opener)
        os.read(gate, 1)  # all go when the last is there
        _kept_id(new_folder(config) / "wandb_id.txt")
        os._exit(0)
    tasks.append(task)
os.close(opener)
sys.exit(sum(os.waitpid(task, 0)[1] != 0 for task in tasks))
"""


def test_folders_and_ids_stay_unique(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CODE, str(tmp_path), str(TASKS)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    folders = list((tmp_path / "embedded_wetland_ch4").iterdir())
    assert len(folders) == TASKS and all(folder.name.startswith("20260101-000000-raci-s0-") for folder in folders)
    ids = {(folder / "wandb_id.txt").read_text() for folder in folders}
    assert len(ids) == TASKS and {len(one.strip()) for one in ids} == {16}  # 64 bits: by chance never
