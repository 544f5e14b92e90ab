"""From run folders to comparisons: each target in turn, and a single model against the baselines beside it."""

from collections.abc import Sequence
from pathlib import Path

from ...errors import UserError
from ..run_folder import RunFolder
from .bootstrap import DRAWS
from .compare import compare
from .compared import Comparison
from .entries import entries


def compare_folders(
    paths: Sequence[Path | str],
    *,
    target: str | None = None,
    reference: str | None = None,
    baselines: Sequence[str] | None = None,
    score: str | None = None,
    draws: int = DRAWS,
) -> dict[str, Comparison]:
    """Compare run folders: one comparison for each target that all have, or for ``target`` alone.

    ``reference`` and ``baselines`` are as :func:`.compare.compare` takes them.
    Runs of one single model are compared with the models that were trained beside them (``RUN/baselines``).

    Raises
    ------
    UserError
        If a folder is broken, no target is common, or :func:`.compare.compare` refuses.
    """
    folders = [_by_target(path) for path in paths]
    for path, of_run in zip(paths, folders, strict=True):
        if target is not None and target not in of_run:
            raise UserError(f"{path}: has no target {target!r}, only {', '.join(of_run)}; leave it out")
    common = [name for name in folders[0] if all(name in of_run for of_run in folders) and target in (None, name)]
    if not common:
        held = ", ".join(f"{path} has {' and '.join(of_run)}" for path, of_run in zip(paths, folders, strict=True))
        raise UserError(f"no target is common to all runs: {held}; compare runs of one target")
    scores = None if score is None else [score]
    return {
        name: compare(
            _with_baselines([of_run[name] for of_run in folders]),
            reference=reference,
            baselines=baselines,
            scores=scores,
            draws=draws,
        )
        for name in common
    }


def _by_target(path: Path | str) -> dict[str, RunFolder]:
    folder = RunFolder(path)
    return {target: RunFolder(path, target) for target in folder.targets()} or {
        str(folder.predictions().attrs["target"]): folder
    }


def _with_baselines(folders: list[RunFolder]) -> list[RunFolder]:
    if len(entries(folders)) > 1:
        return folders
    return [*folders, *(baseline for folder in folders for baseline in folder.baselines())]
