"""Trees beside a network: grown once a fold, kept in the run folder, asked again whenever the network is.

What the network learns of own days it learns from errors at training sites, where trees that were grown on those very
days would show none. So the training sites are dealt into parts, and each is guessed by trees grown without it: by
clusters where unseen sites are asked (of a grid, without the cells that touch them), by years where new years of known
sites are.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..config.raci import RaciConfig
from ..config.schema import Config
from ..config.trees import NeighbourTreesConfig
from ..contracts import TrainingView
from ..datamodules.base import FluxDataModule
from ..datamodules.splits import beside
from ..modules.baselines.boosted_trees import BoostedTrees
from ..modules.baselines.neighbour_trees import NeighbourTrees
from ..retrieval.bank import Bank
from ..stopping import keep
from .simulated import simulated_flux
from .stages import has_first_guess

FOLDER = "first_guess"
ALL = "all"

Floats = NDArray[np.float32]
Codes = NDArray[np.int64]
Days = NDArray[np.bool_]
Guess = Callable[[str, Days], Floats]  # level that is unknown, days (site, day) -> flux (site, day, target), scaled


def grow_trees(config: Config, data: FluxDataModule, fold: Path, bank: Bank | None) -> None:
    """Grow the trees of a model with a first guess into the folder of a fold, those that it does not hold yet.

    Raises
    ------
    UserError
        If a target has no known day, or no validation day.
    """
    kind, trees = _kind(config.model)
    for name, learnt, _ in _shares(config.model, _told(config, data, data.view(), fold, bank)):
        if not (fold / FOLDER / name).exists():
            kind.fit(trees, learnt, config.data.split.cluster_km, config.seed).save(fold / FOLDER / name)
            keep()


def first_guess(config: Config, data: FluxDataModule, fold: Path, bank: Bank | None) -> Floats | None:
    """Return what the trees of a fold say of its own cube (site, day, target), scaled; NaN on days that nobody asks.

    Raises
    ------
    UserError
        If the trees are missing or damaged.
    """
    asking = asking_trees(config, data, fold, bank)
    return None if asking is None else asking("", data.predictable)


def asking_trees(config: Config, data: FluxDataModule, fold: Path, bank: Bank | None) -> Guess | None:
    """Return what asks the trees of a fold about days of its own cube, told nothing of a level of context (or all)."""
    if not has_first_guess(config):
        return None
    return partial(_ask, config.model, _told(config, data, data.view(), fold, bank), fold)


def _ask(model: RaciConfig, view: TrainingView, fold: Path, without: str, days: Days) -> Floats:
    kind, _ = _kind(model)
    guess = np.full(view.target.shape, np.nan, np.float32)
    for name, _, asked in _shares(model, view):
        wanted = asked & days
        if wanted.any():
            trees = kind.load(fold / FOLDER / name)
            guess[wanted] = trees.predict(view, same_cube=True, wanted=wanted, without=without)[wanted]
    return guess


def first_guess_elsewhere(
    config: Config, data: FluxDataModule, view: TrainingView, fold: Path, bank: Bank | None, past: Days
) -> Floats | None:
    """Return what the trees of a finished fold say of another cube, as ``first_guess`` does of its own.

    Parameters
    ----------
    view : the sites as they are asked.
    past : (site, day) days on which the fold knew a flux of the site; their trees were grown without their year.
    """
    if not has_first_guess(config):
        return None
    kind, _ = _kind(config.model)
    view = _told(config, data, view, fold, bank, elsewhere=True)
    part = _by_years(past, view, config.model.first_guess.parts)
    guess = np.full((*past.shape, len(view.layout.targets)), np.nan, np.float32)
    for number in np.unique(part):
        wanted = (part == number) & data.predictable
        trees = kind.load(fold / FOLDER / (ALL if number < 0 else f"part{number}"))
        guess[wanted] = trees.predict(view, same_cube=False, wanted=wanted)[wanted]
    return guess


def _told(
    config: Config, data: FluxDataModule, view: TrainingView, fold: Path, bank: Bank | None, elsewhere: bool = False
) -> TrainingView:
    """Add to a view of the sites of ``data`` what the fold's pretrained network says of them, if there is one."""
    if not config.model.first_guess.simulated:
        return view
    return replace(view, simulated=simulated_flux(config, data, fold, bank, view if elsewhere else None))


def _shares(model: RaciConfig, view: TrainingView) -> Iterator[tuple[str, TrainingView, Days]]:
    """Yield the name of some trees, what they may learn from, and which days (site, day) they are asked about."""
    part, in_time = np.full(view.driver_days.shape, -1), view.visible.question == "new_years"
    if model.own_days.enabled:
        parts = model.first_guess.parts
        part = _by_years(np.asarray(view.visible.known.any(-1)), view, parts) if in_time else _by_clusters(view, parts)
    yield ALL, view, part < 0
    for number in np.unique(part[part >= 0]):
        mine = part == number
        known = view.visible.known & ~mine[..., None]
        if view.visible.blocks and not in_time:
            away = known & ~beside(view.lat, view.lon, mine.any(1))[:, None, None]
            known = away if away.any() else known  # of a grid of a few blocks nothing is away from the others
        target = np.where(known, view.target, np.float32(0.0))
        learnt = replace(view, visible=replace(view.visible, known=known), target=target)
        yield f"part{number}", learnt, mine


def _by_clusters(view: TrainingView, parts: int) -> Codes:
    """Deal whole clusters of training sites, in the order of their names; a single one is not dealt."""
    part = np.full(view.driver_days.shape, -1)
    order = np.argsort(view.site_id, kind="stable")
    known = order[view.visible.known[order].any((1, 2))]
    clusters = list(dict.fromkeys(view.visible.cluster[known].tolist()))
    if len(clusters) > 1:
        for place, code in enumerate(clusters):
            part[(view.visible.cluster == code) & view.train_sites] = place % parts
    return part


def _by_years(days: Days, view: TrainingView, parts: int) -> Codes:
    """Deal the calendar years of some days (site, day)."""
    year = 1970 + view.dates.astype("datetime64[Y]").astype(np.int64)
    return np.where(days, year[None] % parts, -1)


def _kind(model: RaciConfig) -> tuple[type[BoostedTrees] | type[NeighbourTrees], NeighbourTreesConfig]:
    """Trees ask the neighbours whose responses the network reads; they are plain ones where it reads none."""
    retrieval = model.retrieval
    alike = {name: getattr(retrieval, name) for name in ("roles", "kinds", "radius_km", "exclude_km")}
    trees = NeighbourTreesConfig(**vars(model.first_guess.trees), **alike)
    return (NeighbourTrees if retrieval.enabled and "responses" in retrieval.values else BoostedTrees), trees
