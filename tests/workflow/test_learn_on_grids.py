"""RACI on the cells of a grid: blocks of 5 degrees are clusters, and whoever touches one is hidden with it."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from raciflux.config.raci import RaciConfig
from raciflux.datamodules.base import FluxDataModule
from raciflux.datamodules.splits import Split
from raciflux.modules.baselines.known_sites import KnownSites
from raciflux.retrieval.applicability import applicability
from raciflux.retrieval.bank import Bank
from raciflux.workflow.stages import build_bank

from worlds import CLUSTER_KM, carbon_cube, tiny_data, tiny_split

from .test_first_guess import RACI
from .test_learn import CONFIG, learned_by

NUMBER = np.arange(24)
BLOCK = NUMBER // 5


def row_of_cells() -> xr.Dataset:
    """Cells of one degree in one row; the first five are a block, the next five another."""
    row = {"lat": ("site", np.full(24, 40.5)), "lon": ("site", 0.5 + np.arange(24.0))}
    return carbon_cube(sites=24).assign_coords(row).assign_attrs(places="cells")


def blocks_beside_each_other() -> FluxDataModule:
    """Two blocks train that touch each other."""
    cube = row_of_cells()
    names = cube["site_id"].to_numpy()
    return tiny_data(cube, Split.from_masks(0, names, train=BLOCK < 2, validation=BLOCK == 3, test=BLOCK == 4))


def cells_between(found: np.ndarray) -> np.ndarray:
    """Cells from each of the found (site, k) to the nearest cell of the query's block; 99 where none was found."""
    first, last = 5 * BLOCK[:, None], 5 * BLOCK[:, None] + 4
    return np.where(found < 0, 99, np.maximum(first - found, found - last))


def test_raci_learns_and_answers_tested_blocks(tmp_path):
    cube = row_of_cells()
    learned = learned_by(RACI, tmp_path, tiny_split(cube), cube)
    asked = learned.data.predictable & learned.data.test_days
    assert asked.any()
    assert np.isfinite(learned.predicted.flux[asked]).all()


@pytest.mark.parametrize("same_run", [True, False])
def test_no_query_sees_a_cell_of_its_block_or_beside_it(same_run, tmp_path):
    data = blocks_beside_each_other()
    view, model = data.view(), RaciConfig(retrieval=replace(RACI.retrieval, neighbours=4))
    bank = build_bank(replace(CONFIG, model=model), data)
    if not same_run:
        bank.save(tmp_path / "bank.npz")
        bank = Bank.load(tmp_path / "bank.npz")
    place = np.array([int(name[-2:]) for name in bank.site_id])
    for found in bank.look_up(view, model.retrieval, same_cube=True).found.values():
        away = cells_between(np.where(found.present, place[found.index], -1))
        assert away.min() == 2, "the nearest that may be seen is seen"


def test_entries_are_held_against_the_bank_as_the_tested_are():
    data = blocks_beside_each_other()
    view, bank = data.view(), build_bank(replace(CONFIG, model=RACI), data)
    along_the_row = {role: np.repeat(bank.lon[:, None], keys.shape[1], axis=1) for role, keys in bank.keys.items()}
    like = replace(bank, keys={role: keys.astype(np.float32) for role, keys in along_the_row.items()})
    threshold, without_border = (
        applicability(replace(like, blocks=blocks), view, same_cube=True)["slow"].threshold for blocks in (True, False)
    )
    assert threshold > without_border


def test_a_baseline_that_looks_up_keeps_as_far():
    view = blocks_beside_each_other().view()
    known, rows = KnownSites.of("nearest_climatology", view, CLUSTER_KM)
    hidden = known.hidden_from(view, same_cube=True)
    for site in NUMBER:
        seen = np.setdiff1d(rows, rows[hidden.hidden[hidden.group[site]]])
        assert cells_between(np.broadcast_to(seen, (24, len(seen))))[site].min() >= 2
