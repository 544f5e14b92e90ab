import numpy as np
import pytest
import torch
from raciflux.config.models import LstmConfig
from raciflux.config.schema import HeadConfig
from raciflux.config.transfer import StageConfig
from raciflux.contracts import TargetScale
from raciflux.datamodules.base import FluxDataModule
from raciflux.modules.baselines.lstm import Lstm
from raciflux.modules.flux_module import QUANTILES, FluxModule
from raciflux.modules.losses import masked_squared_error

from worlds import carbon_cube, quiet_trainer, split_in_time, tiny_cube, tiny_data

POINT = HeadConfig()
STAGE = StageConfig(steps=12, learning_rate=0.01)


@pytest.fixture(scope="module")
def data() -> FluxDataModule:
    return tiny_data(tiny_cube())


@pytest.fixture(scope="module", params=["GPP", "GPP and NEE", "GPP and NEE in time"])
def any_data(request) -> FluxDataModule:
    cube = tiny_cube() if request.param == "GPP" else carbon_cube()
    return tiny_data(cube, split_in_time(cube) if "time" in request.param else None)


def module_for(
    data: FluxDataModule, stage: StageConfig = STAGE, head: HeadConfig = POINT, kind: type[Lstm] = Lstm
) -> FluxModule:
    torch.manual_seed(0)
    network = kind(LstmConfig(hidden=8, dropout=0.0), data.layout, head)
    return FluxModule(network, data.layout, head, data.scaler.targets, len(data.train_sites), stage)


def validated(module: FluxModule, data: FluxDataModule, folder) -> dict[str, float]:
    return dict(quiet_trainer(folder).validate(module, datamodule=data, verbose=False)[0])


def naive_rmse(module: FluxModule, data: FluxDataModule, target: int) -> list[float]:
    """RMSE of each validation site in units: predicted day by day and compared with the cube itself."""
    observed = data.cube[data.roles.targets[target]].to_numpy()
    scale, days = data.scaler.targets[target], data.stopping[..., target]
    squared: dict[int, list[float]] = {}
    for index in data.val_dataloader():
        batch = data.arrays.gather(index, "validation")
        with torch.no_grad():
            flux = scale.to_units(module.network(batch)[..., target, 0].double())
        for row, (site, first) in enumerate(index.tolist()):
            for step in range(data.window.warmup, data.window.days):
                day = first + step
                if 0 <= day < observed.shape[1] and days[site, day]:
                    squared.setdefault(site, []).append((float(flux[row, step]) - observed[site, day]) ** 2)
    assert sum(map(len, squared.values())) == days.sum()
    return [float(np.sqrt(np.mean(errors))) for errors in squared.values()]


def test_validation_is_the_mean_over_sites_of_rmse_in_units_target_by_target(any_data, tmp_path):
    data, module = any_data, module_for(any_data)
    logged = validated(module, data, tmp_path)
    over_spread = []
    for i, target in enumerate(data.roles.targets):
        per_site = naive_rmse(module, data, i)
        assert len(per_site) == data.stopping[..., i].any(1).sum() >= 2 - i
        assert logged[f"val/{target}/mean_rmse"] == pytest.approx(np.mean(per_site), rel=1e-5)
        assert logged[f"val/{target}/median_rmse"] == pytest.approx(np.median(per_site), rel=1e-5)
        assert np.isfinite(logged[f"val/{target}/median_r2"])
        over_spread.append(np.mean(per_site) / data.scaler.targets[i].std)
    assert logged["val/score"] == pytest.approx(np.mean(over_spread), rel=1e-5)
    assert {name.split("/")[1] for name in logged} == {*data.roles.targets, "score"}
    assert validated(module, data, tmp_path) == logged  # sums start anew


def test_a_target_without_a_validation_day_has_no_say(tmp_path):
    cube = carbon_cube()
    split = tiny_data(cube).split
    silent = cube["NEE"].where(~cube["site_id"].isin(split.validation))
    data = tiny_data(cube.assign(NEE=silent), split)
    assert data.stopping.any((0, 1)).tolist() == [True, False]
    logged = validated(module_for(data), data, tmp_path)
    assert np.isnan(logged["val/NEE/mean_rmse"])
    assert logged["val/score"] == pytest.approx(logged["val/GPP/mean_rmse"] / data.scaler.targets[0].std / 2)


def test_a_network_that_has_diverged_is_the_worst_of_all(tmp_path):
    """A score of 0 would make it the best: its weights would be kept, and training would not stop."""
    data = tiny_data(carbon_cube())
    module = module_for(data)
    with torch.no_grad():
        next(module.network.parameters()).fill_(torch.nan)
    logged = validated(module, data, tmp_path)
    assert logged["val/GPP/mean_rmse"] == logged["val/NEE/mean_rmse"] == logged["val/score"] == np.inf


def test_validation_does_not_depend_on_how_windows_are_batched(data, tmp_path):
    module = module_for(data)
    expected = np.mean(naive_rmse(module, data, 0))
    for size in (3, 100):
        logged = validated(module, tiny_data(tiny_cube(), batch_size=size), tmp_path)
        assert logged["val/GPP/mean_rmse"] == pytest.approx(expected, rel=1e-5)


def test_it_learns(data, tmp_path):
    module = module_for(data, StageConfig(steps=60, learning_rate=0.02))
    before = validated(module, data, tmp_path)
    quiet_trainer(tmp_path, max_steps=60, limit_val_batches=0).fit(module, datamodule=data)
    after = validated(module, data, tmp_path)
    assert after["val/GPP/mean_rmse"] < 0.8 * before["val/GPP/mean_rmse"]
    assert after["val/score"] < 0.8 * before["val/score"]


def test_two_trainings_of_one_seed_are_the_same_to_the_bit(data, tmp_path):
    trained = []
    for _ in range(2):
        module = module_for(data)
        quiet_trainer(tmp_path, max_steps=5, limit_val_batches=0).fit(module, datamodule=tiny_data(tiny_cube()))
        trained.append(module.state_dict())
    assert all(torch.equal(trained[0][name], value) for name, value in trained[1].items())


def test_predictions_are_scored_days_in_units(any_data, tmp_path):
    data, module = any_data, module_for(any_data)
    shown = quiet_trainer(tmp_path).predict(module, datamodule=data)
    batch = data.arrays.gather(next(iter(data.predict_dataloader())), "test")
    site, first, flux, quantiles = shown[0]
    assert torch.equal(site, batch["site"])
    assert torch.equal(first, batch["day"] + data.window.warmup)
    assert flux.shape == (len(site), data.window.scored, len(data.roles.targets))
    assert quantiles is None, "a point forecast has none"
    with torch.no_grad():
        scaled = module.network(batch)[:, data.window.warmup :, :, 0]
    for i, scale in enumerate(data.scaler.targets):
        torch.testing.assert_close(flux[..., i], scaled[..., i] * scale.std + scale.mean)


def test_quantiles_are_in_the_units_of_their_own_target(tmp_path):
    data = tiny_data(carbon_cube())
    module = module_for(data, head=HeadConfig(kind="quantile", quantiles=5))
    site, _, _, quantiles = quiet_trainer(tmp_path).predict(module, datamodule=data)[0]
    assert quantiles.shape == (len(site), data.window.scored, 2, len(QUANTILES))
    assert (quantiles.diff(dim=-1) > 0).all()
    batch = data.arrays.gather(next(iter(data.predict_dataloader())), "test")
    with torch.no_grad():
        raw = module.network(batch)[:, data.window.warmup :]
        scaled = module.output.quantiles(raw, torch.tensor(QUANTILES))
    for i, scale in enumerate(data.scaler.targets):
        torch.testing.assert_close(quantiles[..., i, :], scaled[..., i, :] * scale.std + scale.mean)


@pytest.fixture(scope="module")
def bent_data() -> FluxDataModule:
    return tiny_data(carbon_cube(), asinh_at=2.0)


def test_validation_in_a_transform_is_in_units_over_the_spread_in_units(bent_data, tmp_path):
    data, module = bent_data, module_for(bent_data)
    logged = validated(module, data, tmp_path)
    over_spread = []
    for i, (target, scale) in enumerate(zip(data.roles.targets, data.scaler.targets, strict=True)):
        per_site = naive_rmse(module, data, i)
        assert logged[f"val/{target}/mean_rmse"] == pytest.approx(np.mean(per_site), rel=1e-4)
        values = data.cube[target].to_numpy()[data.trainable[..., i]]
        assert scale.spread == pytest.approx(values.std(), rel=1e-4) != pytest.approx(scale.std, rel=0.1)
        over_spread.append(np.mean(per_site) / values.std())
    assert logged["val/score"] == pytest.approx(np.mean(over_spread), rel=1e-4)


@pytest.mark.parametrize("kind", ["quantile", "mixture"])
def test_quantiles_of_a_transform_are_exact_and_the_mean_is_theirs(bent_data, kind, tmp_path):
    data, head = bent_data, HeadConfig(kind=kind)
    module = module_for(data, head=head)
    _, _, flux, quantiles = quiet_trainer(tmp_path).predict(module, datamodule=data)[0]
    batch = data.arrays.gather(next(iter(data.predict_dataloader())), "test")
    with torch.no_grad():
        raw = module.network(batch)[:, data.window.warmup :]
        scaled = module.output.quantiles(raw, torch.tensor(QUANTILES))
    for i, scale in enumerate(data.scaler.targets):
        expected = 2.0 * torch.sinh(scaled[..., i, :] * scale.std + scale.mean)
        torch.testing.assert_close(quantiles[..., i, :], expected)
    assert (flux > quantiles[..., 0]).all() and (flux < quantiles[..., -1]).all()
    skew = quantiles[..., -1] + quantiles[..., 0] - 2 * quantiles[..., 9]
    assert ((flux - quantiles[..., 9]) * skew.sign() >= -1e-5).all(), "the mean lies on the side of the longer tail"


def test_the_mean_of_a_bent_normal_is_that_of_draws():
    """In the transform a standard normal: quantiles to units and averaged there, not the transform of the mean."""
    layout = tiny_data(tiny_cube(days=200)).layout
    head = HeadConfig(kind="mixture", components=1)
    scale = TargetScale("gC m-2 d-1", 1.0, 0.8, asinh_at=2.0, flux_std=3.0)
    module = FluxModule(torch.nn.Identity(), layout, head, (scale,), 3, STAGE)
    raw = torch.tensor([0.0, 0.0, np.log(np.expm1(0.99))]).view(1, 1, 1, 3)  # mean 0, deviation 1
    drawn = scale.to_units(torch.randn(1_000_000, generator=torch.Generator().manual_seed(0)))
    assert module.flux(raw).item() == pytest.approx(drawn.mean().item(), rel=0.05)
    assert module.flux(raw).item() > 1.2 * scale.to_units(torch.zeros(1)).item()


class Burdened(Lstm):
    """Adds a loss of its own, and learns from no day but the first that counts."""

    def auxiliary_loss(self, batch):
        return batch["static"].square().mean() + 0.25

    def training_mask(self, mask):
        return mask & (mask.cumsum(1) == 1)


@pytest.mark.filterwarnings("ignore:You are trying to `self.log")
def test_a_network_s_own_loss_is_added_and_its_own_mask_narrows(data):
    plain, burdened = module_for(data), module_for(data, kind=Burdened)
    batch = data.arrays.gather(next(iter(data.train_dataloader())), "train")
    assert batch["target_mask"].sum() > 20
    loss, own = burdened.training_step(batch, 0).item(), burdened.network.auxiliary_loss(batch).item()
    first = batch["target_mask"] & (batch["target_mask"].cumsum(1) == 1)
    assert loss - own == pytest.approx(plain.training_step({**batch, "target_mask": first}, 0).item(), rel=1e-5)
    assert own >= 0.25
    assert loss - own != pytest.approx(plain.training_step(batch, 0).item(), rel=1e-3)


@pytest.mark.filterwarnings("ignore:You are trying to `self.log")
def test_the_loss_counts_every_known_value_of_all_targets_alike():
    data = tiny_data(carbon_cube())
    module = module_for(data)
    batch = data.arrays.gather(next(iter(data.train_dataloader())), "train")
    error = (module.network(batch)[..., 0] - batch["target"])[batch["target_mask"]]
    assert module.training_step(batch, 0).item() == pytest.approx(error.square().mean().item(), rel=1e-5)


def test_the_scales_travel_with_the_weights(any_data):
    state = module_for(any_data).state_dict()
    assert state["target_mean"].tolist() == pytest.approx([scale.mean for scale in any_data.scaler.targets])
    assert state["target_std"].tolist() == pytest.approx([scale.std for scale in any_data.scaler.targets])
    assert {name.split(".")[0] for name in state} == {"network", "target_mean", "target_std"}


def test_a_transform_travels_with_the_weights_and_meets_no_other(bent_data):
    bent, plain = module_for(bent_data), module_for(tiny_data(carbon_cube()))
    assert bent.state_dict()["asinh_at"].item() == 2.0
    with pytest.raises(RuntimeError, match="asinh_at"):
        plain.load_state_dict(bent.state_dict())
    with pytest.raises(RuntimeError, match="asinh_at"):
        bent.load_state_dict(plain.state_dict())


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
