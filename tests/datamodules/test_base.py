import itertools
from collections.abc import Callable
from dataclasses import replace

import lightning
import numpy as np
import pytest
import torch
import xarray as xr
from raciflux.contracts import Batch
from raciflux.datamodules.base import FluxDataModule
from raciflux.datamodules.scaling import Scaler
from raciflux.errors import UserError
from raciflux.sun import extraterrestrial_radiation

from worlds import quiet_trainer, tiny_cube, tiny_data

DAILY = ("GPP", "GPP_qc", "GPP_measured")


@pytest.fixture(scope="module")
def cube() -> xr.Dataset:
    return tiny_cube()


@pytest.fixture(scope="module")
def data(cube) -> FluxDataModule:
    return tiny_data(cube)


def training_epoch(data: FluxDataModule, number: int = 0) -> torch.Tensor:
    return data.train_dataloader().sampler.epoch(number)


def days_scored(loader, data) -> np.ndarray:
    """How often each (site, day) stands in the scored part of a window of one pass."""
    times = np.zeros(data.trainable.shape[:2], int)
    for batch in loader:
        for site, first in batch.tolist():
            low = max(first + data.window.warmup, 0)
            times[site, low : max(first + data.window.days, 0)] += 1
    return times


def first_batches(data: FluxDataModule, count: int = 40) -> list[Batch]:
    """Gathered training batches: several epochs of them, by default."""
    return [data.arrays.gather(index, "train") for index in itertools.islice(data.train_dataloader(), count)]


def days_counted(batches, data) -> np.ndarray:
    """How often each (site, day, target) counts in gathered batches."""
    times = np.zeros(data.trainable.shape, int)
    for batch in batches:
        row, day, target = torch.nonzero(batch["target_mask"], as_tuple=True)
        np.add.at(times, (batch["site"][row].numpy(), (batch["day"][row] + day).numpy(), target.numpy()), 1)
    return times


# --- what counts ------------------------------------------------------------------------------------------------------


def test_each_part_counts_its_own_days_once(cube, data):
    measured = (
        np.isfinite(cube["GPP"].to_numpy())
        & (cube["GPP_qc"].to_numpy() >= 0.75)
        & (cube["GPP_measured"].to_numpy() >= 0.5)
    )
    site_id = cube["site_id"].to_numpy()
    for part, indices in {"train": [training_epoch(data)], "validation": data.val_dataloader()}.items():
        expected = measured & np.isin(site_id, getattr(data.split, part))[:, None]
        assert expected.any()
        batches = [data.arrays.gather(index, part) for index in indices]
        np.testing.assert_array_equal(days_counted(batches, data), expected[..., None])


def test_every_day_of_a_test_site_with_a_required_driver_is_predicted_once(cube, data):
    asked = np.isfinite(cube["TA"].to_numpy()) & np.isin(cube["site_id"].to_numpy(), data.split.test)[:, None]
    times = days_scored(data.predict_dataloader(), data)
    assert (times[asked] == 1).all()
    assert times.max() == 1
    assert not times[~np.isin(cube["site_id"].to_numpy(), data.split.test)].any()


def test_filled_days_train_only_where_that_is_switched_on(cube, data):
    filled = tiny_data(cube, train_on_filled=True)
    added = (filled.trainable & ~data.trainable)[..., 0]
    assert added.any()
    assert (cube["GPP_qc"].to_numpy()[added] >= 0.75).all()
    assert (cube["GPP_measured"].to_numpy()[added] < 0.5).all()
    epoch = filled.arrays.gather(training_epoch(filled), "train")
    np.testing.assert_array_equal(days_counted([epoch], filled), filled.trainable)
    np.testing.assert_array_equal(filled.stopping, data.stopping)  # scores stay measured


def test_each_site_s_windows_hold_that_site_s_days(cube, data):
    """End to end: the features of a batch are the scaled values of the cube at the named site and day."""
    fast = np.stack([data.scaler.scale(name, data.cube[name].to_numpy()) for name in data.roles.fast], axis=-1)
    for batch in first_batches(data, 2):
        for i, (site, first) in enumerate(zip(batch["site"].tolist(), batch["day"].tolist(), strict=True)):
            low, high = max(first, 0), min(first + data.window.days, fast.shape[1])
            inside = slice(low - first, high - first)
            known = np.isfinite(fast[site, low:high])
            np.testing.assert_array_equal(batch["fast"][i, inside], np.nan_to_num(fast[site, low:high]))
            np.testing.assert_array_equal(batch["fast_mask"][i, inside] > 0, known)
            counted = batch["target_mask"][i, inside, 0].numpy()
            (scale,) = data.scaler.targets
            units = batch["target"][i, inside, 0].numpy() * scale.std + scale.mean
            np.testing.assert_allclose(units[counted], cube["GPP"].to_numpy()[site, low:high][counted], atol=1e-5)


def test_the_sun_comes_from_calendar_and_latitude(cube, data):
    day_of_year = cube["time"].dt.dayofyear.to_numpy()
    for site in (0, 7):
        naive = extraterrestrial_radiation(float(cube["lat"][site]), day_of_year)
        np.testing.assert_allclose(data.cube["SW_POT"].to_numpy()[site], naive, rtol=1e-6)
    assert day_of_year[-1] == 366  # the tiny record ends in a leap year


def test_the_order_of_a_cube_s_dimensions_does_not_matter(cube, data):
    turned = tiny_data(cube.transpose("time", "site"))
    for name in ("fast", "slow", "target", "static", "classes"):
        assert torch.equal(getattr(turned.arrays, name), getattr(data.arrays, name)), name


def test_a_given_scaler_is_used(cube, data):
    given_one = Scaler(data.roles, {**data.scaler.inputs, "TA": (0.0, 2.0)}, data.scaler.targets, data.scaler.classes)
    module = tiny_data(cube, scaler=given_one)
    assert module.scaler is given_one
    known = module.view().fast_mask[..., 0]
    np.testing.assert_allclose(module.view().fast[..., 0][known], cube["TA"].to_numpy()[known] / 2.0)


def test_quality_that_is_not_there_is_said_before_anything_else(cube):
    with pytest.raises(UserError, match="GPP_qc"):
        tiny_data(cube.drop_vars("GPP_qc"))
    assert tiny_data(cube.drop_vars(["GPP_qc", "GPP_measured"]), quality="published").trainable.any()


# --- rule 1: no flux outside training sites and days ------------------------------------------------------------------


def outside_training(cube: xr.Dataset, data: FluxDataModule) -> xr.Dataset:
    """Other fluxes, all of them declared measured, at validation and test sites; and on unmeasured training days."""
    rng = np.random.default_rng(42)
    sites = ~data.train_sites
    changed = {}
    for name in DAILY:
        values = cube[name].to_numpy().copy()
        values[sites] = rng.normal(50, 20, values[sites].shape) if name == "GPP" else 1.0
        changed[name] = (("site", "time"), values, cube[name].attrs)
    filled = data.train_sites[:, None] & ~data.trainable[..., 0] & (changed["GPP_measured"][1] < 0.5)
    changed["GPP"][1][filled] = 1e4
    return cube.assign(changed)


def test_the_training_view_and_scaler_do_not_change_with_a_flux_that_is_not_trained_on(cube, data):
    other = tiny_data(outside_training(cube, data))
    assert other.scaler == data.scaler
    one, two = data.view(), other.view()
    for name in ("fast", "fast_mask", "static", "static_mask", "classes", "target", "train_sites"):
        np.testing.assert_array_equal(getattr(two, name), getattr(one, name), err_msg=name)
    np.testing.assert_array_equal(two.visible.known, one.visible.known)
    assert two.scales == one.scales


def test_the_training_batches_do_not_change_with_a_flux_that_is_not_trained_on(cube, data):
    other = tiny_data(outside_training(cube, data))
    for one, two in zip(first_batches(data), first_batches(other), strict=True):
        assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(other.arrays.target, data.arrays.target)  # validation did change: the test is awake


def test_the_view_has_the_flux_of_training_days_and_nothing_else(cube, data):
    view = data.view()
    np.testing.assert_array_equal(view.visible.known, data.trainable)
    assert not view.target[~data.trainable].any()
    units = view.target * view.scales[0].std + view.scales[0].mean
    known = data.trainable[..., 0]
    np.testing.assert_allclose(units[known, 0], cube["GPP"].to_numpy()[known], atol=1e-5)


def test_the_view_may_stop_by_validation_days_and_nothing_else(cube, data):
    view = data.view()
    np.testing.assert_array_equal(view.stopping, data.stopping)
    assert view.stopping.any()
    assert not (view.stopping & view.visible.known).any()
    assert not view.stopping_target[~view.stopping].any()
    units = view.stopping_target * view.scales[0].std + view.scales[0].mean
    days = view.stopping[..., 0]
    np.testing.assert_allclose(units[days, 0], cube["GPP"].to_numpy()[days], atol=1e-5)


def test_no_array_on_the_device_holds_a_flux_of_a_test_site(cube, data):
    kept = data.arrays.target.view(len(data.train_sites), data.arrays.days, 3)
    tested = data.split.members("test", cube["site_id"].to_numpy())
    assert not kept[tested].any()


def test_drivers_at_test_sites_do_not_scale_anything(cube, data):
    drivers = {}
    for name in ("TA", "SW", "VPD"):
        values = cube[name].to_numpy().copy()
        values[~data.train_sites] += 100
        drivers[name] = (("site", "time"), values, cube[name].attrs)
    assert tiny_data(cube.assign(drivers)).scaler == data.scaler


class Recorder(lightning.LightningModule):
    """Learns nothing and keeps every batch it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.shown: list[dict[str, torch.Tensor]] = []

    def training_step(self, batch, batch_idx):
        self.shown.append(batch)
        return self.weight * 0.0

    def validation_step(self, batch, batch_idx):
        self.shown.append(batch)

    def predict_step(self, batch, batch_idx):
        self.shown.append(batch)
        return batch["site"]

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def shown_by(run: Callable[[lightning.Trainer, Recorder], object], folder, **settings):
    recorder = Recorder()
    run(quiet_trainer(folder, num_sanity_val_steps=0, limit_val_batches=0, **settings), recorder)
    return recorder.shown


def test_predict_batches_carry_no_target(cube, data, tmp_path):
    """Not even where the arrays hold it: here the training sites themselves are asked."""
    known = tiny_data(cube, replace(data.split, test=data.split.train))
    shown = shown_by(lambda trainer, module: trainer.predict(module, datamodule=known), tmp_path)
    assert shown
    assert not any(batch["target"].any() or batch["target_mask"].any() for batch in shown)
    index = torch.stack([torch.cat([batch[name] for batch in shown]) for name in ("site", "day")], dim=1)
    assert known.arrays.gather(index, "train")["target_mask"].any()


def test_a_trainer_counts_every_training_day_once_an_epoch(cube, tmp_path):
    """Over epochs that differ in their number of windows."""
    module = tiny_data(cube, batch_size=4)
    sampler = module.train_dataloader().sampler
    lengths = [-(-len(sampler.epoch(number)) // 4) for number in range(12)]
    assert len(set(lengths)) > 1
    shown = shown_by(lambda trainer, m: trainer.fit(m, datamodule=module), tmp_path, max_steps=sum(lengths))
    np.testing.assert_array_equal(days_counted(shown, module), 12 * module.trainable)
