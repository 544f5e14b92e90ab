"""Two fluxes by one data module: each with its own days, its own scale, and no trace of the other's."""

import itertools

import numpy as np
import pytest
import torch
import xarray as xr
from raciflux.contracts import TargetScale
from raciflux.datamodules.base import FluxDataModule
from raciflux.datamodules.roles import scored_days

from worlds import carbon_cube, split_in_time, tiny_data

TARGETS = ("GPP", "NEE")


@pytest.fixture(scope="module")
def cube() -> xr.Dataset:
    return carbon_cube()


@pytest.fixture(scope="module", params=["unseen", "new_years"])
def data(cube, request) -> FluxDataModule:
    return tiny_data(cube, split_in_time(cube) if request.param == "new_years" else None)


def gathered(data: FluxDataModule, part: str):
    """One epoch of training, or the whole validation, window by window."""
    if part == "validation":
        return [data.arrays.gather(index, part) for index in data.val_dataloader()]
    return [data.arrays.gather(data.train_dataloader().sampler.epoch(0), part)]


@pytest.mark.parametrize("part", ["train", "validation"])
def test_each_target_is_gathered_in_its_own_units_on_its_own_days(cube, data, part):
    counted = np.zeros((*data.trainable.shape[:2], 2), int)
    for batch in gathered(data, part):
        row, step, target = torch.nonzero(batch["target_mask"], as_tuple=True)
        site, day = batch["site"][row].numpy(), (batch["day"][row] + step).numpy()
        np.add.at(counted, (site, day, target.numpy()), 1)
        assert not batch["target"][~batch["target_mask"]].any()
        for i, name in enumerate(TARGETS):
            own = target == i
            flux = batch["target"][row[own], step[own], i].numpy() * data.scaler.targets[i].std
            expected = cube[name].to_numpy()[site[own], day[own]]
            np.testing.assert_allclose(flux + data.scaler.targets[i].mean, expected, atol=1e-5)
    site_id, time = cube["site_id"].to_numpy(), cube["time"].to_numpy()
    days = data.split.days(part, site_id, time)
    for i, name in enumerate(TARGETS):
        measured = scored_days(cube, [name], "measured")[0][..., 0]
        assert (measured & days).any()
        np.testing.assert_array_equal(counted[..., i], measured & days)
    assert (counted[..., 0] != counted[..., 1]).any()


def test_each_target_is_scaled_by_its_own_training_days(cube, data):
    site_id, time = cube["site_id"].to_numpy(), cube["time"].to_numpy()
    for i, name in enumerate(TARGETS):
        days = scored_days(cube, [name], "measured")[0][..., 0] & data.split.days("train", site_id, time)
        flux = cube[name].to_numpy()[days].astype(np.float64)
        mean, std = pytest.approx(flux.mean()), pytest.approx(flux.std())
        assert data.scaler.targets[i] == TargetScale("gC m-2 d-1", mean, std)
    assert data.view().scales == data.scaler.targets
    assert data.layout.targets == TARGETS


def test_the_view_shows_no_flux_of_either_target_where_it_is_not_known(cube, data):
    view = data.view()
    shown = {"known": (view.visible.known, view.target), "stopping": (view.stopping, view.stopping_target)}
    for what, (days, flux) in shown.items():
        assert days.any((0, 1)).all(), what
        assert not flux[~days].any(), what
        for i, name in enumerate(TARGETS):
            units = flux[..., i][days[..., i]] * view.scales[i].std + view.scales[i].mean
            np.testing.assert_allclose(units, cube[name].to_numpy()[days[..., i]], atol=1e-5, err_msg=what)
    assert not (view.visible.known & view.stopping).any()


def test_one_target_s_fluxes_do_not_touch_the_other(cube, data):
    other = tiny_data(cube.assign(NEE=cube["NEE"] * 3 + 50), data.split)
    assert other.scaler.targets[0] == data.scaler.targets[0] and other.scaler.targets[1] != data.scaler.targets[1]
    one, two = data.view(), other.view()
    np.testing.assert_array_equal(two.target[..., 0], one.target[..., 0])
    for part in ("train", "validation"):
        for before, after in zip(gathered(data, part), gathered(other, part), strict=True):
            assert torch.equal(after["target"][..., 0], before["target"][..., 0])
            assert torch.equal(after["target_mask"], before["target_mask"])


def test_a_day_of_either_target_draws_its_window(cube, data):
    """A training day is offered when only one of the fluxes is known there."""
    rows = data.train_dataloader().sampler.counts.numpy()
    np.testing.assert_array_equal(rows, data.trainable.any(-1))
    assert (data.trainable[..., 1] & ~data.trainable[..., 0]).any()
    validated = np.zeros(rows.shape, bool)
    for site, first in itertools.chain.from_iterable(index.tolist() for index in data.val_dataloader()):
        validated[site, max(first + data.window.warmup, 0) : max(first + data.window.days, 0)] = True
    assert (validated | ~data.stopping.any(-1)).all()
