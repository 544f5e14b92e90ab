"""One model learns one fold: a validation score that means the same for every kind of model, and what is kept."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from raciflux.config.models import ClimatologyConfig, LightGbmConfig, LstmConfig, SiteMeanConfig
from raciflux.datamodules import PAIRS
from raciflux.datamodules.roles import choose
from raciflux.datamodules.splits import Split
from raciflux.datamodules.towers import describe_towers
from raciflux.modules.baselines import ESTIMATORS
from raciflux.workflow.learn import Learned, learn
from raciflux.workflow.prepare import Prepared
from raciflux.workflow.progress import RunProgress
from raciflux.workflow.stages import quiet

from worlds import TINY_RUN, balance_cube, carbon_cube, clusters, split_in_time, tiny_split

CONFIG = replace(TINY_RUN, data=replace(TINY_RUN.data, pair="terrestrial_carbon"))
MODELS = [LstmConfig(hidden=6), SiteMeanConfig(), ClimatologyConfig(), LightGbmConfig(rounds=5)]


def prepared_of(cube: xr.Dataset, pair: str = "terrestrial_carbon") -> Prepared:
    labelled = np.isfinite(cube["GPP"].to_numpy()) | np.isfinite(cube["NEE"].to_numpy())
    described = describe_towers(cube, clusters(cube), labelled)
    return Prepared(cube, clusters(cube), None, choose(PAIRS[pair].pair, [cube]), described, (0,), ())


def learned_by(
    model, folder: Path, split: Split | None = None, cube: xr.Dataset | None = None, **data: object
) -> Learned:
    quiet()
    cube = carbon_cube() if cube is None else cube
    config = replace(CONFIG, model=model, data=replace(CONFIG.data, **data))
    return learn(
        config,
        prepared_of(cube, config.data.pair),
        split or tiny_split(cube),
        folder,
        RunProgress(1, False, speaks=False),
    )


@pytest.mark.parametrize("in_time", [False, True])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_what_a_fold_leaves_behind(model, in_time, tmp_path):
    cube = carbon_cube()
    learned = learned_by(model, tmp_path, split_in_time(cube) if in_time else None)
    assert json.loads((tmp_path / "validation.json").read_text()) == {"score": learned.score}
    assert (tmp_path / "scaler.yaml").is_file()
    assert (tmp_path / "estimator").is_dir() == (model.name in ESTIMATORS)
    asked = learned.data.predictable & learned.data.test_days
    np.testing.assert_array_equal(np.isfinite(learned.predicted.flux), np.repeat(asked[..., None], 2, axis=2))


@pytest.mark.parametrize("asinh_at", [None, 2.0])
@pytest.mark.parametrize("model", [SiteMeanConfig(), LightGbmConfig(rounds=5)], ids=lambda model: model.name)
def test_an_estimator_s_score_is_rmse_over_spread_as_a_network_s_is(model, asinh_at, tmp_path):
    """On every measured validation day, whether or not a driver is known there; in units whatever it learns."""
    learned = learned_by(model, tmp_path, asinh_at=asinh_at)
    data, view = learned.data, learned.data.view()
    flux = ESTIMATORS[model.name].load(tmp_path / "estimator").predict(view, same_cube=True)
    assert (data.stopping & ~data.predictable[..., None]).any()
    of_targets = []
    for i, name in enumerate(("GPP", "NEE")):
        scale, observed = data.scaler.targets[i], data.cube[name].to_numpy()
        days = data.stopping[..., i]
        per_site = [
            np.sqrt(np.mean((scale.to_units(flux[site, days[site], i]) - observed[site, days[site]]) ** 2))
            for site in np.flatnonzero(days.any(1))
        ]
        of_targets.append(np.mean(per_site) / observed[data.trainable[..., i]].std())
    assert learned.score == pytest.approx(np.mean(of_targets), rel=1e-4)


@pytest.mark.parametrize("asinh_at", [None, 2.0])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_whichever_model_says_them_the_three_fluxes_balance(model, asinh_at, tmp_path):
    learned = learned_by(model, tmp_path, cube=balance_cube(), pair="carbon_balance", asinh_at=asinh_at)
    gpp, reco, nee = np.moveaxis(learned.predicted.flux, -1, 0)
    asked = learned.data.predictable & learned.data.test_days
    np.testing.assert_array_equal(np.isfinite(nee), asked)
    np.testing.assert_array_equal(nee[asked], (reco - gpp)[asked])
    assert nee[asked].std() > 0


def test_a_network_s_score_is_that_of_its_best_weights(tmp_path):
    learned = learned_by(LstmConfig(hidden=6), tmp_path)
    finished = json.loads((tmp_path / "checkpoints" / "towers" / "finished.json").read_text())
    assert learned.score == finished["score"] > 0


def test_a_target_without_a_validation_day_has_no_say_in_an_estimator_s_score(tmp_path):
    cube = carbon_cube()
    split = tiny_split(cube)
    silent = cube.assign(NEE=cube["NEE"].where(~cube["site_id"].isin(split.validation)))
    learned = learned_by(SiteMeanConfig(), tmp_path, split, silent)
    assert learned.data.stopping.any((0, 1)).tolist() == [True, False]
    (tmp_path / "full").mkdir()
    both = learned_by(SiteMeanConfig(), tmp_path / "full", split, cube)
    assert 0 < learned.score < both.score
    assert json.loads((tmp_path / "validation.json").read_text())["score"] == learned.score


@pytest.mark.parametrize("model", [SiteMeanConfig(), ClimatologyConfig(), LightGbmConfig(rounds=5)])
def test_no_test_flux_moves_an_estimator(model, tmp_path):
    """Poisoned test days, fold in space and in time: what was fitted and predicted stays the same."""
    cube = carbon_cube()
    for name, split in {"space": tiny_split(cube), "time": split_in_time(cube)}.items():
        days = split.days("test", cube["site_id"].to_numpy(), cube["time"].to_numpy())
        poisoned = cube.assign(
            {flux: (("site", "time"), np.where(days, np.float32(500), cube[flux])) for flux in ("GPP", "NEE")}
        )
        folders = [tmp_path / f"{name}{i}" for i in range(2)]
        for folder in folders:
            folder.mkdir()
        one, two = (learned_by(model, f, split, c) for f, c in zip(folders, (cube, poisoned), strict=True))
        np.testing.assert_array_equal(two.predicted.flux, one.predicted.flux)
        assert two.score == one.score
