"""Rule 1: no flux of a scored day enters inputs, scaler, bank or descriptors, nor by any way a prediction."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from raciflux.config.raci import RetrievalConfig
from raciflux.contracts import TrainingView
from raciflux.datamodules import resident
from raciflux.datamodules.base import FluxDataModule
from raciflux.datamodules.resident import ResidentArrays
from raciflux.datamodules.scaling import Scaler
from raciflux.datamodules.splits import Split
from raciflux.modules.baselines import seasons
from raciflux.modules.baselines.site_mean import SiteMean
from raciflux.retrieval import bank as bank_module
from raciflux.retrieval.bank import Bank

from worlds import CLUSTER_KM, poisoned, tiny_data

from .world import DRIVERS, FLUX, Leak, demand_awake, demand_still, held_out, learned, part_days, split_of, towers

QUESTIONS = ("unseen", "new_years")


# --- what training learns from ----------------------------------------------------------------------------------------


def learned_from(cube: xr.Dataset, split: Split) -> dict[str, Any]:
    """Everything that training reads of fluxes."""
    data = tiny_data(cube, split)
    view = data.view()
    bank = Bank.build(view, CLUSTER_KM)
    epochs = [data.train_dataloader().sampler.epoch(number) for number in range(2)]
    return {
        "scaler": data.scaler,
        "view": (view.target, view.visible.known),
        "bank": (bank.site_id, bank.values, bank.coefficients, bank.evidence),
        "training windows": epochs,
        "training batches": [data.arrays.gather(index, "train") for index in epochs],
    }


def check_learned_from() -> None:
    """Absurd fluxes at validation and test sites, and on later days, reach nothing that training reads."""
    for question in QUESTIONS:
        split = split_of(question)
        before = learned_from(towers(), split)
        demand_still(before, learned_from(held_out(split), split))
        demand_awake(before, learned_from(poisoned(towers(), part_days(split, "train"), FLUX), split))


def scaler_of_all_sites(patch: pytest.MonkeyPatch) -> None:
    fit = Scaler.fit

    def fit_on_all(cube, roles, train, trainable, *others):
        everywhere = np.stack([np.isfinite(cube[name].to_numpy()) for name in roles.targets], axis=-1)
        return fit(cube, roles, np.ones_like(train), everywhere, *others)

    patch.setattr(Scaler, "fit", fit_on_all)


def bank_of_all_sites(patch: pytest.MonkeyPatch) -> None:
    """The view shows every measured flux, whoever's."""
    view = FluxDataModule.view

    def view_of_all(self):
        shown = view(self)
        flux = np.where(self.measured, self.scaled_target(), np.float32(0.0))
        return replace(shown, target=flux, visible=replace(shown.visible, known=self.measured))

    patch.setattr(FluxDataModule, "view", view_of_all)


def bank_of_validation_sites(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(bank_module.Bank, "build", _fed_with_validation(Bank.build))


def windows_that_count_validation(patch: pytest.MonkeyPatch) -> None:
    build = ResidentArrays.build

    def build_with_both(layout, fast, slow, target, train, validation, static, classes):
        return build(layout, fast, slow, target, train | validation, validation, static, classes)

    patch.setattr(ResidentArrays, "build", build_with_both)


def validation_mask_in_training(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(resident, "COUNTS", {"train": 2, "validation": 2})


def windows_drawn_by_all_days(patch: pytest.MonkeyPatch) -> None:
    """Only which windows are drawn tells of days to come; no flux of theirs is shown."""
    drawn = FluxDataModule.train_dataloader

    def drawn_by_measured(self):
        self.training_days = self.measured.any(-1)
        return drawn(self)

    patch.setattr(FluxDataModule, "train_dataloader", drawn_by_measured)


LEARNED_FROM = {
    "scaler fitted on all sites": Leak(scaler_of_all_sites, "moved: .*scaler"),
    "bank with validation and test fluxes": Leak(bank_of_all_sites, "moved: view, bank"),
    "bank with validation fluxes alone": Leak(bank_of_validation_sites, "moved: bank$"),
    "training windows that count validation days": Leak(windows_that_count_validation, "moved: training batches"),
    "the validation mask in the loss": Leak(validation_mask_in_training, "moved: training batches"),
    "training windows drawn by all measured days": Leak(windows_drawn_by_all_days, "moved: training windows"),
}


# --- what drivers say of a place --------------------------------------------------------------------------------------


def said_of_places(cube: xr.Dataset, split: Split) -> dict[str, Any]:
    """What scaler and bank take from drivers; of a split in time also how every place is described."""
    data = tiny_data(cube, split)
    view = data.view()
    bank = Bank.build(view, CLUSTER_KM)
    said = {"scaler": data.scaler, "standards": bank.standards, "keys": bank.keys}
    if split.periods:
        table = bank.look_up(view, RetrievalConfig(neighbours=3), same_cube=True)
        said |= {"descriptors": table.descriptors, "neighbours": table.found}
    return said


def check_said_of_places() -> None:
    """Absurd drivers outside training sites, and after the training years, describe and scale nothing."""
    for question in QUESTIONS:
        split = split_of(question)
        before = said_of_places(towers(), split)
        trained = split.period("train", towers()["site_id"].to_numpy(), towers()["time"].to_numpy())
        other = poisoned(towers(), ~trained, DRIVERS)
        if question == "unseen":
            other["elevation"] = other["elevation"].where(trained.any(1), 1e5)
            other["igbp"] = other["igbp"].where(trained.any(1), "ZZ")
        demand_still(before, said_of_places(other, split))
        demand_awake(before, said_of_places(poisoned(towers(), trained, DRIVERS), split), ("scaler", "standards"))


def standards_of_all_sites(patch: pytest.MonkeyPatch) -> None:
    build = Bank.build
    patch.setattr(Bank, "build", lambda view, km: build(replace(view, train_sites=np.ones_like(view.train_sites)), km))


def descriptors_of_test_years(patch: pytest.MonkeyPatch) -> None:
    view = FluxDataModule.view
    patch.setattr(FluxDataModule, "view", lambda self: _whole_record(view(self)))


def _whole_record(view: TrainingView) -> TrainingView:
    return replace(view, driver_days=np.ones_like(view.driver_days))


SAID_OF_PLACES = {
    "drivers scaled over all sites": Leak(scaler_of_all_sites, "moved: scaler"),
    "descriptors standardised over all sites": Leak(standards_of_all_sites, "moved: standards, keys"),
    "descriptors that use the days of the test years": Leak(descriptors_of_test_years, "moved: .*descriptors"),
}


# --- end to end -------------------------------------------------------------------------------------------------------

END_TO_END = ("site_mean", "climatology", "random_forest", "moment_lstm", "raci")


def check_end_to_end() -> None:
    """Whole trainings predict the same test days, to the bit, whatever the fluxes of validation and test."""
    for question in QUESTIONS:
        split = split_of(question)
        other, trained = held_out(split), poisoned(towers(), part_days(split, "train"), FLUX)
        for model in END_TO_END if question == "unseen" else ("climatology", "raci"):
            what = f"predictions of {model}"
            before = {what: learned(model, towers(), split).predicted.flux}
            assert np.isfinite(before[what]).any(), f"{model} predicts nothing"
            demand_still(before, {what: learned(model, other, split).predicted.flux})
            demand_awake(before, {what: learned(model, trained, split).predicted.flux})


def view_with_validation(patch: pytest.MonkeyPatch) -> None:
    for model in (SiteMean, seasons.Seasons):
        name = "fit" if model is SiteMean else "of"
        patch.setattr(model, name, _fed_with_validation(getattr(model, name)))


def _fed_with_validation(build: Any) -> Any:
    """A builder whose view calls validation days known."""

    def leaky(*given: Any) -> Any:
        return build(*[_stopping_known(one) if isinstance(one, TrainingView) else one for one in given])

    return leaky


def _stopping_known(view: TrainingView) -> TrainingView:
    known = view.visible.known | view.stopping
    return replace(view, target=view.target + view.stopping_target, visible=replace(view.visible, known=known))


END_TO_END_LEAKS = {
    "bank with validation fluxes": Leak(bank_of_validation_sites, "moved: predictions of raci"),
    "windows that count validation days": Leak(windows_that_count_validation, "moved: predictions of raci"),
    "scaler fitted on all sites": Leak(scaler_of_all_sites, "moved: predictions of site_mean"),
    "site mean with validation fluxes": Leak(view_with_validation, "moved: predictions of site_mean"),
}
