"""A split in time: one window reaches days of all three parts, and each stage sees the fluxes of its own alone."""

from dataclasses import replace

import lightning
import numpy as np
import pytest
import torch
import xarray as xr
from raciflux.contracts import Batch
from raciflux.datamodules.base import FluxDataModule

from worlds import carbon_cube, poisoned, quiet_trainer, split_in_time, tiny_data

DAILY = ("TA", "SW", "VPD", "GPP", "NEE", "GPP_qc", "GPP_measured", "NEE_qc", "NEE_measured")
FLUXES = tuple(name for name in DAILY if name.startswith(("GPP", "NEE")))


@pytest.fixture(scope="module")
def cube() -> xr.Dataset:
    return carbon_cube()


@pytest.fixture(scope="module")
def data(cube) -> FluxDataModule:
    return tiny_data(cube, split_in_time(cube))


class Recorder(lightning.LightningModule):
    """Learns nothing and keeps every batch it is shown, stage by stage."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.shown: dict[str, list[Batch]] = {"train": [], "validation": [], "predict": []}

    def training_step(self, batch, batch_idx):
        self.shown["train"].append(batch)
        return self.weight * 0.0

    def validation_step(self, batch, batch_idx):
        self.shown["validation"].append(batch)

    def predict_step(self, batch, batch_idx):
        self.shown["predict"].append(batch)
        return batch["site"]

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def shown_by_a_trainer(data: FluxDataModule, folder) -> dict[str, list[Batch]]:
    """Batches of a training that is validated in its midst and at its end, and of a prediction."""
    recorder = Recorder()
    steps = {"max_steps": 40, "max_epochs": -1, "val_check_interval": 20, "check_val_every_n_epoch": None}
    trainer = quiet_trainer(folder, num_sanity_val_steps=1, **steps)
    trainer.fit(recorder, datamodule=data)
    trainer.predict(recorder, datamodule=data)
    assert all(recorder.shown.values())
    return recorder.shown


def days_of(batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Site and day (window, step) of each step of a batch."""
    steps = batch["day"][:, None] + torch.arange(batch["target"].shape[1])
    return batch["site"][:, None].expand_as(steps).numpy(), steps.numpy()


def test_each_stage_counts_its_own_days_and_no_other(data, tmp_path):
    last = data.trainable.shape[1] - 1
    own = {"train": data.trainable, "validation": data.stopping, "predict": np.zeros_like(data.trainable)}
    for stage, batches in shown_by_a_trainer(data, tmp_path).items():
        reached = {"train": 0, "validation": 0}
        for batch in batches:
            site, day = days_of(batch)
            scored = (day >= 0) & (day <= last) & (np.arange(day.shape[1]) >= data.window.warmup)
            here = own[stage][site, day.clip(0, last)] & scored[..., None]
            np.testing.assert_array_equal(batch["target_mask"], here, err_msg=stage)
            assert not batch["target"][~batch["target_mask"]].any(), stage
            for part in reached:
                reached[part] += int((own[part][site, day.clip(0, last)] & scored[..., None]).sum())
        assert all(reached.values()), f"{stage}: no window reaches another part's days, so this test shows nothing"


def test_scaler_and_view_come_from_the_training_period_alone(cube, data):
    later = ~data.split.period("train", cube["site_id"].to_numpy(), cube["time"].to_numpy())
    other = tiny_data(poisoned(cube, later, DAILY), data.split)
    assert other.scaler == data.scaler
    one, two = data.view(), other.view()
    for name in ("driver_days", "target", "static", "classes", "train_sites"):
        np.testing.assert_array_equal(getattr(two, name), getattr(one, name), err_msg=name)
    np.testing.assert_array_equal(two.visible.known, one.visible.known)
    np.testing.assert_array_equal(two.fast[one.driver_days], one.fast[one.driver_days])
    assert (two.fast[~one.driver_days] != one.fast[~one.driver_days]).any()
    assert (two.stopping_target != one.stopping_target).any()


def test_training_batches_do_not_change_with_later_fluxes(cube, data):
    later = ~data.split.period("train", cube["site_id"].to_numpy(), cube["time"].to_numpy())
    other = tiny_data(poisoned(cube, later, FLUXES), data.split)
    for epoch in range(3):
        index = data.train_dataloader().sampler.epoch(epoch)
        assert torch.equal(other.train_dataloader().sampler.epoch(epoch), index)
        one, two = (module.arrays.gather(index, "train") for module in (data, other))
        assert all(torch.equal(two[name], one[name]) for name in one)
    assert not torch.equal(other.arrays.target, data.arrays.target)  # validation did change: the test is awake


def test_the_view_declares_the_training_period_and_the_question(cube, data):
    view = data.view()
    time = cube["time"].to_numpy()
    for site, name in enumerate(cube["site_id"].to_numpy().tolist()):
        validation, test = (np.datetime64(day) for day in data.split.periods[name])
        np.testing.assert_array_equal(view.driver_days[site], time < validation)
        assert not view.visible.known[site, time >= validation].any()
        stopping = view.stopping[site].any(-1)
        assert stopping.any() and (time[stopping] >= validation).all() and (time[stopping] < test).all()
    assert view.visible.question == "new_years"
    assert tiny_data(cube).view().visible.question == "unseen"
    assert tiny_data(cube).view().driver_days.all()


def test_only_test_days_with_a_driver_are_asked(cube, data):
    asked = np.zeros(data.test_days.shape, int)
    for index in data.predict_dataloader():
        for site, first in index.tolist():
            asked[site, max(first + data.window.warmup, 0) : max(first + data.window.days, 0)] += 1
    assert asked.max() == 1
    assert (asked[data.test_days & data.predictable] == 1).all()
    first_tested = data.test_days.argmax(1)
    for site, day in enumerate(first_tested.tolist()):
        assert not asked[site, : day - data.window.scored].any()


@pytest.mark.parametrize("in_time", [True, False])
def test_sites_whose_fluxes_are_not_shown_still_lend_their_drivers(cube, in_time):
    """Few labels: a tower without labels is a place whose weather is known."""
    split = split_in_time(cube) if in_time else tiny_data(cube).split
    hidden = split.train[1]
    row = cube["site_id"].to_numpy().tolist().index(hidden)
    few = tiny_data(cube, replace(split, unlabelled=(hidden,)))
    view, all_labels = few.view(), tiny_data(cube, split)
    assert not few.trainable[row].any() and not few.stopping[row].any()
    assert not view.visible.known[row].any() and not view.target[row].any()
    np.testing.assert_array_equal(view.driver_days, all_labels.view().driver_days)
    assert few.scaler.inputs == all_labels.scaler.inputs
    assert few.scaler.targets != all_labels.scaler.targets
