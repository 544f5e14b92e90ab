"""Rule 3: early stopping, calibration and model choice never use the test; calibration clusters stop no training."""

import gc
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from raciflux.config.schema import CalibrationConfig
from raciflux.config.transfer import StageConfig
from raciflux.datamodules.base import FluxDataModule
from raciflux.datamodules.splits import Split
from raciflux.workflow import calibration_parts, train
from raciflux.workflow.progress import RunProgress

from worlds import clusters, poisoned

from .clusters import refuse_cut_clusters
from .world import (
    FLUX,
    Leak,
    config,
    demand_awake,
    demand_still,
    held_out,
    learned,
    part_days,
    prepared,
    split_of,
    towers,
)

# --- early stopping ---------------------------------------------------------------------------------------------------

CHECKED_OFTEN = StageConfig(steps=4, batch_size=8, check_every=1, patience=2, learning_rate=0.05)


def stopped(model: str, cube: xr.Dataset, split: Split) -> dict[str, Any]:
    found = learned(model, cube, split, CHECKED_OFTEN)
    return {f"validation score of {model}": found.score, f"predictions of {model}": found.predicted.flux}


def check_stopping() -> None:
    """Absurd fluxes of the test change neither the score that stops a training nor the weights that it keeps."""
    split = split_of("unseen")
    tested, validated = (poisoned(towers(), part_days(split, part), FLUX) for part in ("test", "validation"))
    for model in ("lightgbm", "lstm"):
        before = stopped(model, towers(), split)
        demand_still(before, stopped(model, tested, split))
        demand_awake(before, stopped(model, validated, split), [f"validation score of {model}"])
    in_time = split_of("new_years")
    before = stopped("lightgbm", towers(), in_time)
    demand_still(before, stopped("lightgbm", poisoned(towers(), part_days(in_time, "test"), FLUX), in_time))


def stopping_watches_the_test(patch: pytest.MonkeyPatch) -> None:
    days = Split.days

    def swapped(self, part, site_id, time):
        return days(self, "test" if part == "validation" else part, site_id, time)

    patch.setattr(Split, "days", swapped)


def networks_watch_the_test(patch: pytest.MonkeyPatch) -> None:
    """Validation of a network runs over the test's windows as well."""
    built = FluxDataModule.__init__

    def with_test(self, *given, **named):
        built(self, *given, **named)
        self.stopping = self.stopping | (self.measured & self.test_days[..., None])
        self.arrays = self._resident()

    patch.setattr(FluxDataModule, "__init__", with_test)


STOPPING = {
    "early stopping that watches test sites": Leak(stopping_watches_the_test, "moved: validation score of lightgbm"),
    "early stopping that watches both": Leak(networks_watch_the_test, "moved: validation score"),
}


# --- calibration ------------------------------------------------------------------------------------------------------

CALIBRATION = CalibrationConfig(kind="cross_conformal", parts=2, level=0.5)


def calibrated(cube: xr.Dataset, split: Split) -> dict[str, Any]:
    """Widths of the intervals of a fold, by the real trainings of its parts, and who stopped and calibrated."""
    given = prepared(cube)
    inner: list[Split] = []
    learn = train.learn

    def listening(config, prepared, part, *rest):
        inner.append(part)
        return learn(config, prepared, part, *rest)

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "learn", listening)
        patch.setattr(gc, "collect", lambda: 0)
        progress = RunProgress(1, visible=False, speaks=False)
        chosen = config("site_mean", calibration=CALIBRATION)
        widths = train._calibrate(chosen, given, split, Path(folder), progress)
    return {"calibration": widths, "parts": inner}


def check_calibration() -> None:
    """Intervals are as wide whatever the fluxes of stopping and test clusters, and whole training clusters set them."""
    split = split_of("unseen")
    before = calibrated(towers(), split)
    demand_still(before, calibrated(held_out(split), split))
    demand_awake(before, calibrated(poisoned(towers(), part_days(split, "train"), FLUX), split), ["calibration"])
    site_id, cluster = towers()["site_id"].to_numpy(), clusters(towers())
    for part in before["parts"]:
        assert set(part.validation) == set(split.validation), "a part stops by other clusters than the model"
        assert not {*part.train, *part.test} & {*split.validation, *split.test}, "a held-out site calibrates"
        refuse_cut_clusters(part, site_id, cluster, "calibration")
    tested = sorted(name for part in before["parts"] for name in part.test)
    assert tested == sorted(set(split.train) - set(split.unlabelled)), "a site calibrates twice or never"


def unguarded(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(calibration_parts, "check_part", lambda *given: None)


def calibrated_on_stopping_clusters(patch: pytest.MonkeyPatch, guarded: bool = False) -> None:
    parts = train.inner_splits
    unguarded(patch)

    def with_validation(config, split, described):
        return parts(config, replace(split, train=(*split.train, *split.validation)), described)

    patch.setattr(train, "inner_splits", with_validation)
    if not guarded:
        fold = train.calibrate_fold
        allowed = lambda split: replace(split, train=(*split.train, *split.validation))  # noqa: E731
        patch.setattr(train, "calibrate_fold", lambda split, *given: fold(allowed(split), *given))


def calibrated_on_test_clusters(patch: pytest.MonkeyPatch) -> None:
    parts = train.inner_splits
    unguarded(patch)
    swapped = lambda split: replace(split, train=(*split.train, *split.test))  # noqa: E731
    patch.setattr(train, "inner_splits", lambda config, split, *given: parts(config, swapped(split), *given))


def calibrated_by_site(patch: pytest.MonkeyPatch) -> None:
    parts = train.inner_splits

    def blind(config, split, described):
        return parts(config, split, replace(described, cluster=np.arange(len(described.cluster))))

    patch.setattr(train, "inner_splits", blind)


def calibrated_in_sample(patch: pytest.MonkeyPatch) -> None:
    """Each part is predicted by a model that trained on it."""
    parts = train.inner_splits

    def in_sample(*given):
        return [replace(part, train=(*part.train, *part.test)) for part in parts(*given)]

    patch.setattr(train, "inner_splits", in_sample)


CALIBRATED = {
    "calibration on stopping clusters": Leak(calibrated_on_stopping_clusters, "moved: calibration"),
    "the same, one guard awake": Leak(
        lambda patch: calibrated_on_stopping_clusters(patch, True), "calibration of fold"
    ),
    "calibration on test clusters": Leak(calibrated_on_test_clusters, "calibration of fold"),
    "calibration by site": Leak(calibrated_by_site, r"calibration: one cluster in \['train', 'test'\]"),
    "calibration on errors in sample": Leak(calibrated_in_sample, r"calibration: one cluster in \['train', 'test'\]"),
}
