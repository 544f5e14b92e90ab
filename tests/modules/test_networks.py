"""What every network must keep, whatever it is made of: one suite over the table of networks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from raciflux.config.models import MODELS, CtLstmConfig, LstmConfig, RaciConfig, RetrievalConfig
from raciflux.contracts import Batch, TrainingView
from raciflux.datamodules.base import FluxDataModule
from raciflux.modules import NETWORKS
from raciflux.modules.raci import Raci
from raciflux.retrieval.bank import Bank
from torch import nn

from worlds import CLUSTER_KM, tiny_cube, tiny_data

ALONE = RetrievalConfig(enabled=False)
NEIGHBOURS = RetrievalConfig(neighbours=3, width=5)
CONFIGS = {
    "lstm": LstmConfig(hidden=8),
    "ct_lstm": CtLstmConfig(hidden=8, embedding=5),
    "raci": RaciConfig(hidden=8, regime=6, embedding=5, retrieval=NEIGHBOURS),
    "raci, no retrieval": RaciConfig(hidden=8, regime=6, embedding=5, retrieval=ALONE),
}
FIRST_DAY, CUT = 420, 33  # a window late enough for yearly means to be known; a day inside of its scored part
every_network = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


@pytest.fixture(scope="module")
def cube() -> xr.Dataset:
    return tiny_cube()


@pytest.fixture(scope="module")
def data(cube) -> FluxDataModule:
    return tiny_data(cube)


def attach(network: nn.Module, config, bank_of: TrainingView, asked: TrainingView) -> nn.Module:
    if isinstance(network, Raci) and network.retrieval is not None:
        bank = Bank.build(bank_of, CLUSTER_KM)
        network.retrieval.attach(bank, bank.look_up(asked, config.retrieval, same_cube=True))
    return network


def build(config, data: FluxDataModule) -> nn.Module:
    """A network with weights that let every input matter, in eval mode."""
    torch.manual_seed(0)
    network = NETWORKS[config.name](config, data.layout)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.4 * torch.randn_like(parameter))
    return attach(network, config, data.view(), data.view()).eval()


def windows(data: FluxDataModule, sites=range(12), first=FIRST_DAY) -> Batch:
    return data.arrays.gather(torch.tensor([[site, first] for site in sites]))


def test_the_suite_covers_every_network():
    assert {config.name for config in CONFIGS.values()} == set(NETWORKS)
    assert set(NETWORKS) == set(MODELS) - {"site_mean"}


@every_network
def test_one_finite_flux_a_day_though_inputs_are_missing(config, data):
    network = build(config, data)
    for first in (FIRST_DAY, -30, 720):  # inside the record, and reaching over either end
        batch = windows(data, first=first)
        assert (batch["fast_mask"] == 0).any()
        assert (batch["slow_mask"] == 0).any()
        flux = network(batch)
        assert flux.shape == (12, data.window.days)
        assert torch.isfinite(flux).all()


@every_network
def test_a_record_without_any_input_is_finite(config, data):
    batch = windows(data)
    nothing = {name: torch.zeros_like(value) for name, value in batch.items() if name not in ("site", "day")}
    assert torch.isfinite(build(config, data)(batch | nothing)).all()


@every_network
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_a_layout_without_statics_and_classes(config, cube):
    bare = tiny_data(cube, drop_inputs=["elevation", "mat", "igbp", "koppen"])
    assert torch.isfinite(build(config, bare)(windows(bare))).all()


@every_network
def test_gradients_reach_every_weight(config, data):
    network = build(config, data).train()
    network(windows(data)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


@every_network
def test_a_network_knows_only_inputs(config, data):
    """Neither the target nor its mask is read: with both replaced the flux is the same."""
    network, batch = build(config, data), windows(data)
    told = {"target": torch.randn_like(batch["target"]), "target_mask": ~batch["target_mask"]}
    assert torch.equal(network(batch | told), network(batch))


@every_network
def test_batch_mates_do_not_matter(config, data):
    network = build(config, data)
    together = network(windows(data))
    for site in (0, 5, 11):
        torch.testing.assert_close(network(windows(data, [site]))[0], together[site], rtol=1e-5, atol=1e-6)
    mates = windows(data)
    mates["fast"] = torch.where(torch.arange(12)[:, None, None] == 5, mates["fast"], 100.0)
    torch.testing.assert_close(network(mates)[5], together[5], rtol=1e-5, atol=1e-6)


@every_network
def test_eval_is_the_same_each_time_and_training_drops_out(config, data):
    network, batch = build(config, data), windows(data)
    assert torch.equal(network(batch), network(batch))
    network.train()
    assert not torch.equal(network(batch), network(batch))


@every_network
def test_the_inputs_of_its_roles_matter(config, data):
    network, batch = build(config, data), windows(data)
    roles = {"lstm": ["fast"], "ct_lstm": ["fast", "static"], "raci": ["fast", "static", "slow"]}[config.name]
    for name in roles:
        assert not torch.equal(network(batch | {name: batch[name] + 1.0}), network(batch)), name
    if len(roles) > 1:
        other_class = {"classes": (batch["classes"] + 1) % 3}
        assert not torch.equal(network(batch | other_class), network(batch))


# --- rule 7: causality, end to end from the daily record --------------------------------------------------------------


def future_changed(cube: xr.Dataset, after: int) -> xr.Dataset:
    """Other drivers from the day after index ``after`` on, at every site: values, gaps closed and gaps made."""
    rng = np.random.default_rng(1)
    changed = {}
    for name in ("TA", "SW", "VPD"):
        values = cube[name].to_numpy().copy()
        future = rng.normal(20, 30, values[:, after + 1 :].shape)
        values[:, after + 1 :] = np.where(rng.random(future.shape) < 0.2, np.nan, future)
        changed[name] = (("site", "time"), values, cube[name].attrs)
    return cube.assign(changed)


@every_network
@pytest.mark.parametrize("cut", [0, CUT, 29, 30, 63])  # on, before and behind the end of a slow block
def test_no_day_changes_with_drivers_after_it(config, cube, data, cut):
    """Fast days, slow means and masks are all computed anew from the changed record, at the same scale."""
    network = build(config, data)
    assert network.causal  # a network that is not must say so, and then needs another test
    other = tiny_data(future_changed(cube, FIRST_DAY + cut), scaler=data.scaler)
    before, after = network(windows(data)), network(windows(other))
    assert torch.equal(after[:, : cut + 1], before[:, : cut + 1])
    assert (after[:, cut + 1] != before[:, cut + 1]).any()


def test_slow_blocks_do_change_with_the_record(cube, data):
    """The test above is awake: what it holds fixed is fed by what it changes."""
    other = tiny_data(future_changed(cube, FIRST_DAY + CUT), scaler=data.scaler)
    assert not torch.equal(windows(other)["slow"], windows(data)["slow"])


def test_neighbours_looked_up_anew_know_drivers_of_descriptor_days_alone(cube, data):
    """With descriptors of days up to t (rule 1) the look-up, too, keeps what comes after t from day t."""
    config = CONFIGS["raci"]
    last = FIRST_DAY + CUT
    past = np.arange(cube.sizes["time"]) <= last
    fluxes = []
    for record in (cube, future_changed(cube, last)):
        module = tiny_data(record, scaler=data.scaler)
        view = replace(module.view(), driver_days=past)
        fluxes.append(
            attach(build(config, data), config, replace(data.view(), driver_days=past), view)(windows(module))
        )
    assert torch.equal(fluxes[0][:, : CUT + 1], fluxes[1][:, : CUT + 1])


# --- RACI's own -------------------------------------------------------------------------------------------------------


def test_the_parts_that_transfer_names(data):
    parts = {name for name, _ in build(CONFIGS["raci"], data).named_children()}
    assert parts == {"slow_encoder", "retrieval", "fast_encoder", "head"}
    assert "retrieval" not in dict(build(CONFIGS["raci, no retrieval"], data).named_children())


def test_retrieval_off_has_no_weights_of_it_and_needs_no_bank(data):
    network = NETWORKS["raci"](CONFIGS["raci, no retrieval"], data.layout)
    assert not any("retrieval" in name for name in network.state_dict())
    assert torch.isfinite(network(windows(data))).all()


def test_the_bank_is_data_and_not_weights(data):
    network = build(CONFIGS["raci"], data)
    parameters = {name for name, _ in network.named_parameters()}
    assert set(network.state_dict()) == parameters


def test_neighbours_matter_and_the_own_cluster_s_flux_does_not(cube, data):
    """Rule 1 through the whole network: fluxes of one's cluster change nothing, those of others do."""
    config = CONFIGS["raci"]
    view, cluster = data.view(), data.cluster
    batch = windows(data)
    before = build(config, data)(batch)
    for code in range(3):  # clusters of training sites
        mates = cluster == code
        noise = np.random.default_rng(code).normal(size=view.target.shape).astype(np.float32)
        told = replace(view, target=np.where(mates[:, None] & view.visible.known, noise, view.target))
        after = attach(build(config, data), config, told, told)(batch)
        assert torch.equal(after[mates], before[mates])
        assert not torch.equal(after[~mates], before[~mates])


def test_days_of_a_block_share_its_regime(data):
    """The response is conditioned block by block: the regime enters on the first day of a block, not before."""
    network, batch = build(CONFIGS["raci, no retrieval"], data), windows(data)
    begins = int(np.argmax(data.window.last_block() >= 3))
    changed = batch["slow"].clone()
    changed[:, 3] += 1.0
    moved = (network(batch | {"slow": changed}) != network(batch)).any(0)
    assert not moved[:begins].any()
    assert moved[begins]
