"""GPP, RECO and NEE in balance: exact in units, in training as in prediction, whatever network says them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from batches import made_up_batch, made_up_layout
from neighbourhoods import with_neighbours
from raciflux.config.schema import HeadConfig
from raciflux.config.transfer import StageConfig
from raciflux.contracts import TargetScale
from raciflux.datamodules.base import FluxDataModule
from raciflux.modules import NETWORKS
from raciflux.modules.balance import Balance
from raciflux.modules.flux_module import FluxModule
from tiny_networks import CONFIGS, every_network

from worlds import balance_cube, quiet_trainer, tiny_data

TARGETS = ("GPP", "RECO", "NEE")
BALANCE = Balance.among(TARGETS)
LAYOUT = replace(made_up_layout(), targets=TARGETS)
SCALES = tuple(TargetScale("gC m-2 d-1", mean, std) for mean, std in ((4.1, 3.7), (2.3, 1.9), (-1.6, 2.2)))
BENT = tuple(TargetScale("gC m-2 d-1", s.mean / 4, s.std / 3, asinh_at=2.0, flux_std=s.std) for s in SCALES)


LSTM = CONFIGS["lstm"]


def module_for(config=LSTM, scales=SCALES, layout=LAYOUT, sites: int = 12) -> FluxModule:
    torch.manual_seed(0)
    network = with_neighbours(NETWORKS[config.name](config, layout, HeadConfig()).eval(), config, layout)
    return FluxModule(network, layout, HeadConfig(), scales, sites, StageConfig(steps=30, learning_rate=0.02))


def in_balance(flux: torch.Tensor | np.ndarray) -> bool:
    """Whether NEE is RECO - GPP to the last bit, NaN where either is."""
    net = flux[..., 1] - flux[..., 0]
    return bool(((net == flux[..., 2]) | ((net != net) & (flux[..., 2] != flux[..., 2]))).all())


def test_the_balance_is_found_by_name_in_any_order():
    assert Balance.among(("NEE", "GPP", "RECO")) == Balance(net=0, source=2, sink=1)
    assert Balance.among(("GPP", "NEE")) is None is Balance.among(("FCH4",))


@pytest.mark.parametrize("order", [("GPP", "RECO", "NEE"), ("NEE", "GPP", "RECO"), ("RECO", "NEE", "GPP")])
@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_net_takes_the_place_of_what_was_said_and_the_others_stay(order, kind):
    said = {"GPP": [5.0, np.nan, 1.0, 2.0], "RECO": [2.0, 2.0, np.nan, 1e30], "NEE": [9.0, 9.0, 9.0, np.nan]}
    closed = Balance.among(order).closed(kind(np.stack([np.float32(said[name]) for name in order], -1)))
    for place, name in enumerate(order):
        expected = [-3.0, np.nan, np.nan, 1e30] if name == "NEE" else said[name]
        np.testing.assert_array_equal(np.asarray(closed[..., place]), np.float32(expected))


@pytest.mark.parametrize("scales", [SCALES, BENT], ids=["linear", "asinh"])
@every_network
def test_every_network_says_fluxes_in_balance_each_day(config, scales):
    module = module_for(config, scales)
    with torch.no_grad():
        _, _, flux, quantiles = module.predict_step(made_up_batch(LAYOUT, size=3), 0)
    assert flux.shape[-1] == 3 and quantiles is None
    assert in_balance(flux)
    assert flux.std((0, 1)).gt(0).all()


@pytest.mark.parametrize("scales", [SCALES, BENT], ids=["linear", "asinh"])
def test_the_read_out_that_learns_is_the_one_that_predicts(scales):
    module = module_for(scales=scales)
    raw = torch.randn(4, 9, 3, 1)
    learned = module.balance.read_out(raw, module.in_units, module.scaled)
    assert torch.equal(learned[:, :, :2], raw[:, :, :2])
    torch.testing.assert_close(module.in_units(learned[..., 0]), module.flux(raw), rtol=1e-4, atol=1e-4)


def test_an_error_of_net_exchange_trains_production_and_respiration_alone():
    module = module_for()
    raw = torch.randn(2, 5, 3, 1, requires_grad=True)
    mask = torch.zeros(2, 5, 3, dtype=torch.bool)
    mask[..., 2] = True
    module.loss(raw, torch.zeros(2, 5, 3), mask).backward()
    ratio = raw.grad[..., 1, 0] / raw.grad[..., 0, 0]
    torch.testing.assert_close(ratio, torch.full_like(ratio, -SCALES[1].std / SCALES[0].std), rtol=1e-3, atol=1e-3)
    assert not raw.grad[..., 2, 0].any(), "what the network says of NEE itself is not listened to"


def test_a_network_with_a_loss_of_its_own_learns_in_balance_too():
    class OwnLoss(torch.nn.Module):
        def training_loss(self, batch, loss):
            return loss(batch["raw"], batch["target"], batch["target_mask"])

    module = FluxModule(OwnLoss(), LAYOUT, HeadConfig(), SCALES, 12, StageConfig())
    module.log = lambda *_, **__: None
    raw = torch.randn(2, 5, 3, 1)
    batch = {"raw": raw, "target": torch.zeros(2, 5, 3), "target_mask": torch.ones(2, 5, 3, dtype=torch.bool)}
    closed = module.balance.read_out(raw, module.in_units, module.scaled)
    batch["site"] = torch.arange(2)
    assert module.training_step(batch, 0).item() == pytest.approx(closed.square().mean().item())
    assert closed.square().mean().item() != pytest.approx(raw.square().mean().item(), rel=1e-2)


def test_an_unknown_net_exchange_costs_nothing_and_gives_no_gradient():
    module = module_for()
    raw = torch.randn(2, 5, 3, 1, requires_grad=True)
    mask = torch.zeros(2, 5, 3, dtype=torch.bool)
    mask[..., 0] = True
    target = torch.full((2, 5, 3), torch.nan)
    target[..., 0] = 0.0
    loss = module.loss(raw, target, mask)
    loss.backward()
    assert loss.item() == pytest.approx(raw[..., 0, 0].square().mean().item())
    assert torch.isfinite(raw.grad).all() and not raw.grad[..., 1:, 0].any()


def test_a_distribution_has_no_exact_difference():
    with pytest.raises(ValueError, match="kept by point forecasts, not by 5 numbers"):
        BALANCE.read_out(torch.zeros(1, 1, 3, 5), lambda x: x, lambda x: x)


@pytest.fixture(scope="module", params=[None, 1.5], ids=["linear", "asinh"])
def data(request) -> FluxDataModule:
    return tiny_data(balance_cube(), asinh_at=request.param)


def test_trained_on_gappy_towers_it_learns_and_predicts_in_balance(data, tmp_path):
    module = module_for(scales=data.scaler.targets, layout=data.layout, sites=len(data.train_sites))
    module.train()
    before = quiet_trainer(tmp_path).validate(module, datamodule=data, verbose=False)[0]
    quiet_trainer(tmp_path, max_steps=30, limit_val_batches=0).fit(module, datamodule=data)
    after = quiet_trainer(tmp_path).validate(module, datamodule=data, verbose=False)[0]
    for name in TARGETS:
        assert after[f"val/{name}/mean_rmse"] < 0.9 * before[f"val/{name}/mean_rmse"], name
    for _, _, flux, _ in quiet_trainer(tmp_path).predict(module, datamodule=data):
        assert torch.isfinite(flux).all() and in_balance(flux)


def test_own_days_of_raci_correct_the_net_flux_that_follows_from_the_gross_ones():
    module = module_for(CONFIGS["raci"])
    batch = made_up_batch(LAYOUT)
    read, _ = module.network.alone(batch)
    flux = module.in_units(read[..., 0])
    torch.testing.assert_close(flux[..., 2], flux[..., 1] - flux[..., 0], rtol=1e-4, atol=1e-4)
