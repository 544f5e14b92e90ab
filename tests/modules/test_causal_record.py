"""Causality end to end, from the daily record of a cube to the read-out (rule 7)."""

import numpy as np
import pytest
import torch
import xarray as xr
from network_checks import woken
from raciflux.config.schema import HeadConfig
from raciflux.contracts import Batch
from raciflux.datamodules.base import FluxDataModule
from raciflux.modules import NETWORKS
from raciflux.modules.raci import Raci
from raciflux.retrieval.bank import Bank
from tiny_networks import every_network
from torch import nn

from worlds import CLUSTER_KM, tiny_cube, tiny_data

FIRST_DAY = 420  # late enough for yearly means to be known


@pytest.fixture(scope="module")
def cube() -> xr.Dataset:
    return tiny_cube()


@pytest.fixture(scope="module")
def data(cube) -> FluxDataModule:
    return tiny_data(cube)


def windows(data: FluxDataModule) -> Batch:
    return data.arrays.gather(torch.tensor([[site, FIRST_DAY] for site in range(12)]), "train")


def build(config, data: FluxDataModule) -> nn.Module:
    network = woken(NETWORKS[config.name](config, data.layout, HeadConfig()))
    if isinstance(network, Raci) and network.retrieval is not None:
        bank = Bank.build(data.view(), CLUSTER_KM)
        network.retrieval.attach(bank, bank.look_up(data.view(), config.retrieval, same_cube=True))
    return network


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
@pytest.mark.parametrize("cut", [0, 14, 15, 33, 63])  # on, before and behind the end of a slow block
def test_no_day_changes_with_drivers_after_it(config, cube, data, cut):
    """Fast days, slow means and masks are all computed anew from the changed record, at the same scale."""
    network = build(config, data)
    other = tiny_data(future_changed(cube, FIRST_DAY + cut), scaler=data.scaler)
    before, after = network(windows(data)), network(windows(other))
    assert torch.equal(after[:, : cut + 1], before[:, : cut + 1]) or not network.causal
    assert (after[:, cut + 1] != before[:, cut + 1]).any()


def test_slow_blocks_do_change_with_the_record(cube, data):
    """The test above is awake: what it holds fixed is fed by what it changes."""
    other = tiny_data(future_changed(cube, FIRST_DAY + 33), scaler=data.scaler)
    assert not torch.equal(windows(other)["slow"], windows(data)["slow"])


@every_network
def test_windows_that_reach_over_either_end_of_the_record_are_finite(config, data):
    network = build(config, data)
    for first in (-30, 720):
        batch = data.arrays.gather(torch.tensor([[site, first] for site in range(12)]), "train")
        assert (batch["fast_mask"] == 0).any()
        assert torch.isfinite(network(batch)).all()
