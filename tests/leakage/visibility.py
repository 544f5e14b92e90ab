"""Rule 1, question by question: of a site's own fluxes an answer knows the shown days, and training asks the same."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from raciflux.config.raci import QUESTIONS
from raciflux.datamodules.base import FluxDataModule
from raciflux.modules import raci
from raciflux.modules.flux_module import FluxModule
from raciflux.own_days import evidence
from raciflux.own_days.own_trees import OwnTrees
from raciflux.own_days.records import Record
from raciflux.retrieval.bank import Bank
from raciflux.workflow import own_answers, own_residuals
from raciflux.workflow.first_guess import first_guess, grow_trees
from raciflux.workflow.own_answers import OwnAnswers
from raciflux.workflow.own_residuals import OwnResiduals, learn_residuals, readings_of_fold
from raciflux.workflow.records import record_of_data
from raciflux.workflow.stages import build_module

from worlds import CLUSTER_KM, poisoned, tiny_data

from .world import FLUX, ONE_CHECK, Leak, config, demand_awake, demand_still, split_of, towers

FIRST = 200  # day of the record on which the shown days of a little-known site begin


def shown_days(question: str, days: int) -> np.ndarray:
    """Days (day,) whose own fluxes a question shows."""
    day = np.arange(days)
    in_gap = (day >= FIRST - 1) & (day < FIRST + 41)
    few = (day >= FIRST) & (day < FIRST + 30)
    return {"unseen": day < 0, "few_shot": few, "new_years": day < days // 2, "gap": ~in_gap}[question]


def tested_site() -> int:
    return int(np.flatnonzero(split_of("unseen").members("test", towers()["site_id"].to_numpy()))[0])


@dataclass(frozen=True)
class Fold:
    """A RACI of random weights, and what the workflow learns beside it: trees, mixed effects, own trees."""

    module: FluxModule
    folder: Path

    @classmethod
    @contextmanager
    def learned(cls, cube: xr.Dataset) -> Iterator["Fold"]:
        """Learn as the end of a training does; only the prior is left as it is, which validation chooses."""
        run, data = config("raci"), tiny_data(cube, split_of("unseen"))
        bank = Bank.build(data.view(), CLUSTER_KM)
        with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
            patch.setattr(evidence, "FEWEST_SITES", 4)  # six towers train
            grow_trees(run, data, Path(name), bank)
            module = build_module(run, ONE_CHECK, data, bank, guess=first_guess(run, data, Path(name), bank))
            learn_residuals(run, module, data, Path(name), say=pytest.fail)
            yield cls(module, Path(name))

    def answer(self, cube: xr.Dataset, question: str) -> np.ndarray:
        """Say what a run says of the tested site (day, target) when a question shows days of a cube."""
        data = tiny_data(cube, split_of("unseen"))
        beside, site = readings_of_fold(config("raci"), data, self.folder), tested_site()
        shown = shown_days(question, data.measured.shape[1])[:, None] & data.measured[site]
        if question in ("new_years", "gap"):
            assert len(beside) == 2 and all(one.share(shown).max() > 0.1 for one in beside), "somebody is not heard"
        flux, _ = OwnAnswers(self.module, data, torch.device("cpu"), beside)(site, shown)
        return flux


def check_answers() -> None:
    """Absurd fluxes on every day that is not shown, of the site and of its cluster, move no answer."""
    cube = towers()
    held_out = ~split_of("unseen").members("train", cube["site_id"].to_numpy())
    every = np.repeat(held_out[:, None], cube.sizes["time"], axis=1)
    with Fold.learned(cube) as fold, Fold.learned(poisoned(cube, every, FLUX)) as told_lies:
        for question in QUESTIONS:
            shown = shown_days(question, cube.sizes["time"])
            hidden, told = every.copy(), np.zeros_like(every)
            hidden[tested_site(), shown], told[tested_site(), shown] = False, True
            before = {question: fold.answer(cube, question)}
            demand_still(before, {question: told_lies.answer(poisoned(cube, hidden, FLUX), question)})
            if shown.any():
                demand_awake(before, {question: fold.answer(poisoned(cube, told, FLUX), question)})


def check_new_years() -> None:
    """A split in time shows the tested sites' training days, and no day of validation or test."""
    split = split_of("new_years")
    data = tiny_data(towers(), split)
    trained = split.days("train", towers()["site_id"].to_numpy(), towers()["time"].to_numpy())
    assert data.shown.any(), "own past is shown"
    assert not (data.shown & ~trained[..., None]).any(), "shown: a day behind the training period"
    assert not tiny_data(towers(), split_of("unseen")).shown.any(), "shown: a flux of an unseen question"


def check_posed() -> None:
    """In training no flux that a loss counts is an input of the answer it judges."""
    data = tiny_data(towers(), split_of("unseen"))
    module = build_module(config("raci"), ONE_CHECK, data, Bank.build(data.view(), CLUSTER_KM))
    batch = data.arrays.gather(data.train_dataloader().sampler.epoch(0), "train")
    judged: list[tuple[torch.Tensor, torch.Tensor]] = []

    def kept(read: torch.Tensor, target: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        judged.append((read, mask))
        return read.sum() * 0.0

    def asked(flux: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        judged.clear()
        torch.manual_seed(3)
        module.network.eval().training_loss({**batch, "target": flux}, kept)
        return judged[-1]

    read, counts = asked(batch["target"])
    other = torch.where(counts, batch["target"] + 100.0, batch["target"])
    again, _ = asked(other)
    assert torch.equal(again[counts], read[counts]), "moved: answers under their own truth"
    shown, _ = asked(batch["target"] + 100.0)
    assert not torch.equal(shown[counts], read[counts]), "no question shows a flux"


def a_day_too_many(patch: pytest.MonkeyPatch) -> None:
    """The last hidden day before a shown one is shown as well."""
    answer = OwnAnswers.__call__

    def wider(self, site, shown):
        near = shown | np.roll(shown, -1, axis=0)
        return answer(self, site, near)

    patch.setattr(own_answers.OwnAnswers, "__call__", wider)


def read_too_far(kind: type) -> Leak:
    """A reading beside the network looks at hidden days a week before the shown ones."""
    read = kind.__call__

    def wider(self, site, alone, shown):
        return read(self, site, alone, shown | np.roll(shown, -7, axis=0))

    return Leak(lambda patch: patch.setattr(kind, "__call__", wider), "moved: few_shot|moved: new_years|moved: gap")


def learned_from_all(patch: pytest.MonkeyPatch) -> None:
    """The mixed effects are learned from the tested sites as well."""

    def everything(data: FluxDataModule) -> Record:
        return Record(**{**vars(record_of_data(data)), "trainable": data.measured})

    patch.setattr(own_residuals, "record_of_training", everything)
    patch.setattr(own_residuals, "_learned_from", lambda data: np.ones_like(data.train_sites))


def cluster_mates_too(patch: pytest.MonkeyPatch) -> None:
    """The flux of the whole cluster stands in for the site's own."""
    build = OwnAnswers.__init__

    def with_mates(self, module, data, device, beside=()):
        build(self, module, data, device, beside)
        mates = data.cluster == data.cluster[tested_site()]
        self.flux[tested_site()] = self.flux[torch.from_numpy(mates)].mean(0)

    patch.setattr(own_answers.OwnAnswers, "__init__", with_mates)


def all_years_shown(patch: pytest.MonkeyPatch) -> None:
    build = FluxDataModule.__init__

    def open_wide(self, *given, **named):
        build(self, *given, **named)
        self.shown = self.measured if self.split.question == "new_years" else self.shown

    patch.setattr(FluxDataModule, "__init__", open_wide)


def shown_and_counted(patch: pytest.MonkeyPatch) -> None:
    pose = raci.pose

    def leaky(batch, questions, warmup):
        posed = pose(batch, questions, warmup)
        return {**posed, "target_mask": batch["target_mask"]}

    patch.setattr(raci, "pose", leaky)


ANSWERS = {
    "a day beside the shown ones": Leak(a_day_too_many, "moved: few_shot|moved: gap|moved: new_years"),
    "a week before the shown days, for the mixed effects": read_too_far(OwnResiduals),
    "a week before the shown days, for the own trees": read_too_far(OwnTrees),
    "mixed effects learned from the tested sites": Leak(learned_from_all, "moved: "),
    "fluxes of the cluster": Leak(cluster_mates_too, "moved: "),
}
NEW_YEARS = {"all years shown": Leak(all_years_shown, "behind the training period")}
POSED = {"shown days that count": Leak(shown_and_counted, "under their own truth")}
