import numpy as np
import pytest
from made_towers import names
from raciflux.datamodules.splits import PARTS, Split, away_from, grid_blocks, simulation_split
from raciflux.errors import UserError
from raciflux.geography import haversine_km

# --- one division -----------------------------------------------------------------------------------------------------

TIME = np.arange("2001-12-30", "2002-01-06", dtype="datetime64[D]").astype("datetime64[ns]")


def test_saved_and_loaded_it_is_the_same(tmp_path):
    in_space = Split(2, ("DE-Hai", "NO"), ("a",), ("é",), unlabelled=("NO",))
    in_time = Split(0, ("NO",), ("NO",), ("NO",), {"NO": ("2001-01-01", "2002-01-01")})
    for split in (in_space, in_time):
        split.save(tmp_path / "splits.json")
        assert Split.load(tmp_path / "splits.json") == split
    assert (in_space.question, in_time.question) == ("unseen", "new_years")


def test_in_space_a_site_belongs_to_its_part_with_every_day():
    split = Split(0, ("b", "c"), ("a",), ("d",), unlabelled=("c",))
    site_id = np.array(["a", "b", "c", "d", "elsewhere"])
    days = {part: split.days(part, site_id, TIME) for part in PARTS}
    assert {part: mask.any(1).tolist() for part, mask in days.items()} == {
        "train": [False, True, False, False, False],  # c is unlabelled
        "validation": [True, False, False, False, False],
        "test": [False, False, False, True, False],
    }
    assert all((mask.all(1) == mask.any(1)).all() for mask in days.values())
    assert split.members("train", site_id).tolist() == [False, True, True, False, False]
    assert split.period("train", site_id, TIME).any(1).tolist() == [False, True, True, False, False]


def test_in_time_each_site_has_its_own_periods_and_the_unlabelled_are_only_tested():
    both = ("a", "b")
    periods = {"a": ("2001-12-31", "2002-01-03"), "b": ("2002-01-01", "2002-01-02")}
    site_id = np.array(["b", "a", "elsewhere"])
    split = Split(0, both, both, both, periods)
    days = {part: split.days(part, site_id, TIME).astype(int).tolist() for part in PARTS}
    assert days == {
        "train": [[1, 1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0], [0] * 7],
        "validation": [[0, 0, 1, 0, 0, 0, 0], [0, 1, 1, 1, 0, 0, 0], [0] * 7],
        "test": [[0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1, 1], [0] * 7],
    }
    sparse = Split(0, both, both, both, periods, unlabelled=("a",))
    for part in PARTS:
        hidden = [0] * 7 if part != "test" else days[part][1]
        assert sparse.days(part, site_id, TIME).astype(int).tolist() == [days[part][0], hidden, [0] * 7]
        assert sparse.period(part, site_id, TIME).astype(int).tolist() == days[part]


# --- grids ------------------------------------------------------------------------------------------------------------


def half_degree_grid():
    """Cells over 15 by 15 degrees that reach across the date line."""
    lat, lon = np.meshgrid(np.arange(-7.25, 7.5, 0.5), np.arange(172.75, 187.5, 0.5), indexing="ij")
    return lat.ravel(), (lon.ravel() + 180) % 360 - 180


def simulated(usable=None, share=0.3, seed=0):
    lat, lon = half_degree_grid()
    usable = np.ones(len(lat), bool) if usable is None else usable
    split = simulation_split(share, seed, names(len(lat)), lat, lon, usable)
    return lat, lon, [split.members(part, names(len(lat))) for part in PARTS]


@pytest.mark.parametrize("seed", range(4))
def test_one_cell_of_border_parts_training_from_validation(seed):
    lat, lon, (train, validation, test) = simulated(seed=seed)
    assert not test.any()
    assert not (train & validation).any()
    gap = np.abs(lon[:, None] - lon[validation])
    steps = np.maximum(np.abs(lat[:, None] - lat[validation]), np.minimum(gap, 360 - gap)).min(1) / 0.5
    assert steps[train].min() == 2
    np.testing.assert_array_equal(train, steps >= 2)  # only the border is lost


def test_validation_is_made_of_whole_blocks_of_five_degrees():
    lat, lon, (_, validation, _) = simulated()
    block = {(np.floor(y / 5), np.floor(x % 360 / 5)) for y, x in zip(lat[validation], lon[validation], strict=True)}
    inside = [(np.floor(y / 5), np.floor(x % 360 / 5)) in block for y, x in zip(lat, lon, strict=True)]
    np.testing.assert_array_equal(validation, inside)
    codes = grid_blocks(lat, lon)
    assert len(np.unique(codes)) == 16
    assert len(block) == round(0.3 * 16)


def test_cells_that_may_not_be_seen_are_nowhere():
    lat, _ = half_degree_grid()
    usable = lat > -1
    _, _, (train, validation, _) = simulated(usable)
    assert train.any()
    assert validation.any()
    assert not ((train | validation) & ~usable).any()


def test_no_usable_cell_is_a_user_s_error():
    with pytest.raises(UserError, match="no train site"):
        simulated(np.zeros(len(half_degree_grid()[0]), bool))


def test_the_block_of_the_date_line_is_one():
    lat, lon = np.array([0.0, 0.0, 4.9, 0.0]), np.array([180.0, -180.0, -176.0, 179.9])
    codes = grid_blocks(lat, lon)
    assert codes[0] == codes[1] == codes[2] != codes[3]


# --- rule 6 -----------------------------------------------------------------------------------------------------------


def test_pretraining_keeps_away_from_every_tested_site():
    rng = np.random.default_rng(0)
    lat, lon = rng.uniform(-2, 2, 400), rng.uniform(178, 182, 400)
    lon = (lon + 180) % 360 - 180
    test_lat, test_lon = np.array([0.0, 1.0]), np.array([179.99, -179.0])
    kept = away_from(lat, lon, test_lat, test_lon, 50.0, None)
    naive = [
        all(haversine_km(y, x, b, a) > 50.0 for b, a in zip(test_lat, test_lon, strict=True))
        for y, x in zip(lat, lon, strict=True)
    ]
    np.testing.assert_array_equal(kept, naive)
    assert 0 < kept.sum() < 400


def test_the_cell_that_holds_a_tested_site_is_left_out_however_coarse():
    lat, lon = (axis.ravel() for axis in np.meshgrid(np.arange(-89.0, 90, 2), np.arange(-178.75, 180, 2.5)))
    size = np.full(len(lat), 2.0), np.full(len(lat), 2.5)
    test_lat, test_lon = np.array([60.9, -0.1, 10.0]), np.array([24.9, 179.9, -179.95])
    kept = away_from(lat, lon, test_lat, test_lon, 50.0, size)
    for y, x in zip(test_lat, test_lon, strict=True):
        holding = (np.abs(lat - y) <= 1) & (np.minimum(np.abs(lon - x), 360 - np.abs(lon - x)) <= 1.25)
        assert holding.any() and not kept[holding].any()
    assert away_from(lat, lon, test_lat, test_lon, 50.0, None)[~kept].all()  # their centres are far away
    assert (~kept).sum() == 4  # one of them stands on an edge


def test_without_a_tested_site_every_cell_is_kept():
    nowhere = np.empty(0)
    assert away_from(np.zeros(3), np.arange(3.0), nowhere, nowhere, 50.0, None).all()


def test_border_of_a_coarse_grid_is_one_of_its_cells():
    lat, lon = (axis.ravel() for axis in np.meshgrid(np.arange(-9.5, 10), np.arange(0.5, 30), indexing="ij"))
    site_id = np.array([f"C{i}" for i in range(len(lat))])
    split = simulation_split(0.2, 0, site_id, lat, lon, np.ones(len(lat), bool))
    train, held_out = (split.members(part, site_id) for part in ("train", "validation"))
    apart = np.maximum(np.abs(lat[train][:, None] - lat[held_out]), np.abs(lon[train][:, None] - lon[held_out]))
    assert apart.min() == 2.0, "cells 1 degree away belong to nobody"
