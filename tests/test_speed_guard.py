"""What keeps a batch and a step fast does not slide: counts of operations, which no other program can change.

The one ratio of times is of this process's own processor time, best of several, and has a margin of ten.
"""

import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from raciflux.workflow import stages
from torch.utils._python_dispatch import TorchDispatchMode

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.speed import gather, step
from benchmarks.speed.made_up import data_module, driver_table
from benchmarks.speed.settings import parse_settings
from benchmarks.speed.timing import torch_threads

LOG_EVERY = 10  # steps, as the trainer of workflow.stages is told


class Counted(TorchDispatchMode):
    """Counts the operations of torch, and those that make the host wait for a number, by the side at work."""

    def __init__(self) -> None:
        super().__init__()
        self.side = "lightning"
        self.counts = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.counts[self.side, "operations"] += 1
        if func is torch.ops.aten._local_scalar_dense.default:
            self.counts[self.side, "waits"] += 1
        return func(*args, **(kwargs or {}))

    def profile(self, frame, event, argument) -> None:
        """Count the calls of Python functions; for ``sys.setprofile``."""
        self.counts[self.side, "calls"] += event == "call"


def counts_of_steps(python: bool, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], list[int]]:
    """Return what each side of ``speed=step`` did in each of 24 steps of the LSTM, by side and kind."""
    counted, learn, before = Counted(), step.BareLoop.step, []

    def bare(self, batch):
        before.append(counted.counts.copy())
        counted.side = "bare"
        try:
            return learn(self, batch)
        finally:
            counted.side = "lightning"

    monkeypatch.setattr(step.BareLoop, "step", bare)
    settings = parse_settings(["sites=2", "batch=8", "rounds=24", "steps=1"])
    data = data_module(settings.sites, settings.batch, settings.seed)
    with torch_threads(1):
        if python:
            sys.setprofile(counted.profile)
            try:
                step.train(settings, data, 1, "LSTM")
            finally:
                sys.setprofile(None)
        else:
            with counted:
                step.train(settings, data, 1, "LSTM")
    steps = list(pairwise(before))
    return {key: [after[key] - until[key] for until, after in steps] for key in counted.counts}


def test_a_step_of_lightning_waits_as_a_bare_loop_does_but_where_it_logs(monkeypatch):
    did = counts_of_steps(python=False, monkeypatch=monkeypatch)
    bare = did["bare", "waits"][0]  # the optimiser reads the number of its steps, once a parameter
    logged = [place for place, waits in enumerate(did["lightning", "waits"]) if waits != bare]
    assert set(did["bare", "waits"]) == {bare}
    assert [later - place for place, later in pairwise(logged)] == [LOG_EVERY]
    assert {did["lightning", "waits"][place] for place in logged} == {bare + 1}, "the loss, and nothing else"
    extra = [statistics.median(did[side, "operations"]) for side in ("lightning", "bare")]
    assert extra[0] - extra[1] <= 70, "54 when this was written: 37 gather the batch, the others log the loss"


def test_a_step_of_lightning_calls_no_more_of_python_than_it_did(monkeypatch):
    kept = []
    monkeypatch.setattr(stages, "keep_freed_memory", lambda: kept.append(True))
    did = counts_of_steps(python=True, monkeypatch=monkeypatch)
    assert kept, "a step finds the memory of the last one"
    extra = [statistics.median(did[side, "calls"]) for side in ("lightning", "bare")]
    assert extra[0] - extra[1] <= 3500, "2,140 when this was written"


def test_a_batch_takes_as_many_operations_however_large_it_is():
    did = []
    for size in (4, 32):
        data = data_module(8, size, 0)
        index = next(iter(data.train_dataloader()))
        assert len(index) == size
        with Counted() as counted:
            data.arrays.gather(index, "train")
        calls = Counted()
        sys.setprofile(calls.profile)
        data.arrays.gather(index, "train")
        sys.setprofile(None)
        did.append((counted.counts["lightning", "operations"], calls.counts["lightning", "calls"]))
    assert did[0] == did[1], "nothing is done window by window"
    assert did[0][0] <= 45


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")
def test_the_gather_stays_far_ahead_of_items_from_frames():
    settings = parse_settings(["sites=8", "batch=64"])
    loaders = gather.value_loaders(settings, driver_table(settings.sites, settings.seed), batches=2)
    with torch_threads(1):
        ours, frames = (best_time(consume(loaders[name])) for name in (gather.OURS, gather.COLUMNS))
    assert frames / ours >= 10, "192 in benchmarks/speed/results.md"


def test_lightning_takes_not_much_more_of_the_processor_than_a_bare_loop(monkeypatch):
    monkeypatch.setattr(step, "time", SimpleNamespace(perf_counter=time.process_time))
    settings = parse_settings(["sites=4", "batch=32", "rounds=8", "steps=1"])
    data = data_module(settings.sites, settings.batch, settings.seed)
    with torch_threads(1):
        trace = step.train(settings, data, 1, "LSTM")
    assert min(trace.lightning) / min(trace.bare) <= 1.5, "1.02 in benchmarks/speed/results.md"


def consume(loader: Iterable[torch.Tensor]) -> Callable[[], int]:
    return lambda: sum(len(batch) for batch in loader)


def best_time(run: Callable[[], int], times: int = 5) -> float:
    """Return the least processor time of several runs; what other programs do to one of them does not count."""
    spent = []
    for _ in range(times):
        started = time.process_time()
        run()
        spent.append(time.process_time() - started)
    return min(spent)
