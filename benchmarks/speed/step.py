"""A training step of the LSTM and of RACI through all of Lightning against a bare PyTorch loop on the same batches.

Both sides alternate inside one training: after every few steps of Lightning, a callback lets the bare loop do the same
steps on the very batches that Lightning has just used. The bare loop finds its batches gathered, logs and checks
nothing, and runs without torch's deterministic mode, which our trainer turns on; all of these count against us.
"""

import copy
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from raciflux.config.models import LstmConfig
from raciflux.config.raci import RaciConfig
from raciflux.config.schema import Config, TrainerConfig
from raciflux.config.transfer import StageConfig
from raciflux.contracts import Batch
from raciflux.datamodules.base import FluxDataModule
from raciflux.modules.losses import masked_squared_error
from raciflux.modules.raci import Raci
from raciflux.workflow.progress import RunProgress
from raciflux.workflow.stages import StageFolder, build_bank, build_module, fit, quiet
from torch import Tensor, nn

from .made_up import data_module
from .settings import Settings
from .timing import Bar, Row, Spread, paired, torch_threads

STEP_BAR = Bar(1.10, at_least=False)
SMALL = 8  # the smaller batch is this part of the larger
SAME = 1e-6  # largest difference of the two losses of a step
MODELS = {"LSTM": LstmConfig(hidden=64), "RACI": RaciConfig(hidden=64)}


class BareLoop:
    """The plain loop one would write without a framework: AdamW, one cycle, clipped gradients."""

    def __init__(self, network: nn.Module, stage: StageConfig) -> None:
        self.network = network
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=stage.learning_rate, weight_decay=stage.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, max_lr=stage.learning_rate, total_steps=stage.steps, pct_start=0.15
        )

    def step(self, batch: Batch) -> Tensor:
        """Learn from one batch and return its loss."""
        self.optimizer.zero_grad()
        loss = self._loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own gap
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        return loss.detach()

    def _loss(self, batch: Batch) -> Tensor:
        if isinstance(self.network, Raci):
            return self.network.training_loss(batch, _squared_error)
        return _squared_error(self.network(batch), batch["target"], batch["target_mask"])


@dataclass
class Trace:
    """What both sides did."""

    lightning: list[float] = field(default_factory=list)  # (round,) seconds a step
    bare: list[float] = field(default_factory=list)  # (round,) seconds a step
    lightning_loss: list[Tensor] = field(default_factory=list)  # (step,)
    bare_loss: list[Tensor] = field(default_factory=list)  # (step,)

    def difference(self) -> float:
        """Return the largest difference of the two losses of a step."""
        return float((torch.stack(self.lightning_loss) - torch.stack(self.bare_loss)).abs().max())


class Alternate(Callback):
    """Times Lightning from the end of one bare block to the end of its own next block, then runs the bare block."""

    def __init__(self, bare: BareLoop, steps: int) -> None:
        self.bare, self.steps = bare, steps
        self.trace = Trace()
        self.done: list[tuple[Tensor, Batch]] = []  # state of the random numbers (dropout) and batch of each step
        self.started = 0.0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the clock of the first block."""
        self.started = time.perf_counter()

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        batch: Any,  # noqa: ANN401  Lightning's signature
        batch_idx: int,
    ) -> None:
        """Keep what the bare loop needs to do the same step."""
        self.done.append((torch.get_rng_state(), batch))

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Tensor | Mapping[str, Any] | None,
        batch: Any,  # noqa: ANN401  Lightning's signature
        batch_idx: int,
    ) -> None:
        """After a block of Lightning, let the bare loop follow."""
        assert isinstance(outputs, Mapping)
        self.trace.lightning_loss.append(outputs["loss"].detach().clone())
        if len(self.done) < self.steps:
            return
        self.trace.lightning.append((time.perf_counter() - self.started) / self.steps)
        with _as_found(), torch.random.fork_rng(devices=[]):
            started = time.perf_counter()
            for state, batch_of_step in self.done:
                torch.set_rng_state(state)
                self.trace.bare_loss.append(self.bare.step(batch_of_step))
            self.trace.bare.append((time.perf_counter() - started) / self.steps)
        self.done.clear()
        self.started = time.perf_counter()


def measure(settings: Settings, threads: Sequence[int]) -> list[Row]:
    """Measure each model, with small and large batches, at each number of threads.

    Raises
    ------
    RuntimeError
        If the two sides did not train alike: then their times cannot be compared.
    """
    rows = []
    for batch in (max(settings.batch // SMALL, 1), settings.batch):
        data = data_module(settings.sites, batch, settings.seed)
        rows += [
            _row(train(settings, data, count, name), f"{name}, batch {batch}", count)
            for name in MODELS
            for count in threads
        ]
    return rows


def train(settings: Settings, data: FluxDataModule, threads: int, name: str) -> Trace:
    """Train a model on both sides, round by round; the first round warms up and is dropped from the times."""
    quiet()
    steps = (settings.rounds + 1) * settings.steps
    stage = StageConfig(steps=steps, batch_size=data.batch_size, check_every=steps)
    config = Config(
        experiment="speed",
        seed=settings.seed,
        model=MODELS[name],
        trainer=TrainerConfig(accelerator="cpu", progress=False),
    )
    bank = build_bank(config, data)
    guess = np.zeros((*data.training_days.shape, len(data.roles.targets)), np.float32) if bank else None
    module = build_module(config, stage, data, bank, guess=guess)
    alternate = Alternate(BareLoop(copy.deepcopy(module.network), stage), settings.steps)
    with torch_threads(threads), _determinism_restored(), tempfile.TemporaryDirectory() as folder:
        progress = RunProgress(steps, visible=False)
        progress.console.quiet = True
        fit(config, stage, StageFolder(Path(folder), "speed"), data, module, [alternate], [], progress)
    trace = alternate.trace
    if not trace.difference() <= SAME:
        raise RuntimeError(f"Lightning and the bare loop trained differently: losses differ by {trace.difference():g}")
    trace.lightning, trace.bare = trace.lightning[1:], trace.bare[1:]
    return trace


def _row(trace: Trace, what: str, threads: int) -> Row:
    ours, bare = (1000 * Spread.of(seconds).median for seconds in (trace.lightning, trace.bare))
    ratio = paired(trace.lightning, trace.bare)
    return Row(f"{what}: Lightning, against a bare PyTorch loop", threads, ours, bare, "ms/step", ratio, STEP_BAR)


def _squared_error(raw: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return masked_squared_error(raw[..., 0], target, mask)


@contextmanager
def _as_found() -> Iterator[None]:
    """Leave deterministic mode while the body runs: a bare loop would not know of it."""
    with _determinism_restored():
        torch.use_deterministic_algorithms(False)
        yield


@contextmanager
def _determinism_restored() -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled()
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
