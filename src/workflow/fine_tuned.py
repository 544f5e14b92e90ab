"""A trained network fine-tuned on the shown days of one site: what a user would try first with a few days of own data.

All weights of the fold's network go on being trained, on the shown days of the site alone, for a few steps; then it
predicts the site's other days. A few days allow no early stopping, so learning rate and number of steps are chosen at
the fold's validation sites, which trained nothing, under the same question, for each number of shown days apart; no
step at all is among the choices.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..contracts import Batch
from ..datamodules.base import FluxDataModule
from ..datamodules.splits import Split
from ..datamodules.windows import cut, lay, tiling
from ..errors import UserError
from ..modules import TRAINABLE
from ..modules.flux_module import FluxModule
from ..own_days.choice import ByDaysShown
from ..own_days.questions import SHOWN_DAYS, days_a_year_later, draw_starts, first_days
from ..own_days.records import Doubles, Floats, Mask
from .apply import run_config
from .stages import accelerator, looks_up
from .trained_folds import TrainedFold, trained_folds

STEPS = (0, 3, 10, 30, 60)
RATES = (3e-4, 1e-3)
CLIP = 1.0  # norm of a step's gradient, as in training
STARTS_ASKED = 1  # of each validation site


@dataclass(frozen=True)
class Tuning:
    """Steps of Adam and their learning rate."""

    steps: int
    rate: float


@dataclass(frozen=True)
class TunedFold:
    """The network of one fold.

    Attributes
    ----------
    chosen : how it is tuned, by the number of shown days.
    tested : (site,).
    """

    module: FluxModule
    data: FluxDataModule
    device: torch.device
    chosen: ByDaysShown[Tuning] | None
    tested: Mask

    def choose(self, split: Split) -> "TunedFold":
        """Choose steps and rate at the validation sites: those with the smallest mean RMSE over sites and targets."""
        site_id, dates = self.data.cube["site_id"].to_numpy().astype(str), self.data.cube["time"].to_numpy()
        settings = [Tuning(steps, rate) for rate, steps in product(RATES, STEPS)]
        errors: dict[int, list[Doubles]] = {days: [] for days in SHOWN_DAYS}
        counts: dict[int, list[int]] = {days: [] for days in SHOWN_DAYS}
        flux = self._flux()
        for site in np.flatnonzero(split.members("validation", site_id)).tolist():
            measured = self.data.measured[site]
            for start in draw_starts(site_id[site], dates, measured)[:STARTS_ASKED]:
                scored = days_a_year_later(start, dates, measured) & self.data.predictable[site][:, None]
                for days in SHOWN_DAYS:
                    shown = first_days(start, days, dates, measured)
                    said = [each for rate in RATES for each in self._after(site, shown, STEPS, rate)]
                    errors[days].append(np.array([_error(one, flux[site], scored) for one in said]))
                    counts[days].append(int(shown.any(1).sum()))
        if not errors[SHOWN_DAYS[0]]:
            raise UserError(
                f"fine-tuning: no validation site of fold {split.fold} has a record of more than a year to choose the "
                "number of steps at; take a run with more sites"
            )
        best = tuple(settings[int(np.mean(errors[days], axis=0).argmin())] for days in SHOWN_DAYS)
        shown_days = np.array([np.mean(counts[days]) for days in SHOWN_DAYS])
        return replace(self, chosen=ByDaysShown(shown_days, best))

    def answer(self, site: int, shown: Mask) -> Floats:
        """Tune on the shown days (day, target), and predict every day (day, target)."""
        assert self.chosen is not None
        seen = int(shown.any(1).sum())
        tuning = self.chosen.at(seen) if seen else Tuning(0, RATES[0])
        (said,) = self._after(site, shown, (tuning.steps,), tuning.rate)
        return said

    def _after(self, site: int, shown: Mask, steps: Sequence[int], rate: float) -> Iterator[Floats]:
        """Yield the predictions (day, target) after each of some increasing numbers of steps."""
        network = copy.deepcopy(self.module.network)
        batch = self._shown_windows(site, shown) if shown.any() else None
        optimizer = torch.optim.Adam(network.parameters(), lr=rate)
        done = 0
        torch.manual_seed(0)  # of dropout
        for wanted in steps:
            network.train()
            while batch is not None and done < wanted:
                optimizer.zero_grad()
                loss = self.module.loss(network(batch), batch["target"], batch["target_mask"])
                loss.backward()  # type: ignore[no-untyped-call]  # torch has no types for it
                nn.utils.clip_grad_norm_(network.parameters(), CLIP)
                optimizer.step()
                done += 1
            yield self._predict(network.eval(), site)

    @torch.no_grad()
    def _predict(self, network: nn.Module, site: int) -> Floats:
        batch = self._windows(site, self.data.predictable[site])
        first = (batch["day"] + self.data.window.warmup).tolist()
        said = self.module.flux(network(batch))[:, self.data.window.warmup :].float().cpu().numpy()
        days = np.full((len(self.data.cube["time"]), said.shape[-1]), np.nan, np.float32)
        lay(said, first, days)
        return np.where(self.data.predictable[site][:, None], days + self.data.base[site], np.float32(np.nan))

    def _windows(self, site: int, days: Mask) -> Batch:
        """Windows whose scored parts hold these days, each once; no flux is in them."""
        index = tiling(torch.from_numpy(days[None]), self.data.window, torch.zeros(1, dtype=torch.int64))
        index[:, 0] = site
        return self.data.arrays.to(self.device).gather(index.to(self.device), "test")

    def _shown_windows(self, site: int, shown: Mask) -> Batch:
        """Windows whose targets are the shown fluxes."""
        batch = self._windows(site, np.asarray(shown.any(1)))
        flux = torch.from_numpy(self.data.scaled_target()[site])
        counts = torch.from_numpy(shown) & torch.isfinite(flux)
        first, length = batch["day"], self.data.window.days
        mask = cut(counts, first, length)
        mask[:, : self.data.window.warmup] = False
        target = cut(torch.where(counts, flux, torch.zeros(())), first, length) * mask
        return {**batch, "target": target.to(self.device), "target_mask": mask.to(self.device)}

    def _flux(self) -> Floats:
        """Observed fluxes (site, day, target) in units."""
        names = self.data.roles.targets
        return np.stack([self.data.cube[name].transpose("site", "time").to_numpy() for name in names], axis=-1)


class FineTuned:
    """Ask a run's networks about tested sites, each time tuned anew; several runs answer with their mean.

    Raises
    ------
    UserError
        If a run is of no network, of one that looks up neighbours, or is not finished.
    """

    def __init__(self, runs: Sequence[Path]) -> None:
        self.runs = [_folds(run) for run in runs]

    def __call__(self, site: int, shown: Mask) -> Floats:
        """Return the mean answer (day, target) of the networks that did not train on the site."""
        of_runs = [next(fold for fold in folds if fold.tested[site]) for folds in self.runs]
        return np.asarray(np.mean([fold.answer(site, shown) for fold in of_runs], axis=0))


def _folds(run: Path) -> list[TunedFold]:
    config = run_config(run)
    if config.model.name not in TRAINABLE or looks_up(config):
        raise UserError(f"{run}: model={config.model.name} cannot be fine-tuned here; name a run of a network, as lstm")
    return [_chosen(fold) for fold in trained_folds(run)]


def _chosen(fold: TrainedFold) -> TunedFold:
    device = torch.device(accelerator(fold.config))
    tested = fold.split.members("test", fold.data.cube["site_id"].to_numpy())
    return TunedFold(fold.module.to(device), fold.data, device, None, tested).choose(fold.split)


def _error(said: Floats, flux: Floats, scored: Mask) -> float:
    """RMSE over scored days, each target's over its spread, averaged over targets."""
    of_targets = []
    for target in range(flux.shape[1]):
        days = scored[:, target]
        if days.sum() > 1:
            error = said[days, target].astype(np.float64) - flux[days, target]
            of_targets.append(np.sqrt((error**2).mean()) / max(float(flux[days, target].std()), 1e-6))
    return float(np.mean(of_targets)) if of_targets else 0.0
