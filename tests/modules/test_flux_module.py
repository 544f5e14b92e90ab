import numpy as np
import pytest
import torch
from raciflux.config.models import LstmConfig
from raciflux.config.schema import StageConfig
from raciflux.datamodules.base import FluxDataModule
from raciflux.modules.baselines.lstm import Lstm
from raciflux.modules.flux_module import FluxModule
from raciflux.modules.losses import masked_squared_error

from worlds import quiet_trainer, tiny_cube, tiny_data

STAGE = StageConfig(steps=12, learning_rate=0.01)


@pytest.fixture(scope="module")
def data() -> FluxDataModule:
    return tiny_data(tiny_cube())


def module_for(data: FluxDataModule, stage: StageConfig = STAGE) -> FluxModule:
    torch.manual_seed(0)
    network = Lstm(LstmConfig(hidden=8, dropout=0.0), data.layout)
    return FluxModule(network, data.layout, data.scaler.target, len(data.train_sites), stage)


def naive_rmse(module: FluxModule, data: FluxDataModule) -> dict[int, float]:
    """RMSE of each validation site in units: predicted day by day and compared with the cube itself."""
    observed = data.cube["GPP"].to_numpy()
    squared: dict[int, list[float]] = {}
    for index in data.val_dataloader():
        batch = data.arrays.gather(index)
        with torch.no_grad():
            flux = module.network(batch).double() * data.scaler.target.std + data.scaler.target.mean
        for row, (site, first) in enumerate(index.tolist()):
            for step in range(data.window.warmup, data.window.days):
                day = first + step
                if 0 <= day < observed.shape[1] and data.validation_days[site, day]:
                    squared.setdefault(site, []).append((float(flux[row, step]) - observed[site, day]) ** 2)
    assert sum(map(len, squared.values())) == data.validation_days.sum()
    return {site: float(np.sqrt(np.mean(errors))) for site, errors in squared.items()}


def test_validation_is_the_mean_over_sites_of_rmse_in_units(data, tmp_path):
    module = module_for(data)
    logged = quiet_trainer(tmp_path).validate(module, datamodule=data, verbose=False)[0]
    per_site = list(naive_rmse(module, data).values())
    assert len(per_site) == 2
    assert logged["val/mean_rmse"] == pytest.approx(np.mean(per_site), rel=1e-5)
    assert logged["val/median_rmse"] == pytest.approx(np.median(per_site), rel=1e-5)
    again = quiet_trainer(tmp_path).validate(module, datamodule=data, verbose=False)[0]
    assert again == logged  # sums start anew


def test_validation_does_not_depend_on_how_windows_are_batched(data, tmp_path):
    module = module_for(data)
    for size in (3, 100):
        rebatched = tiny_data(tiny_cube(), batch_size=size)
        logged = quiet_trainer(tmp_path).validate(module, datamodule=rebatched, verbose=False)[0]
        assert logged["val/mean_rmse"] == pytest.approx(np.mean(list(naive_rmse(module, data).values())), rel=1e-5)


def test_it_learns(data, tmp_path):
    module = module_for(data, StageConfig(steps=60, learning_rate=0.02))
    before = quiet_trainer(tmp_path).validate(module, datamodule=data, verbose=False)[0]["val/mean_rmse"]
    quiet_trainer(tmp_path, max_steps=60, limit_val_batches=0).fit(module, datamodule=data)
    after = quiet_trainer(tmp_path).validate(module, datamodule=data, verbose=False)[0]["val/mean_rmse"]
    assert after < 0.8 * before


def test_two_trainings_of_one_seed_are_the_same_to_the_bit(data, tmp_path):
    trained = []
    for _ in range(2):
        module = module_for(data)
        quiet_trainer(tmp_path, max_steps=5, limit_val_batches=0).fit(module, datamodule=tiny_data(tiny_cube()))
        trained.append(module.state_dict())
    assert all(torch.equal(trained[0][name], value) for name, value in trained[1].items())


def test_predictions_are_scored_days_in_units(data, tmp_path):
    module = module_for(data)
    shown = quiet_trainer(tmp_path).predict(module, datamodule=data)
    batch = data.arrays.gather(next(iter(data.predict_dataloader())))
    site, first, flux = shown[0]
    assert torch.equal(site, batch["site"])
    assert torch.equal(first, batch["day"] + data.window.warmup)
    assert flux.shape == (len(site), data.window.scored)
    with torch.no_grad():
        scaled = module.network(batch)[:, data.window.warmup :]
    torch.testing.assert_close(flux, scaled * data.scaler.target.std + data.scaler.target.mean)


def test_the_scale_travels_with_the_weights(data):
    state = module_for(data).state_dict()
    assert float(state["target_mean"]) == pytest.approx(data.scaler.target.mean)
    assert float(state["target_std"]) == pytest.approx(data.scaler.target.std)
    assert {name.split(".")[0] for name in state} == {"network", "target_mean", "target_std"}


def test_the_rate_makes_one_cycle_over_the_stage(data):
    settings = module_for(data).configure_optimizers()
    rates = []
    for _ in range(STAGE.steps):
        rates.append(settings["optimizer"].param_groups[0]["lr"])
        settings["optimizer"].step()
        settings["lr_scheduler"]["scheduler"].step()
    peak = int(np.argmax(rates))
    assert max(rates) == pytest.approx(STAGE.learning_rate, rel=0.15)
    assert 0 < peak < STAGE.steps / 2
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak:]) < 0).all()


# --- loss -------------------------------------------------------------------------------------------------------------


def test_the_loss_is_the_mean_over_days_that_count():
    prediction = torch.tensor([[1.0, 2.0, 9.0], [0.0, 5.0, 7.0]])
    target = torch.tensor([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
    mask = torch.tensor([[True, True, False], [True, False, False]])
    assert masked_squared_error(prediction, target, mask).item() == pytest.approx((1 + 4 + 4) / 3)


def test_days_that_do_not_count_get_no_gradient():
    prediction = torch.ones(2, 3, requires_grad=True)
    mask = torch.tensor([[True, False, False], [False, False, False]])
    masked_squared_error(prediction, torch.zeros(2, 3), mask).backward()
    assert torch.equal(prediction.grad != 0, mask)


def test_a_batch_in_which_nothing_counts_costs_nothing():
    prediction = torch.ones(2, 3, requires_grad=True)
    loss = masked_squared_error(prediction, torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert not prediction.grad.any()
