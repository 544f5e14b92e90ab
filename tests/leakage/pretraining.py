"""Rule 6: pretraining leaves out every simulated cell within 50 km of a test cluster."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from raciflux.config.schema import SplitConfig
from raciflux.datamodules.splits import Split
from raciflux.geography import haversine_km
from raciflux.retrieval.bank import Bank
from raciflux.workflow import prepare
from raciflux.workflow.calibration_parts import calibration_parts

from worlds import poisoned, tiny_cube

from .world import DATA, DRIVERS, Leak, config, demand_awake, demand_still, prepared, split_of, towers

KM = 50.0


def simulation() -> xr.Dataset:
    """A cell 45 km north of every tower, and one 55 km north of it."""
    cells = tiny_cube(sites=24, days=400, seed=5).drop_vars(["GPP_qc", "GPP_measured"])
    lat = towers()["lat"].to_numpy()[:, None] + np.array([45.0, 55.0]) / 111.2
    lon = np.repeat(towers()["lon"].to_numpy(), 2)
    names = [f"cell {i}" for i in range(24)]
    return cells.assign_coords(lat=("site", lat.ravel()), lon=("site", lon), site_id=("site", names))


def pretrained_from(cells: xr.Dataset, split: Split) -> dict[str, Any]:
    """All that the first stage of a training reads of the simulation."""
    given = prepared(towers())
    given = replace(given, simulation=cells)
    data = prepare.simulation_data(config("raci", data=replace(DATA, split=SplitConfig(folds=3))), given, split)
    bank = Bank.build(data.view(), KM)
    batches = [data.arrays.gather(data.train_dataloader().sampler.epoch(0), "train")]
    stopping = [data.arrays.gather(index, "validation") for index in data.val_dataloader()]
    return {
        "scaler": data.scaler,
        "bank": (bank.site_id, bank.keys, bank.values),
        "training batches": batches,
        "stopping batches": stopping,
    }


def check_pretraining() -> None:
    """Absurd simulated weather and fluxes near a test cluster reach nothing; nor do they in a calibration."""
    outer = split_of("unseen")
    given = prepared(towers()).described
    inner = calibration_parts(outer, given.site_id, given.cluster, parts=2, seed=0)
    for what, split, tested in (("", outer, outer.test), ("calibration: ", inner[0], (*inner[0].test, *outer.test))):
        near = near_to(tested)
        assert near.any() and not near.all()
        before, spoilt = pretrained_from(simulation(), split), (*DRIVERS, "GPP")
        days = np.repeat(near[:, None], 400, axis=1)
        try:
            demand_still(before, pretrained_from(poisoned(simulation(), days, spoilt), split))
        except AssertionError as error:
            raise AssertionError(f"{what}{error}") from error
        demand_awake(before, pretrained_from(poisoned(simulation(), ~days, spoilt), split))


def near_to(names: tuple[str, ...]) -> np.ndarray:
    """Cells (site,) within 50 km of one of the towers."""
    cells, cube = simulation(), towers()
    named = np.isin(cube["site_id"].to_numpy(), names)
    lat, lon = cube["lat"].to_numpy()[named], cube["lon"].to_numpy()[named]
    km = haversine_km(cells["lat"].to_numpy()[:, None], cells["lon"].to_numpy()[:, None], lat, lon)
    return np.asarray((km <= KM).any(1))


def near_cells_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(prepare, "away_from", lambda lat, *given: np.ones(len(lat), bool))


def _away(change: Callable[..., tuple[Any, ...]]) -> Callable[[pytest.MonkeyPatch], None]:
    def build(patch: pytest.MonkeyPatch) -> None:
        away = prepare.away_from
        patch.setattr(prepare, "away_from", lambda *given: away(*change(*given)))

    return build


def away_from_the_named_test_alone(patch: pytest.MonkeyPatch) -> None:
    """The models of a calibration, which name only their own test, pretrain beside that of the fold."""
    outer, build = split_of("unseen"), prepare.simulation_data

    def blind(chosen, given, split):
        return build(chosen, given, split if split == outer else replace(split, train=(*split.train, *outer.test)))

    patch.setattr(prepare, "simulation_data", blind)


PRETRAINING = {
    "cells near a test cluster kept": Leak(near_cells_kept, "^moved: .*training batches"),
    "kept away by 40 km": Leak(_away(lambda lat, lon, a, b, km, size: (lat, lon, a, b, 40.0, size)), "^moved: "),
    "kept away from the first test site": Leak(
        _away(lambda lat, lon, a, b, km, size: (lat, lon, a[:1], b[:1], km, size)), "^moved: "
    ),
    "a calibration that pretrains beside the test": Leak(away_from_the_named_test_alone, "^calibration: moved: "),
}
