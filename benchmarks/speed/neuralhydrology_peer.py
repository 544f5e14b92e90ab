"""The other side of ``speed=neuralhydrology``, run by a Python that has the package: one order a line, one answer each.

Orders and answers are JSON lines on standard input and output. ``train`` is a part of an epoch of its trainer,
``evaluate`` goes through its tester; ``loss`` asks the network about windows that our side has cut.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from neuralhydrology.evaluation import get_tester
from neuralhydrology.training.basetrainer import BaseTrainer
from neuralhydrology.utils.config import Config


class Peer:
    """A training of the package, held between two orders."""

    def __init__(self, settings: dict[str, Any], threads: int) -> None:
        torch.set_num_threads(threads)
        self.config = Config(settings)
        self.trainer = BaseTrainer(cfg=self.config)
        self.trainer.initialize_training()
        self.tester = get_tester(cfg=self.config, run_dir=self.config.run_dir, period="validation", init_model=False)
        self.parts = 0

    def train(self, rate: float) -> dict[str, float]:
        """Take the updates of one turn at this learning rate."""
        for group in self.trainer.optimizer.param_groups:
            group["lr"] = rate
        self.parts += 1
        started, busy = time.perf_counter(), time.process_time()
        self.trainer._train_epoch(epoch=self.parts)
        self.trainer.experiment_logger.summarise()
        return {"seconds": time.perf_counter() - started, "processor": time.process_time() - busy}

    def loss(self, windows: str) -> dict[str, float]:
        """Return the mean squared error, in units, over the known days of the windows of a file."""
        stored = np.load(windows)
        scaler = self.trainer.loader.dataset.scaler
        center, scale = scaler["xarray_feature_center"], scaler["xarray_feature_scale"]
        names = self.config.dynamic_inputs
        scaled = {
            name: torch.from_numpy((stored["drivers"][..., [i]] - float(center[name])) / float(scale[name])).float()
            for i, name in enumerate(names)
        }
        (target,) = self.config.target_variables
        self.trainer.model.eval()
        with torch.no_grad():
            said = self.trainer.model({"x_d": scaled})["y_hat"][..., 0].numpy()
        flux = said * float(scale[target]) + float(center[target])
        return {"loss": float(np.mean((flux - stored["flux"])[stored["known"]] ** 2))}

    def evaluate(self) -> dict[str, float]:
        """Predict every day of every site with the tester, whose data stay in memory from the first time on."""
        started = time.perf_counter()
        results = self.tester.evaluate(model=self.trainer.model, save_results=False, metrics=[])
        seconds = time.perf_counter() - started
        days = sum(of_site["1D"]["xr"].sizes["date"] for of_site in results.values())
        return {"seconds": seconds, "days": days}


def main(arguments: list[str]) -> None:
    """Answer until standard input ends; what the package prints goes to standard error."""
    folder, threads = Path(arguments[0]), int(arguments[1])
    answers, sys.stdout = sys.stdout, sys.stderr
    peer = Peer(json.loads((folder / "settings.json").read_text()), threads)
    print(json.dumps({"windows": len(peer.trainer.loader.dataset), "xarray": xr.__version__}), file=answers, flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        answer = getattr(peer, order.pop("do"))(**order)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
