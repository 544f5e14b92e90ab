"""Evaluate a run from its folder alone: score it and its baselines, write ``metrics.json``, figures and the report."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .figures.draw import draw_all
from .figures.drawing import Drawn
from .paper_tables import write_paper_tables
from .report.index import write_index
from .report.write import write_report
from .run_folder import RunFolder, write_json
from .scored import ScoredRun

TOLERANCE = 1e-9  # relative; sums may be ordered differently on another machine


@dataclass(frozen=True)
class Evaluation:
    """A run and the models trained beside it, scored; ``figures`` are those drawn, empty where nothing was written."""

    run: ScoredRun
    baselines: list[ScoredRun]
    figures: Sequence[Drawn] = ()

    @property
    def report(self) -> Path:
        """Where the report of the run lies."""
        return self.run.folder.scored_path / "report.html"

    @property
    def models(self) -> list[ScoredRun]:
        """The run, then its baselines."""
        return [self.run, *self.baselines]


def score_run(path: Path | str) -> list[Evaluation]:
    """Recompute every number of a run folder, one evaluation a target; writes nothing.

    Raises
    ------
    UserError
        If the folder or a file in it is missing or broken.
    """
    return [_score(RunFolder(path, target)) for target in RunFolder(path).targets() or (None,)]


def evaluate_run(path: Path | str, report: bool = True) -> list[Evaluation]:
    """Recompute every number of a run and its baselines, one evaluation a target.

    Rewrites each target's ``metrics.json`` and ``tables/``; with a ``report`` its ``figures/`` and ``report.html`` too
    and, of several targets, an index of their reports.
    """
    evaluations = [_written(evaluation, report) for evaluation in score_run(path)]
    if report and evaluations[0].run.folder.target is not None:
        write_index([evaluation.run for evaluation in evaluations], Path(path) / "report.html")
    return evaluations


def _written(evaluation: Evaluation, report: bool) -> Evaluation:
    run, baselines = evaluation.run, evaluation.baselines
    for model in evaluation.models:
        write_json(model.summary, model.folder.scored_path / "metrics.json")
    write_paper_tables(run, baselines, run.folder.scored_path / "tables")
    if not report:
        return evaluation
    figures = draw_all(run, baselines)
    write_report(run, baselines, figures, evaluation.report)
    return replace(evaluation, figures=figures)


def _score(folder: RunFolder) -> Evaluation:
    return Evaluation(ScoredRun.of(folder), [ScoredRun.of(baseline) for baseline in folder.baselines()])


def stored_differences(evaluation: Evaluation) -> list[str]:
    """Say, a line each, where a stored ``metrics.json`` is missing or differs from the recomputed numbers."""
    lines = []
    for model in evaluation.models:
        file = model.folder.scored_path / "metrics.json"
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
    elif isinstance(stored, list) and isinstance(computed, list) and len(stored) == len(computed):
        for place, (old, new) in enumerate(zip(stored, computed, strict=True)):
            yield from _differences(old, new, f"{where}[{place}]")
    elif not _same(stored, computed):
        yield f"{where} is stored as {stored} but recomputed as {computed}"


def _same(stored: object, computed: object) -> bool:
    if isinstance(stored, float) and isinstance(computed, float):
        return math.isclose(stored, computed, rel_tol=TOLERANCE, abs_tol=1e-12)
    return stored == computed
