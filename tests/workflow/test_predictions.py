"""What a model says of the test days, laid out for evaluation: one target a dataset, nothing of other days."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from raciflux.config.models import ClimatologyConfig, ITransformerConfig, LstmConfig
from raciflux.config.schema import Config, DataConfig, HeadConfig, SplitConfig, TrainerConfig
from raciflux.datamodules.base import FluxDataModule
from raciflux.evaluation.predictions_contract import check_predictions
from raciflux.modules.flux_module import QUANTILES
from raciflux.workflow.predictions import Predicted, predict_days, predictions, scored_folders
from raciflux.workflow.stages import build_module, quiet

from worlds import carbon_cube, split_in_time, tiny_cube, tiny_data

CONFIG = Config(
    experiment="tiny",
    seed=7,
    data=DataConfig(pair="terrestrial_carbon", split=SplitConfig(min_scored_days=30)),
    model=LstmConfig(hidden=6, dropout=0.0),
    trainer=TrainerConfig(accelerator="cpu"),
)
TARGETS = ("GPP", "NEE")


@pytest.fixture(scope="module", params=["unseen", "new_years"])
def data(request) -> FluxDataModule:
    cube = carbon_cube()
    return tiny_data(cube, split_in_time(cube) if request.param == "new_years" else None)


def predicted_by_a_network(data: FluxDataModule, head: HeadConfig | None = None) -> Predicted:
    quiet()
    config = replace(CONFIG, head=head or HeadConfig())
    return predict_days(config, build_module(config, config.transfer.finetune, data, bank=None), data)


@pytest.fixture(scope="module")
def point(data) -> Predicted:
    return predicted_by_a_network(data)


def rows_tested(data: FluxDataModule) -> np.ndarray:
    return np.flatnonzero(data.split.members("test", data.cube["site_id"].to_numpy()))


def test_a_network_predicts_the_test_days_with_a_driver_and_no_other(data, point):
    assert point.flux.shape == (12, 731, 2) and point.flux.dtype == np.float32
    assert point.quantiles is None
    asked = data.test_days & data.predictable
    assert asked.any() and not asked.all()
    np.testing.assert_array_equal(np.isfinite(point.flux), np.repeat(asked[..., None], 2, axis=2))


def test_each_day_holds_the_prediction_of_its_own_window(data, point):
    module = build_module(CONFIG, CONFIG.transfer.finetune, data, bank=None).eval()
    checked = 0
    for index in data.predict_dataloader():
        batch = data.arrays.gather(index, "test")
        with torch.no_grad():
            flux = module.in_units(module.network(batch)[..., 0]).numpy()
        for row, (site, first) in enumerate(index.tolist()):
            for step in range(data.window.warmup, data.window.days, 7):
                if 0 <= first + step < 731 and np.isfinite(point.flux[site, first + step]).all():
                    np.testing.assert_allclose(point.flux[site, first + step], flux[row, step], rtol=1e-4, atol=1e-5)
                    checked += 1
    assert checked > 50


@pytest.mark.parametrize("target", TARGETS)
def test_a_dataset_holds_one_target_s_test_days(data, point, target):
    stored = predictions(CONFIG, data, point, target)
    check_predictions(stored, Path("predictions.zarr"))
    rows, place = rows_tested(data), TARGETS.index(target)
    assert stored["site_id"].to_numpy().tolist() == data.cube["site_id"].to_numpy()[rows].tolist()
    np.testing.assert_array_equal(stored["prediction"], point.flux[rows, :, place])
    np.testing.assert_array_equal(stored["observed"], data.cube[target].to_numpy()[rows])
    np.testing.assert_array_equal(stored["cluster"], data.cluster[rows])
    test_days = data.test_days[rows]
    for flag, counted in {"measured": data.measured, "convention": data.convention}.items():
        np.testing.assert_array_equal(stored[flag], counted[rows, :, place] & test_days)
        assert stored[flag].any()
    assert not np.isfinite(stored["prediction"].to_numpy()[~test_days]).any()
    assert stored.attrs["question"] == data.split.question
    assert (stored.attrs["target"], stored.attrs["seed"], stored.attrs["causal"]) == (target, 7, 1)


def test_in_time_what_was_measured_before_the_test_counts_nowhere():
    cube = carbon_cube()
    data = tiny_data(cube, split_in_time(cube))
    past = ~data.test_days
    assert data.measured[past].any(), "there are such days, or this test shows nothing"
    everywhere = Predicted(np.zeros((12, 731, 2), np.float32), None)
    kept = everywhere.where(data.test_days)
    np.testing.assert_array_equal(np.isfinite(kept.flux).all(-1), data.test_days)
    for target in TARGETS:
        stored = predictions(CONFIG, data, kept, target)
        assert not stored["measured"].to_numpy()[past].any() and not stored["convention"].to_numpy()[past].any()


def test_a_distribution_s_quantiles_are_kept_target_by_target(data):
    said = predicted_by_a_network(data, HeadConfig(kind="quantile", quantiles=5))
    assert said.quantiles.shape == (12, 731, 2, len(QUANTILES))
    np.testing.assert_array_equal(np.isfinite(said.quantiles).all(-1), np.isfinite(said.flux))
    rows = rows_tested(data)
    for place, target in enumerate(TARGETS):
        stored = predictions(CONFIG, data, said, target)
        check_predictions(stored, Path("predictions.zarr"))
        assert stored["prediction_quantile"].dims == ("quantile", "site", "time")
        assert stored["quantile"].to_numpy().tolist() == list(QUANTILES)
        for i in (0, 9, 18):
            np.testing.assert_array_equal(stored["prediction_quantile"][i], said.quantiles[rows, :, place, i])
        middle = stored["prediction_quantile"].sel(quantile=0.5)
        assert float(abs(middle - stored["prediction"]).max()) < 20 * float(data.scaler.targets[place].std)


def test_a_model_that_looks_ahead_says_so_and_an_estimator_does_not(data, point):
    for model, causal in ((ITransformerConfig(), 0), (ClimatologyConfig(), 1)):
        assert predictions(replace(CONFIG, model=model), data, point, "GPP").attrs["causal"] == causal


def test_published_data_have_no_convention_of_their_own():
    cube = tiny_cube().drop_vars(["GPP_qc", "GPP_measured"])
    data = tiny_data(cube, quality="published")
    config = replace(CONFIG, data=DataConfig(pair="terrestrial_gpp", quality="published"))
    nothing = Predicted(np.full((12, 731, 1), np.nan, np.float32), None)
    stored = predictions(config, data, nothing, "GPP")
    assert "convention" not in stored and isinstance(stored, xr.Dataset)
    rows = rows_tested(data)
    np.testing.assert_array_equal(stored["measured"], np.isfinite(cube["GPP"].to_numpy())[rows])


def test_one_target_is_scored_at_the_top_and_several_in_folders_of_their_own(tmp_path):
    assert scored_folders(tmp_path, ["GPP"]) == {"GPP": tmp_path}
    both = scored_folders(tmp_path, TARGETS)
    assert both == {target: tmp_path / "targets" / target for target in TARGETS}
