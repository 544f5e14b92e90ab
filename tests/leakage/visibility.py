"""Rule 1, question by question: of a site's own fluxes an answer knows the shown days, and training asks the same."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from raciflux.config.raci import QUESTIONS
from raciflux.datamodules.base import FluxDataModule
from raciflux.modules import raci
from raciflux.retrieval.bank import Bank
from raciflux.workflow import own_answers
from raciflux.workflow.own_answers import OwnAnswers
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


def answered(cube: xr.Dataset, question: str) -> np.ndarray:
    """What a network of random weights says of a tested site (day, target)."""
    data = tiny_data(cube, split_of("unseen"))
    module = build_module(config("raci"), ONE_CHECK, data, Bank.build(data.view(), CLUSTER_KM))
    site = tested_site()
    shown = shown_days(question, data.measured.shape[1])[:, None] & data.measured[site]
    flux, _ = OwnAnswers(module, data, torch.device("cpu"))(site, shown)
    return flux


@cache
def before(question: str) -> dict[str, Any]:
    return {question: answered(towers(), question)}


def check_answers() -> None:
    """Absurd fluxes on every day that is not shown, of the site and of its cluster, move no answer."""
    for question in QUESTIONS:
        cube = towers()
        shown = shown_days(question, cube.sizes["time"])
        hidden = np.zeros((cube.sizes["site"], cube.sizes["time"]), bool)
        held_out = ~split_of("unseen").members("train", cube["site_id"].to_numpy())
        hidden[held_out] = True
        hidden[tested_site(), shown] = False
        demand_still(before(question), {question: answered(poisoned(cube, hidden, FLUX), question)})
        if shown.any():
            told = np.zeros_like(hidden)
            told[tested_site(), shown] = True
            demand_awake(before(question), {question: answered(poisoned(cube, told, FLUX), question)})


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


def cluster_mates_too(patch: pytest.MonkeyPatch) -> None:
    """The flux of the whole cluster stands in for the site's own."""
    build = OwnAnswers.__init__

    def with_mates(self, module, data, device):
        build(self, module, data, device)
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
    "fluxes of the cluster": Leak(cluster_mates_too, "moved: "),
}
NEW_YEARS = {"all years shown": Leak(all_years_shown, "behind the training period")}
POSED = {"shown days that count": Leak(shown_and_counted, "under their own truth")}
