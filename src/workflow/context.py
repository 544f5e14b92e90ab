"""Which level of context moved the answer: tested windows are predicted again with one level unknown to the model.

Occlusion (Zeiler and Fergus 2014, doi:10.1007/978-3-319-10590-1_53) tells what the trained model makes of a level, not
what the level does to the flux. A level is hidden as the model meets it where it is missing: values and masks 0, class
code 0, an empty neighbourhood. Levels overlap, so their shifts do not add up.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..contracts import Batch, Layout
from ..datamodules.base import FluxDataModule
from ..modules.first_guess import FirstGuess
from ..modules.flux_module import FluxModule
from ..modules.raci import Raci
from ..retrieval.role_pool import RolePool
from ..variables import SLOW_SCALES, slow_scale
from .evenly import evenly
from .first_guess import Guess
from .predictions import Predicted

OWN_DAYS, TREES = "own days", "trees"
WINDOWS_A_SITE = 2  # two years of scored days tell what moves an answer, and bound the cost where records are long

Answer = Callable[[Batch], Tensor]  # batch -> read-out (batch, day, target, parameter)
Days = NDArray[np.bool_]  # (site, day)


@dataclass(frozen=True)
class Look:
    """A batch of windows: ``index`` (window, 2), which of their scored days count, and the site and day of each."""

    index: Tensor
    counted: NDArray[np.bool_]
    site: NDArray[np.int64]
    day: NDArray[np.int64]


def write_context(
    data: FluxDataModule, module: FluxModule, predicted: Predicted, path: Path, guess: Guess | None = None
) -> None:
    """Write how far each level moved the prediction: a row a tested site, target, level and calendar month.

    Columns: ``site_id, target, level, month`` (1-12), ``shift`` (mean of the prediction minus the prediction without
    the level), ``size`` (mean of its absolute value), both in the target's unit, and ``days``, over how many: those of
    the last two windows (two years by default) of each site's test, of 500 sites at most.

    Where own fluxes are shown the level *own days* compares ``predicted`` with what the network says without them, and
    the other levels are taken from the latter.

    Parameters
    ----------
    guess : what the trees beside the network say of some days (site, day) when they are told nothing of a level.
    """
    module.eval().to(data.arrays.fast.device)
    without = answers_without(module.network, data.layout)
    corrected = bool(data.shown.any()) and getattr(module.network, "own_days", None) is not None
    asked, months = data.predictable & data.test_days, _months(data)
    levels = (*without, *([OWN_DAYS] if corrected else ()))
    sums = {name: np.zeros((2, len(asked), 12, len(data.roles.targets))) for name in levels}
    days = np.zeros((len(asked), 12), np.int64)
    windows = latest(_evenly(_windows(data)), WINDOWS_A_SITE)
    firsts = range(0, len(windows), data.batch_size)
    looks = [_look(windows[first : first + data.batch_size], data, asked) for first in firsts]
    whole = [_flux(module, module.network, look, data) for look in looks]
    for look in looks:
        np.add.at(days, (look.site, months[look.day]), 1)
    for name, answer in without.items():
        with _trees_without(name, module.network, looks, asked, guess):
            for look, flux in zip(looks, whole, strict=True):
                _add(sums[name], look, months, flux - _flux(module, answer, look, data))
    if corrected:
        for look, flux in zip(looks, whole, strict=True):
            base = data.base[look.site, look.day]
            _add(sums[OWN_DAYS], look, months, predicted.flux[look.site, look.day] - base - flux)
    _table(data, sums, days).write_parquet(path)


def answers_without(network: nn.Module, layout: Layout) -> dict[str, Answer]:
    """Return the network for each level that a batch or the network's retrieval has, blind to that level."""
    blind: dict[str, Answer] = {}
    if layout.static:
        blind["statics"] = partial(_unknown, network, ("static", "static_mask"))
    if layout.classes:
        blind["classes"] = partial(_unknown, network, ("classes",))
    scales = np.array([slow_scale(name) for name in layout.slow])
    for name in SLOW_SCALES:
        hidden = scales == name
        if hidden.any():
            blind[name] = partial(_without_history, network, torch.from_numpy(~hidden))
    if isinstance(network, Raci) and network.retrieval is not None:
        for role, pool in network.retrieval.roles.items():
            assert isinstance(pool, RolePool)
            blind[f"{role} neighbours"] = partial(_without_neighbours, network, pool)
    if isinstance(network, Raci) and network.first_guess is not None and network.first_guess.told:
        blind[TREES] = partial(_without_trees, network, network.first_guess)
    return blind


def latest(windows: Tensor, most: int) -> Tensor:
    """Keep the last ``most`` of each site's windows (window, 2), which are ordered by site and day."""
    site = windows[:, 0]
    end = torch.searchsorted(site.contiguous(), site.contiguous(), right=True)
    return windows[end - torch.arange(len(site)) <= most]


def _unknown(network: nn.Module, names: tuple[str, ...], batch: Batch) -> Tensor:
    every: dict[str, Any] = dict(batch)
    answer: Tensor = network(every | {name: torch.zeros_like(every[name]) for name in names})
    return answer


def _without_history(network: nn.Module, kept: Tensor, batch: Batch) -> Tensor:
    """Answer without the slow features that are not ``kept`` (slow feature,)."""
    share = kept.to(batch["slow"])
    answer: Tensor = network(batch | {name: batch[name] * share for name in ("slow", "slow_mask")})
    return answer


def _without_neighbours(network: nn.Module, pool: RolePool, batch: Batch) -> Tensor:
    """Answer as if the role had found nobody."""
    with pool.finding_nobody():
        answer: Tensor = network(batch)
    return answer


def _without_trees(network: nn.Module, guess: FirstGuess, batch: Batch) -> Tensor:
    """Answer by the network alone."""
    with guess.unknown():
        answer: Tensor = network(batch)
    return answer


@contextmanager
def _trees_without(
    level: str, network: nn.Module, looks: Sequence[Look], asked: Days, guess: Guess | None
) -> Iterator[None]:
    """Let the trees beside a network be told nothing of a level either, for as long as this lasts."""
    beside = network.first_guess if isinstance(network, Raci) else None
    if guess is None or beside is None or level == TREES:
        yield
        return
    days = np.zeros_like(asked)
    for look in looks:
        days[look.site, look.day] = True
    with beside.saying(guess(level, days)):
        yield


@torch.no_grad()
def _flux(module: FluxModule, answer: Answer, look: Look, data: FluxDataModule) -> NDArray[np.float64]:
    """Flux of the counted days of a look (row, target), in units."""
    batch = data.arrays.gather(look.index.to(data.arrays.fast.device), "test")
    flux = module.flux(answer(batch))[:, module.window.warmup :]
    return np.asarray(flux.flatten(0, 1).double().cpu().numpy()[look.counted])


def _add(sums: NDArray[np.float64], look: Look, months: NDArray[np.int64], shift: NDArray[np.float64]) -> None:
    """Add the shift (row, target) of each counted day, and its absolute value, to the sums of its site and month."""
    for total, values in zip(sums, (shift, np.abs(shift)), strict=True):
        np.add.at(total, (look.site, months[look.day]), values)


def _look(index: Tensor, data: FluxDataModule, asked: Days) -> Look:
    site, day = _days(index, data)
    counted = (day >= 0) & (day < asked.shape[1])
    counted[counted] = asked[site[counted], day[counted]]
    return Look(index, counted, site[counted], day[counted])


def _windows(data: FluxDataModule) -> Tensor:
    batches = list(data.predict_dataloader())
    return torch.cat(batches) if batches else torch.empty((0, 2), dtype=torch.int64)


def _evenly(windows: Tensor) -> Tensor:
    """Keep the windows of so many sites as tell enough."""
    return windows[torch.isin(windows[:, 0], torch.from_numpy(evenly(np.unique(windows[:, 0].numpy()))))]


def _days(index: Tensor, data: FluxDataModule) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Site and day of each scored day of the windows (window * scored,)."""
    site, first = index.cpu().numpy().T
    day = first[:, None] + np.arange(data.window.warmup, data.window.days)
    return np.repeat(site, data.window.scored), day.ravel()


def _months(data: FluxDataModule) -> NDArray[np.int64]:
    """Calendar month (day,) from 0."""
    return np.asarray(data.cube["time"].to_numpy().astype("datetime64[M]").astype(np.int64) % 12)


def _table(data: FluxDataModule, sums: Mapping[str, NDArray[np.float64]], days: NDArray[np.int64]) -> pl.DataFrame:
    names, targets = data.cube["site_id"].to_numpy(), data.roles.targets
    site, month = np.nonzero(days)
    parts = [
        {
            "site_id": names[site].astype(str),
            "target": [target] * len(site),
            "level": [level] * len(site),
            "month": (month + 1).astype(np.int8),
            "shift": (shift[site, month, place] / days[site, month]).astype(np.float32),
            "size": (size[site, month, place] / days[site, month]).astype(np.float32),
            "days": days[site, month].astype(np.int32),
        }
        for place, target in enumerate(targets)
        for level, (shift, size) in sums.items()
    ]
    schema = {"site_id": pl.String, "target": pl.String, "level": pl.String}
    return pl.concat([pl.DataFrame(part, schema_overrides=schema) for part in parts]) if parts else pl.DataFrame()
