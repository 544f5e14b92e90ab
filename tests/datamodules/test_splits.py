from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from raciflux.config.schema import SplitConfig
from raciflux.datamodules.splits import Split, away_from, fold_count, grid_blocks, simulation_split, tower_split
from raciflux.errors import UserError
from raciflux.geography import haversine_km

CONFIG = SplitConfig(folds=3)
PARTS = ("train", "validation", "test")


def names(sites):
    return np.array([f"XX-S{i:03d}" for i in range(sites)])


def all_folds(config, cluster):
    return [
        tower_split(config, fold, names(len(cluster)), cluster) for fold in range(fold_count(config, np.array(cluster)))
    ]


@st.composite
def divisions(draw):
    """Clusters of sites in any order and of any size, and folds that they can fill."""
    count = draw(st.integers(3, 9))
    extra = draw(st.lists(st.integers(0, count - 1), max_size=25))
    cluster = np.array(draw(st.permutations([*range(count), *extra])))
    kind = draw(st.sampled_from(["spatial", "leave_site_out"]))
    return SplitConfig(kind=kind, folds=draw(st.integers(3, count)), seed=draw(st.integers(0, 99))), cluster


# --- towers -----------------------------------------------------------------------------------------------------------


@given(divisions())
def test_every_fold_divides_all_sites_by_whole_clusters(division):
    config, cluster = division
    site_id = names(len(cluster))
    for split in all_folds(config, cluster):
        member = np.stack([split.members(part, site_id) for part in PARTS])
        assert (member.sum(0) == 1).all()  # each site in exactly one part
        assert member.any(1).all()
        for code in np.unique(cluster):
            assert (member[:, cluster == code].any(1)).sum() == 1


@given(divisions())
def test_each_site_is_tested_in_exactly_one_fold(division):
    config, cluster = division
    tested = [name for split in all_folds(config, cluster) for name in split.test]
    assert sorted(tested) == names(len(cluster)).tolist()


@given(divisions())
def test_folds_differ_by_no_more_sites_than_the_largest_cluster(division):
    config, cluster = division
    sizes = [len(split.test) for split in all_folds(config, cluster)]
    assert max(sizes) - min(sizes) <= np.bincount(cluster).max()


@given(divisions())
def test_leave_site_out_tests_one_cluster_a_fold(division):
    config, cluster = division
    for split in all_folds(replace(config, kind="leave_site_out"), cluster):
        assert len(set(cluster[split.members("test", names(len(cluster)))])) == 1


@given(divisions(), st.floats(0.05, 0.5))
def test_the_share_of_validation_is_of_the_remaining_clusters(division, share):
    config, cluster = division
    config = replace(config, validation_share=share)
    for split in all_folds(config, cluster):
        site_id = names(len(cluster))
        rest = np.unique(cluster[~split.members("test", site_id)])
        held_out = np.unique(cluster[split.members("validation", site_id)])
        assert len(held_out) == max(1, round(share * len(rest)))


def test_the_seed_alone_decides():
    cluster = np.repeat(np.arange(20), 2)
    assert all_folds(CONFIG, cluster) == all_folds(CONFIG, cluster)
    assert all_folds(CONFIG, cluster) != all_folds(replace(CONFIG, seed=1), cluster)
    other_validation = replace(CONFIG, validation_share=0.5)
    for one, other in zip(all_folds(CONFIG, cluster), all_folds(other_validation, cluster), strict=True):
        assert one.test == other.test  # who is tested does not depend on how many validate


@pytest.mark.parametrize(
    ("config", "clusters", "fold", "said"),
    [
        (CONFIG, 2, 0, "2 cluster.s. of sites cannot give training, validation and test"),
        (replace(CONFIG, kind="leave_site_out"), 1, 0, "add sites"),
        (replace(CONFIG, folds=6), 5, 0, "data.split.folds=6, but the sites form 5 clusters of 50 km"),
        (CONFIG, 5, 3, "data.split.fold=3, but there are folds 0 to 2"),
        (replace(CONFIG, folds=2, validation_share=0.9), 4, 0, "fold 0 has no train site"),
    ],
)
def test_an_impossible_division_is_said_in_one_line(config, clusters, fold, said):
    with pytest.raises(UserError, match=said) as caught:
        tower_split(config, fold, names(2 * clusters), np.repeat(np.arange(clusters), 2))
    assert "\n" not in str(caught.value)


def test_saved_and_loaded_it_is_the_same(tmp_path):
    split = Split(2, ("DE-Hai", "NO"), ("a",), ("é",))
    split.save(tmp_path / "splits.json")
    assert Split.load(tmp_path / "splits.json") == split


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
    kept = away_from(lat, lon, test_lat, test_lon, 50.0)
    naive = [
        all(haversine_km(y, x, b, a) > 50.0 for b, a in zip(test_lat, test_lon, strict=True))
        for y, x in zip(lat, lon, strict=True)
    ]
    np.testing.assert_array_equal(kept, naive)
    assert 0 < kept.sum() < 400


def test_without_a_tested_site_every_cell_is_kept():
    nowhere = np.empty(0)
    assert away_from(np.zeros(3), np.arange(3.0), nowhere, nowhere, 50.0).all()
