"""A training step of RACI against the LSTM's at equal width, and what retrieval takes of it.

All sides train on the same windows in turn, gathered beforehand. RACI does all that it does in training: it weighs its
neighbours and evaluates their response functions, answers beside trees, and poses each window a question about own
days. Nothing is searched: its keys stay. What retrieval takes is measured by itself, forward and backward; what a step
without it takes shows besides what the wider inputs of the encoders cost.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from raciflux.config.models import LstmConfig
from raciflux.config.raci import RaciConfig, RetrievalConfig
from raciflux.config.schema import Config, TrainerConfig
from raciflux.config.transfer import StageConfig
from raciflux.contracts import Batch
from raciflux.datamodules.base import FluxDataModule
from raciflux.datamodules.windows import tiling
from raciflux.modules.flux_module import FluxModule
from raciflux.modules.raci import Raci
from raciflux.workflow.stages import build_bank, build_module, quiet

from .made_up import data_module
from .settings import Settings
from .timing import Bar, Row, Spread, paired, rates, torch_threads

STEP_BAR = Bar(3.0, at_least=False)
RETRIEVAL_BAR = Bar(0.10, at_least=False)
WIDTH = 64
LSTM, WHOLE, ALONE, RETRIEVAL = "lstm", "raci", "raci without retrieval", "retrieval"
MODELS = {
    LSTM: LstmConfig(hidden=WIDTH),
    WHOLE: RaciConfig(hidden=WIDTH),
    ALONE: RaciConfig(hidden=WIDTH, retrieval=RetrievalConfig(enabled=False)),
}


def measure(settings: Settings, threads: Sequence[int]) -> list[Row]:
    """Measure each number of threads."""
    quiet()
    data = data_module(settings.sites, settings.batch, settings.seed)
    return [row for count in threads for row in _rows(settings, data, count)]


def _rows(settings: Settings, data: FluxDataModule, threads: int) -> list[Row]:
    batch = drawn_batch(data, settings)
    modules = {name: trainable(settings, data, model) for name, model in MODELS.items()}
    sides = {name: trained(module, batch, settings.steps) for name, module in modules.items()}
    sides[RETRIEVAL] = _retrieved(modules[WHOLE], batch, settings.steps)
    with torch_threads(threads):
        measured = rates(sides, settings.rounds)
    seconds = {name: [1 / rate for rate in of_side] for name, of_side in measured.items()}
    return [
        _row("RACI, against the LSTM", threads, seconds[WHOLE], seconds[LSTM], STEP_BAR),
        _row("retrieval itself, against a step of RACI", threads, seconds[RETRIEVAL], seconds[WHOLE], RETRIEVAL_BAR),
        _row("RACI without retrieval, against RACI", threads, seconds[ALONE], seconds[WHOLE], None),
    ]


def _row(what: str, threads: int, ours: Sequence[float], theirs: Sequence[float], bar: Bar | None) -> Row:
    medians = [1000 * Spread.of(seconds).median for seconds in (ours, theirs)]
    return Row(what, threads, *medians, "ms/step", paired(ours, theirs), bar)


def trainable(settings: Settings, data: FluxDataModule, model: LstmConfig | RaciConfig) -> FluxModule:
    """Return the module of a training, its retrieval attached to a bank and its trees stood in for by zeros."""
    config = Config(
        experiment="speed", seed=settings.seed, model=model, trainer=TrainerConfig(accelerator="cpu", progress=False)
    )
    has_trees = isinstance(model, RaciConfig)
    guess = np.zeros((*data.training_days.shape, len(data.roles.targets)), np.float32) if has_trees else None
    module = build_module(config, StageConfig(), data, build_bank(config, data), guess=guess)
    module.log = lambda *_, **__: None  # type: ignore[method-assign,assignment]  # there is no trainer to log to
    return module.train()


def trained(module: FluxModule, batch: Batch, steps: int) -> Callable[[], int]:
    """Return what does some training steps and tells how many."""
    optimizer = torch.optim.AdamW(module.parameters())

    def run() -> int:
        for step in range(steps):
            optimizer.zero_grad()
            module.training_step(batch, step).backward()  # type: ignore[no-untyped-call]  # torch's own gap
            optimizer.step()
        return steps

    return run


def _retrieved(module: FluxModule, batch: Batch, steps: int) -> Callable[[], int]:
    """Return what retrieves for some training steps, back to the gradients of its weights, and tells how many."""
    assert isinstance(module.network, Raci) and module.network.retrieval is not None
    retrieval = module.network.retrieval

    def run() -> int:
        for _ in range(steps):
            context, said = retrieval(batch)
            (context.sum() + said.sum()).backward()
        return steps

    return run


def drawn_batch(data: FluxDataModule, settings: Settings) -> Batch:
    """Return one batch of training windows."""
    offset = torch.zeros(len(data.train_sites), dtype=torch.int64)
    windows = tiling(torch.from_numpy(data.training_days), data.window, offset)
    drawn = torch.randperm(len(windows), generator=torch.Generator().manual_seed(settings.seed))[: settings.batch]
    return data.arrays.gather(windows[drawn], "train")
