"""Answers of trained networks given own days: as the run itself answers, better with days, of the right fold."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from raciflux.config.compose import from_yaml
from raciflux.errors import UserError
from raciflux.evaluation.run_folder import RunFolder
from raciflux.own_days.stored import load_corrections, save_corrections
from raciflux.workflow.own_answers import OwnAnswers
from raciflux.workflow.own_answers_of_runs import OwnAnswersOfRuns
from raciflux.workflow.own_prior import FACTORS, STORED
from raciflux.workflow.own_residuals import STORED as OWN_RESIDUALS
from raciflux.workflow.own_residuals import OwnResiduals
from raciflux.workflow.records import record_of_training
from raciflux.workflow.trained_folds import trained_folds

from .tiny_run import trained


def stored(run: Path, names: np.ndarray) -> np.ndarray:
    """Predictions (site, day) of the run, NaN for a site that it does not test."""
    said = RunFolder(run).predictions()
    return said["prediction"].assign_coords(site=said["site_id"]).reindex(site=names).to_numpy()


def test_without_own_days_the_answer_is_the_run_s_and_with_them_it_is_nearer(raci: Path) -> None:
    answers = OwnAnswersOfRuns([raci])
    data = next(iter(trained_folds(raci))).data
    names = data.cube["site_id"].to_numpy().astype(str)
    said = stored(raci, names)
    observed = data.cube["FCH4"].transpose("site", "time").to_numpy()
    alone, shown = [], []
    for site in range(len(names)):
        none = np.zeros_like(data.measured[site])
        answer = answers(site, none)[:, 0]
        known = np.isfinite(said[site])
        np.testing.assert_allclose(answer[known], said[site][known], rtol=1e-4, atol=1e-4)
        half = none.copy()
        half[: len(half) // 2] = data.measured[site][: len(half) // 2]
        later = data.measured[site][:, 0] & (np.arange(len(half)) >= len(half) // 2)
        if later.sum() > 30 and half.any():
            alone.append(np.sqrt(np.mean((answer - observed[site])[later] ** 2)))
            shown.append(np.sqrt(np.mean((answers(site, half)[:, 0] - observed[site])[later] ** 2)))
    assert len(alone) > 10
    assert np.mean(shown) < 0.9 * np.mean(alone)


def test_mixed_effects_answer_beside_the_network_and_only_where_days_are_shown(raci: Path) -> None:
    for fold in trained_folds(raci):
        beside = OwnResiduals.of_fold(fold.config, fold.data, fold.folder)
        assert beside is not None and beside.weight == 0.5
        alone, both = (OwnAnswers(fold.module, fold.data, torch.device("cpu"), one) for one in ((), (beside,)))
        site = int(np.flatnonzero(fold.split.members("test", fold.data.cube["site_id"].to_numpy()))[0])
        none = np.zeros_like(fold.data.measured[site])
        said = alone(site, none)[0]
        np.testing.assert_array_equal(both(site, none)[0], said)
        shown = fold.data.measured[site] & (np.arange(len(none)) < 500)[:, None]
        mixed = beside(site, said, shown)
        assert np.nanmax(np.abs(mixed - said)) > 0.1
        np.testing.assert_allclose(both(site, shown)[0], (alone(site, shown)[0] + mixed) / 2, rtol=1e-4, atol=1e-4)


def test_mixed_effects_are_learned_without_a_flux_of_other_sites_or_days(raci: Path) -> None:
    fold = next(iter(trained_folds(raci)))
    record = record_of_training(fold.data)
    tested = fold.split.members("test", fold.data.cube["site_id"].to_numpy())
    assert np.isnan(record.flux[~fold.data.train_sites]).all() and not record.measured[tested].any()
    assert np.isfinite(record.flux[fold.data.train_sites]).any()


def test_stored_corrections_are_read_back_to_the_bit_and_damage_is_said(raci: Path, tmp_path: Path) -> None:
    path = next(raci.glob("fold0")) / OWN_RESIDUALS
    read = load_corrections(path)
    save_corrections(read, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == path.read_text()
    (tmp_path / "cut.json").write_text(path.read_text()[:-40])
    with pytest.raises(UserError, match="train the run again"):
        load_corrections(tmp_path / "cut.json")


def test_several_runs_answer_with_their_mean_and_others_are_refused(raci: Path, calibrated: Path) -> None:
    shown = np.zeros_like(next(iter(trained_folds(raci))).data.measured[0])
    np.testing.assert_allclose(OwnAnswersOfRuns([raci, raci])(0, shown), OwnAnswersOfRuns([raci])(0, shown), rtol=1e-6)
    with pytest.raises(UserError, match="is no network"):
        OwnAnswersOfRuns([calibrated])


def test_the_prior_is_widened_by_what_validation_sites_ask_for_and_kept(raci: Path) -> None:
    for fold, trained_fold in enumerate(trained_folds(raci)):
        chosen = json.loads((raci / f"fold{fold}" / STORED).read_text())
        assert chosen["factor"] in FACTORS and trained_fold.module.network.own_days.widened == chosen["factor"]
        scores = [chosen["scores"][str(factor)] for factor in FACTORS]
        assert min(scores) == chosen["scores"][str(chosen["factor"])] and len(set(scores)) > 1


def test_a_run_in_time_is_better_for_its_sites_past(tmp_path: Path) -> None:
    sizes = [
        "model.hidden=8",
        "model.first_guess.trees.rounds=20",
        "transfer.finetune.steps=6",
        "transfer.finetune.check_every=6",
    ]
    of_time = ["data.split.kind=temporal", "seed=1"]
    with_past = trained(tmp_path / "with", "model=raci", *sizes, *of_time)
    without = trained(tmp_path / "without", "model=raci", *sizes, *of_time, "model.own_days.enabled=false")
    assert from_yaml(with_past / "config.yaml").model.own_days.enabled
    error = {}
    for name, place in (("with", with_past), ("without", without)):
        said = RunFolder(place).predictions()
        counted = said["measured"].astype(bool)
        error[name] = float(
            np.sqrt((((said["prediction"] - said["observed"]) ** 2).where(counted)).mean("time")).mean()
        )
    assert error["with"] < 0.8 * error["without"]
    with xr.open_zarr(with_past / "own_days.zarr") as past:
        assert bool(past["FCH4"].notnull().any())
    assert not (without / "own_days.zarr").exists()
    assert not (with_past / OWN_RESIDUALS).exists(), "its tests ask about sites that it was trained on"
