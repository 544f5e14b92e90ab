"""Folds of the cells of a grid: whole blocks of 5 degrees, and no cell beside what is held out."""

import numpy as np
import pytest
import xarray as xr
from made_towers import all_folds
from raciflux.config.schema import SplitConfig
from raciflux.datamodules.cube import attributes
from raciflux.datamodules.splits import Split
from raciflux.datamodules.towers import Towers, clusters_of, describe_towers

LAT, LON = (each.ravel() for each in np.meshgrid(np.arange(30.5, 50, 1.0), np.arange(-180.0, 180, 1.0)[::6] + 0.5))


def days(first: str, end: str) -> np.ndarray:
    return np.arange(first, end, dtype="datetime64[D]").astype("datetime64[ns]")


def cells(places: str = "cells", km: float = 50.0) -> Towers:
    """A world of cells one degree high, round the globe."""
    warmth = xr.DataArray(np.full((len(LAT), 3), 9.0, np.float32), dims=("site", "time"), attrs=attributes("TA"))
    cube = xr.Dataset(
        {"TA": warmth},
        {
            "site_id": ("site", np.array([f"C{n:04d}" for n in range(len(LAT))])), "lat": ("site", LAT),
            "lon": ("site", LON), "time": days("2001-01-01", "2001-01-04"),
        },
        {"places": places},
    )  # fmt: skip
    return describe_towers(cube, clusters_of(cube, km), np.ones((len(LAT), 3), bool))


def steps_apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Rows, or six-degree columns round the globe, between each of ``one`` and the nearest of ``other``."""
    north = np.abs(LAT[one][:, None] - LAT[other])
    east = np.abs((LON[one][:, None] - LON[other] + 180) % 360 - 180) / 6
    return np.maximum(north, east).min(1)


def parts(split: Split, towers: Towers) -> dict[str, np.ndarray]:
    return {part: split.members(part, towers.site_id) for part in ("train", "validation", "test")}


def test_blocks_are_whole_and_nothing_touches_what_is_held_out():
    towers = cells()
    block = np.floor(LAT / 5) * 100 + np.floor((LON % 360) / 5)
    tested = np.zeros(len(LAT), int)
    for split in all_folds(SplitConfig(folds=4), towers):
        of = parts(split, towers)
        tested += of["test"]
        assert (np.isin(block, block[of["test"]]) == of["test"]).all(), "a tested block is cut"
        assert (steps_apart(of["train"], of["test"] | of["validation"]) > 1.01).all()
        assert (steps_apart(of["validation"], of["test"]) > 1.01).all()
        assert of["train"].any() and of["validation"].any()
    assert (tested == 1).all(), "each cell is tested once"


def test_towers_and_single_cells_have_no_border():
    for towers, config in (
        (cells("towers"), SplitConfig(folds=4)),
        (cells(km=0.0), SplitConfig(folds=4, cluster_km=0.0)),
    ):
        for split in all_folds(config, towers):
            assert sum(part.sum() for part in parts(split, towers).values()) == len(LAT)


def test_a_split_in_time_keeps_every_cell():
    time = days("2001-01-01", "2007-01-01")
    towers = cells()
    long = Towers(
        towers.site_id, towers.cluster, towers.igbp, towers.koppen, towers.temperature,
        np.ones((len(LAT), len(time)), bool), time, towers.lat, towers.lon,
    )  # fmt: skip
    (split,) = all_folds(SplitConfig(kind="temporal", test_from=2005), long)
    assert set(split.periods.values()) == {("2004-01-01", "2005-01-01")} and len(split.periods) == len(LAT)
    (share,) = all_folds(SplitConfig(kind="temporal", test_share=0.34), long)
    assert set(share.periods.values()) == {("2004-01-01", "2005-01-01")}


@pytest.mark.parametrize(("test_from", "share"), [(None, 0.17), (2006, 0.2)])
def test_the_last_year_alone_can_be_tested(test_from, share):
    time = days("2001-01-01", "2007-01-01")
    towers = cells("towers")
    long = Towers(
        towers.site_id, np.arange(len(LAT)), towers.igbp, towers.koppen, towers.temperature,
        np.ones((len(LAT), len(time)), bool), time,
    )  # fmt: skip
    (split,) = all_folds(SplitConfig(kind="temporal", test_from=test_from, test_share=share), long)
    assert set(split.periods.values()) == {("2005-01-01", "2006-01-01")}
