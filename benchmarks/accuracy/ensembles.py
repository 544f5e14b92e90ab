"""Ensembles of a model's seeds, held against each other: what training several times and averaging is worth."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from raciflux.evaluation.comparison.compare import BEST
from raciflux.evaluation.comparison.ensemble import write_ensemble
from raciflux.evaluation.comparison.folders import compare_folders
from raciflux.evaluation.comparison.tables import PAIR_HEADER, pair_rows, title

from .cells import Run
from .collect import of_targets
from .grid import Grid
from .markdown import markdown
from .split_page import BOUNDS, models_table


def ensembles_table(grid: Grid, of_split: Sequence[tuple[Run, Path]], folder: Path, draws: int) -> list[str]:
    """Return the tables of the ensembles whose seeds are all finished, each against the strongest of baselines.

    That is the ensemble of the best baseline on validation, then the mean of all baselines together where there are
    several: models of different families err differently, and their mean is hard to beat.
    """
    places = {model: place for model in grid.ensembles if (place := _ensemble(grid, [model], of_split, folder))}
    baselines = [model for model in places if model in grid.baselines]
    if len(places) < 2 or not baselines:
        return []
    lines = ["", f"### Ensembles of {grid.seeds} seeds"]
    names = [f"{model}_ensemble" for model in baselines]
    for comparison in compare_folders(list(places.values()), reference=BEST, baselines=names, draws=draws).values():
        compared = comparison.scores[0]
        lines += [*models_table(comparison, compared), "", *markdown(PAIR_HEADER, pair_rows(compared, BOUNDS))]
    together = _ensemble(grid, baselines, of_split, folder) if len(baselines) > 1 else None
    if together is None:
        return lines
    name = str(of_targets(together)[0].predictions().attrs["model"])
    against = [*(places[model] for model in places if model not in baselines), together]
    for comparison in compare_folders(against, reference=name, draws=draws).values():
        compared = comparison.scores[0]
        lines += ["", f"{title(comparison, compared)}, against the mean of all baselines:"]
        lines += ["", *markdown(PAIR_HEADER, pair_rows(compared, BOUNDS))]
    return lines


def _ensemble(grid: Grid, models: Sequence[str], of_split: Sequence[tuple[Run, Path]], folder: Path) -> Path | None:
    """Write the ensemble of some models' seeds anew where one is younger; None while some are missing."""
    members = [(run, place) for run, place in of_split if run.model in models]
    if len(members) < max(grid.seeds, 2) * len(models):
        return None
    run = members[0][0]
    place = folder / run.grid / run.split / f"{'+'.join(models)}-ensemble"
    youngest = max(_written(member) for _, member in members)
    if not place.exists() or _written(place) < youngest:
        shutil.rmtree(place, ignore_errors=True)
        write_ensemble([member for _, member in members], place)
    return place


def _written(place: Path) -> float:
    return max((one.scored_path / "predictions.zarr").stat().st_mtime for one in of_targets(place))
