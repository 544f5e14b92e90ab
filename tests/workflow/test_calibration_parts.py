"""Who calibrates: whole training clusters, never one that stops training or is tested."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from raciflux.datamodules.splits import Split, grid_blocks
from raciflux.errors import UserError
from raciflux.workflow.calibration_parts import calibration_parts, check_part


def names(sites):
    return np.array([f"XX-S{i:03d}" for i in range(sites)])


@st.composite
def outer_splits(draw):
    """A split of clusters of any size in any order, some of whose training and validation sites hide their fluxes."""
    count = draw(st.integers(5, 12))
    extra = draw(st.lists(st.integers(0, count - 1), max_size=25))
    cluster = np.array(draw(st.permutations([*range(count), *extra])), np.int64)
    site_id = names(len(cluster))
    split = Split.from_masks(
        draw(st.integers(0, 4)), site_id, train=cluster >= 2, validation=cluster == 0, test=cluster == 1
    )
    hidden = draw(st.lists(st.sampled_from([*split.train, *split.validation]), max_size=6, unique=True))
    return replace(split, unlabelled=tuple(hidden)), site_id, cluster


def labelled_clusters(split, site_id, cluster):
    shown = split.members("train", site_id) & ~np.isin(site_id, split.unlabelled)
    return np.unique(cluster[shown])


@given(outer_splits(), st.integers(2, 4), st.integers(0, 99))
def test_every_labelled_training_site_is_calibrated_on_once_and_by_whole_clusters(drawn, parts, seed):
    split, site_id, cluster = drawn
    assume(len(labelled_clusters(split, site_id, cluster)) >= parts)
    made = calibration_parts(split, site_id, cluster, parts, seed)
    tested = [name for part in made for name in part.test]
    assert len(made) == parts
    assert sorted(tested) == sorted(set(split.train) - set(split.unlabelled))
    for part in made:
        train, test = (cluster[part.members(name, site_id)] for name in ("train", "test"))
        assert len(train) > 0
        assert len(test) > 0
        assert not set(train) & set(test)


@given(outer_splits(), st.integers(2, 4), st.integers(0, 99))
def test_stopping_and_tested_clusters_never_calibrate(drawn, parts, seed):
    split, site_id, cluster = drawn
    assume(len(labelled_clusters(split, site_id, cluster)) >= parts)
    for part in calibration_parts(split, site_id, cluster, parts, seed):
        assert part.validation == split.validation
        assert part.fold == split.fold
        assert set(part.train) | set(part.test) <= set(split.train)
        assert set(part.unlabelled) == set(split.unlabelled) & {*part.train, *part.validation}
        assert not set(part.test) & set(split.unlabelled)


@given(outer_splits(), st.integers(2, 4))
def test_parts_differ_by_no_more_sites_than_the_largest_cluster(drawn, parts):
    split, site_id, cluster = drawn
    assume(len(labelled_clusters(split, site_id, cluster)) >= parts)
    sizes = [len(part.test) for part in calibration_parts(split, site_id, cluster, parts, seed=0)]
    assert max(sizes) - min(sizes) <= np.bincount(cluster).max()


def test_no_cell_is_trained_on_that_touches_a_calibrating_one():
    lat, lon = (each.ravel() for each in np.meshgrid(np.arange(0.5, 30, 1.0), np.arange(0.5, 40, 1.0)))
    cluster, site_id = grid_blocks(lat, lon), names(len(lat))
    tested, validating = np.isin(cluster, cluster[:1]), np.isin(cluster, cluster[-1:])
    split = Split.from_masks(0, site_id, train=~(tested | validating), validation=validating, test=tested)
    for part in calibration_parts(split, site_id, cluster, 3, 0, (lat, lon)):
        train, test = (part.members(name, site_id) for name in ("train", "test"))
        gap = np.maximum(np.abs(lat[train][:, None] - lat[test]), np.abs(lon[train][:, None] - lon[test]))
        assert gap.min() > 1.5 and train.sum() > 100
        border = replace(part, train=tuple(site_id[~(test | tested | validating)]))
        with pytest.raises(ValueError, match="touches a calibrating one"):
            check_part(border, split, site_id, cluster, (lat, lon))
    with pytest.raises(UserError, match="touch the blocks of one part"):
        few = (lon < 10) & (lat < 5) & ~tested
        small = Split.from_masks(0, site_id, train=few, validation=validating, test=tested)
        calibration_parts(small, site_id, np.arange(len(site_id)), 2, 0, (lat, lon))


def test_parts_are_seeded():
    cluster = np.arange(30)
    site_id = names(30)
    split = Split.from_masks(0, site_id, train=cluster > 5, validation=cluster < 3, test=(cluster >= 3) & (cluster < 6))
    assert calibration_parts(split, site_id, cluster, 5, 7) == calibration_parts(split, site_id, cluster, 5, 7)
    assert calibration_parts(split, site_id, cluster, 5, 7) != calibration_parts(split, site_id, cluster, 5, 8)


# --- what is refused --------------------------------------------------------------------------------------------------

SITES, CLUSTER = names(8), np.array([0, 0, 1, 1, 2, 2, 3, 4])
OUTER = Split(
    1, train=tuple(SITES[2:7]), validation=tuple(SITES[:2]), test=(str(SITES[7]),), unlabelled=(str(SITES[6]),)
)
INNER = Split(1, train=tuple(SITES[4:7]), validation=OUTER.validation, test=tuple(SITES[2:4]), unlabelled=(SITES[6],))


def test_a_clean_part_passes():
    check_part(INNER, OUTER, SITES, CLUSTER)


@pytest.mark.parametrize(
    ("leaky", "fault"),
    [
        ({"test": (*INNER.test, OUTER.test[0])}, "outer test or validation is calibrated on"),
        ({"test": (*INNER.test, OUTER.validation[0])}, "outer test or validation is calibrated on"),
        ({"train": (*INNER.train, OUTER.test[0])}, "outer test or validation is trained on"),
        ({"train": (*INNER.train, OUTER.validation[0])}, "outer test or validation is trained on"),
        ({"train": (*INNER.train, INNER.test[0])}, "both trained and calibrated on"),
        ({"train": (*INNER.train, INNER.test[0]), "test": INNER.test[1:]}, "both trained and calibrated on"),
        ({"train": (*INNER.train, "XX-NEW")}, "not of the outer training"),
        ({"validation": INNER.test, "test": INNER.train[:2], "train": INNER.train[2:]}, "stopping sites differ"),
        ({"validation": INNER.validation[:1]}, "stopping sites differ"),
        ({"test": (*INNER.test, SITES[6]), "train": INNER.train[:2]}, "hidden fluxes are calibrated on"),
        ({"unlabelled": ()}, "hidden fluxes are shown"),
    ],
)
def test_a_leaky_part_is_caught(leaky, fault):
    with pytest.raises(ValueError, match=fault):
        check_part(replace(INNER, **leaky), OUTER, SITES, CLUSTER)


def test_fewer_clusters_than_parts_are_refused():
    with pytest.raises(UserError, match=r"calibration\.parts=3, .* fold 1 form 2 clusters; set .* to 2 or fewer"):
        calibration_parts(OUTER, SITES, CLUSTER, parts=3, seed=0)


def test_a_split_in_time_is_refused():
    split = replace(OUTER, periods={str(SITES[2]): ("2010-01-01", "2011-01-01")})
    with pytest.raises(UserError, match="needs a split over sites"):
        calibration_parts(split, SITES, CLUSTER, parts=2, seed=0)
