"""What a fold learns of own days at its end: from whom, from how many, and what it says where it learns nothing."""

from dataclasses import replace

import numpy as np
import pytest
from raciflux.datamodules.base import FluxDataModule
from raciflux.errors import UserError
from raciflux.evaluation.run_folder import RunFolder
from raciflux.modules.flux_module import FluxModule
from raciflux.own_days.correct import Corrected
from raciflux.own_days.evidence import TooFewSitesError
from raciflux.own_days.records import FoldPredictions
from raciflux.workflow import own_prior
from raciflux.workflow.evenly import evenly
from raciflux.workflow.own_residuals import STORED, learn_residuals
from raciflux.workflow.stages import build_bank, build_module

from worlds import STAGE, carbon_cube, tiny_data, tiny_split

from .test_first_guess import RACI
from .test_learn import CONFIG

RUN = replace(CONFIG, model=RACI)


@pytest.fixture(scope="module")
def trained() -> tuple[FluxModule, FluxDataModule]:
    cube = carbon_cube()
    data = tiny_data(cube, tiny_split(cube))
    return build_module(RUN, STAGE, data, build_bank(RUN, data)), data


def test_too_few_sites_are_said_of_their_fold_and_stand_in_the_run(trained, tmp_path):
    said: list[str] = []
    learn_residuals(RUN, *trained, tmp_path, said.append)
    assert not (tmp_path / STORED).exists()
    (line,) = RunFolder(tmp_path).not_learned()
    assert (
        said == [f"  fold {trained[1].split.fold}: {line}"]
        and "training sites have a record of more than a year" in line
    )
    assert "raci reads own days by its network alone" in line


def test_another_fault_is_not_taken_for_too_few_sites(trained, tmp_path, monkeypatch):
    def damaged(*_: object) -> None:
        raise UserError("drivers cannot be read")

    monkeypatch.setattr(Corrected, "fit", damaged)
    with pytest.raises(UserError, match="cannot be read"):
        learn_residuals(RUN, *trained, tmp_path, print)


@pytest.fixture
def learned_from(trained, tmp_path, monkeypatch):
    """The sites that the correction of a fold is learned from, and those whose days are predicted for it."""
    seen: list[FoldPredictions] = []

    def kept(names, record, folds):
        seen.extend(folds)
        raise TooFewSitesError("enough seen")

    monkeypatch.setattr(Corrected, "fit", kept)

    def asked(most: int) -> tuple[list[int], list[int]]:
        monkeypatch.setattr("raciflux.workflow.evenly.SITES", most)
        learn_residuals(RUN, *trained, tmp_path, lambda line: None)
        predicted = np.isfinite(seen[-1].predicted).any((1, 2))
        return np.flatnonzero(seen[-1].training).tolist(), np.flatnonzero(predicted).tolist()

    return asked


def test_of_many_training_sites_some_with_a_flux_are_learned_from_evenly(trained, learned_from, monkeypatch):
    _, data = trained
    sites = np.flatnonzero(data.train_sites)
    assert learned_from(len(sites)) == (sites.tolist(), sites.tolist())
    monkeypatch.setattr(data, "training_days", data.training_days.copy())
    data.training_days[sites[0]] = False
    assert learned_from(len(sites)) == (sites.tolist(), sites.tolist()), "few sites are taken as they always were"
    first_and_last = [sites[1], sites[-1]]
    assert learned_from(2) == (first_and_last, first_and_last)


def test_of_many_validation_sites_some_are_asked(trained, tmp_path, monkeypatch):
    module, data = trained
    asked: list[int] = []
    monkeypatch.setattr(own_prior, "_questions", lambda data, site: asked.append(site) or iter(()))
    own_prior.widen_prior(RUN, module, data, tmp_path)
    every = asked.copy()
    assert len(every) > 1 and every == np.flatnonzero(data.stopping.any((1, 2))).tolist()
    monkeypatch.setattr("raciflux.workflow.evenly.SITES", 1)
    own_prior.widen_prior(RUN, module, data, tmp_path)
    assert asked[len(every) :] == every[:1]


def test_places_are_taken_evenly_and_none_is_taken_twice():
    places = np.arange(1234) * 3
    taken = evenly(places)
    assert len(set(taken.tolist())) == 500 and taken[0] == 0 and taken[-1] == places[-1]
    assert set(np.diff(taken).tolist()) == {6, 9}
    np.testing.assert_array_equal(evenly(places[:500]), places[:500])
