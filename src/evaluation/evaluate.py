"""Evaluate a run from its folder alone: score it and its baselines, write ``metrics.json``, figures and the report."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .figures import draw_all
from .report import write_report
from .run_folder import RunFolder, write_json
from .scored import ScoredRun

TOLERANCE = 1e-9  # relative; sums may be ordered differently on another machine


@dataclass(frozen=True)
class Evaluation:
    """A run and the models trained beside it, scored."""

    run: ScoredRun
    baselines: list[ScoredRun]

    @property
    def report(self) -> Path:
        """Where the report of the run lies."""
        return self.run.folder.path / "report.html"

    @property
    def models(self) -> list[ScoredRun]:
        """The run, then its baselines."""
        return [self.run, *self.baselines]


def score_run(path: Path | str) -> Evaluation:
    """Recompute every number of a run folder; writes nothing.

    Raises
    ------
    UserError
        If the folder or a file in it is missing or broken.
    """
    folder = RunFolder(path)
    return Evaluation(ScoredRun.of(folder), [ScoredRun.of(baseline) for baseline in folder.baselines()])


def evaluate_run(path: Path | str) -> Evaluation:
    """Recompute every number of a run and its baselines; rewrite ``metrics.json``, ``figures/`` and ``report.html``."""
    evaluation = score_run(path)
    for model in evaluation.models:
        write_json(model.summary, model.folder.path / "metrics.json")
    figures = draw_all(evaluation.run, evaluation.baselines)
    write_report(evaluation.run, evaluation.baselines, figures, evaluation.report)
    return evaluation


def stored_differences(evaluation: Evaluation) -> list[str]:
    """Say, a line each, where a stored ``metrics.json`` is missing or differs from the recomputed numbers."""
    lines = []
    for model in evaluation.models:
        file = model.folder.path / "metrics.json"
        stored = model.folder.metrics()
        if stored is None:
            lines.append(f"{file}: missing; write it with scripts/evaluate.py")
        else:
            lines += [f"{file}: {difference}" for difference in _differences(stored, model.summary, "")]
    return lines


def _differences(stored: object, computed: object, where: str) -> Iterator[str]:
    if isinstance(stored, dict) and isinstance(computed, dict):
        for name in sorted(stored.keys() | computed.keys()):
            yield from _differences(stored.get(name), computed.get(name), f"{where}.{name}" if where else name)
    elif not _same(stored, computed):
        yield f"{where} is stored as {stored} but recomputed as {computed}"


def _same(stored: object, computed: object) -> bool:
    if isinstance(stored, float) and isinstance(computed, float):
        return math.isclose(stored, computed, rel_tol=TOLERANCE, abs_tol=1e-12)
    return stored == computed
