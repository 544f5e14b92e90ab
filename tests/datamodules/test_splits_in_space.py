"""Splits by whole clusters: who stands where, and how alike the folds are."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_towers import all_folds, divisions, made_towers, names
from raciflux.config.schema import SplitConfig
from raciflux.datamodules.split_draws import draw
from raciflux.datamodules.split_kinds import DRAWS
from raciflux.datamodules.splits import PARTS
from raciflux.errors import UserError

CONFIG = SplitConfig(folds=3)
TAIL = SplitConfig(kind="temperature_tail")


def test_every_kind_of_the_schema_is_drawn():
    assert list(DRAWS) == SplitConfig.__dataclass_fields__["kind"].metadata["choices"]


# --- every kind in space ----------------------------------------------------------------------------------------------


@given(divisions())
def test_every_fold_divides_all_sites_by_whole_clusters(division):
    config, towers = division
    for split in [*all_folds(config, towers), *all_folds(replace(config, kind="temperature_tail"), towers)]:
        member = np.stack([split.members(part, towers.site_id) for part in PARTS])
        assert (member.sum(0) == 1).all()  # each site in exactly one part
        assert member.any(1).all()
        for code in np.unique(towers.cluster):
            assert (member[:, towers.cluster == code].any(1)).sum() == 1


@given(divisions())
def test_each_site_is_tested_in_exactly_one_fold(division):
    config, towers = division
    tested = [name for split in all_folds(config, towers) for name in split.test]
    assert sorted(tested) == towers.site_id.tolist()


@given(divisions(), st.floats(0.05, 0.5))
def test_the_share_of_validation_is_of_the_remaining_clusters(division, share):
    config, towers = division
    for split in all_folds(replace(config, validation_share=share), towers):
        rest = np.unique(towers.cluster[~split.members("test", towers.site_id)])
        held_out = np.unique(towers.cluster[split.members("validation", towers.site_id)])
        assert len(held_out) == max(1, round(share * len(rest)))


@pytest.mark.parametrize("kind", ["spatial", "stratified_igbp"])
def test_the_seed_alone_decides(kind):
    config, towers = replace(CONFIG, kind=kind), made_towers(np.repeat(np.arange(20), 2))
    assert all_folds(config, towers) == all_folds(config, towers)
    assert all_folds(config, towers) != all_folds(replace(config, seed=1), towers)
    other_validation = replace(config, validation_share=0.5)
    for one, other in zip(all_folds(config, towers), all_folds(other_validation, towers), strict=True):
        assert one.test == other.test  # who is tested does not depend on how many validate


@pytest.mark.parametrize(
    ("config", "clusters", "fold", "said"),
    [
        (CONFIG, 2, 0, "2 cluster.s. of sites cannot give training, validation and test"),
        (replace(CONFIG, kind="leave_site_out"), 1, 0, "add sites"),
        (TAIL, 2, 0, "add sites"),
        (replace(CONFIG, folds=6), 5, 0, "data.split.folds=6, but the sites form 5 clusters of 50 km"),
        (replace(CONFIG, kind="stratified_koppen", folds=6), 5, 0, "set data.split.folds to 5 or fewer"),
        (CONFIG, 5, 3, "data.split.fold=3, but there are folds 0 to 2"),
        (TAIL, 5, 1, "data.split.fold=1, but there are folds 0 to 0"),
        (replace(CONFIG, folds=2, validation_share=0.9), 4, 0, "fold 0 has no train site"),
    ],
)
def test_an_impossible_division_is_said_in_one_line(config, clusters, fold, said):
    with pytest.raises(UserError, match=said) as caught:
        draw(config, fold, made_towers(np.repeat(np.arange(clusters), 2)))
    assert "\n" not in str(caught.value)


# --- spatial, leave_site_out ------------------------------------------------------------------------------------------

# Twenty-four sites of nine clusters, and the part of each (Train, Validation, tested: X) as version 0.1 drew them: a
# published score stands on these folds.
CLUSTER = [6, 7, 0, 7, 4, 4, 5, 2, 8, 0, 2, 3, 5, 3, 1, 0, 0, 0, 1, 8, 1, 5, 6, 2]
DRAWN = {
    "spatial": ["XXTXXXTTTTTTTTVTTTVTVTXT", "TTXTTTXTTXTXXXVXXXVTVXTT", "TVTVTTTXXTXTTTXTTTXXXTTX"],
    "leave_site_out": [
        "TTTTXXVTTTTTVTVTTTVTVVTT",
        "TTVTTTXTVVTTXTTVVVTVTXTT",
        "TTTTTTTXVTXVTVTTTTTVTTTX",
        "XTTTTTTTVTTVTVTTTTTVTTXT",
        "TTVTTTTVTVVXTXTVVVTTTTTV",
        "TVTVTTVTXTTTVTTTTTTXTVTT",
        "VXTXTTTTVTTTTTTTTTTVTTVT",
        "TTXTTTTVVXVTTTTXXXTVTTTV",
        "TTVTTTTVTVVTTTXVVVXTXTTV",
    ],
}


@pytest.mark.parametrize("kind", DRAWN)
def test_the_folds_are_those_that_were_always_drawn(kind):
    towers = made_towers(CLUSTER)
    parts = [
        "".join("X" if name in split.test else "V" if name in split.validation else "T" for name in towers.site_id)
        for split in all_folds(replace(CONFIG, kind=kind), towers)
    ]
    assert parts == DRAWN[kind]


@given(divisions())
def test_folds_differ_by_no_more_sites_than_the_largest_cluster(division):
    config, towers = division
    sizes = [len(split.test) for split in all_folds(replace(config, kind="spatial"), towers)]
    assert max(sizes) - min(sizes) <= np.bincount(towers.cluster).max()


@given(divisions())
def test_leave_site_out_tests_one_cluster_a_fold(division):
    config, towers = division
    for split in all_folds(replace(config, kind="leave_site_out"), towers):
        assert len(set(towers.cluster[split.members("test", towers.site_id)])) == 1


# --- stratified -------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from("ABC")), min_size=3, max_size=20), st.integers(0, 99))
def test_each_fold_has_its_share_of_each_class(clusters, seed):
    """Where clusters are of one class each, folds differ in a class by no more than its largest cluster."""
    cluster = np.repeat(np.arange(len(clusters)), [size for size, _ in clusters])
    classes = np.array([clusters[code][1] for code in cluster])
    towers = made_towers(cluster, igbp=classes)
    folds = all_folds(SplitConfig(kind="stratified_igbp", folds=3, seed=seed), towers)
    for name in "ABC":
        of_class = [int((classes == name)[split.members("test", towers.site_id)].sum()) for split in folds]
        largest = max((size for size, of in clusters if of == name), default=0)
        assert max(of_class) - min(of_class) <= largest


def test_a_spatial_split_would_not_balance_these_classes():
    """The property above can fail: the same towers, dealt without a look at classes."""
    classes = np.array(["A", "B", "C"])[np.arange(30) % 3]
    towers = made_towers(np.arange(30), igbp=classes)

    def uneven(kind):
        folds = all_folds(SplitConfig(kind=kind, folds=5), towers)
        counts = [[(classes[split.members("test", towers.site_id)] == c).sum() for split in folds] for c in "ABC"]
        return max(max(of_class) - min(of_class) for of_class in counts)

    assert uneven("stratified_igbp") == 0
    assert uneven("spatial") > 1


@pytest.mark.parametrize("seed", range(6))
def test_a_cluster_counts_as_what_most_of_its_sites_are(seed):
    """Clusters 0 and 2 count as B, 1 and 3 as A: each two go to different folds, whichever site stands first."""
    cluster, igbp = np.repeat(np.arange(4), 3), np.array(list("ABBAABBBBAAA"))
    config = SplitConfig(kind="stratified_igbp", folds=2, seed=seed)
    for split in all_folds(config, made_towers(cluster, igbp=igbp)):
        tested = set(cluster[split.members("test", names(12))].tolist())
        assert len(tested & {0, 2}) == len(tested & {1, 3}) == 1


def test_igbp_and_koppen_are_each_their_own():
    towers = made_towers(np.arange(12), igbp=np.array(list("AABBAABBAABB")), koppen=np.array(list("ABABABABABAB")))
    of = {kind: all_folds(SplitConfig(kind=kind, folds=3), towers) for kind in ("stratified_igbp", "stratified_koppen")}
    assert of["stratified_igbp"] != of["stratified_koppen"]
    swapped = replace(towers, igbp=towers.koppen, koppen=towers.igbp)
    assert all_folds(SplitConfig(kind="stratified_igbp", folds=3), swapped) == of["stratified_koppen"]


def test_without_a_class_nothing_is_stratified():
    towers = made_towers(np.arange(6), koppen=np.full(6, "unknown"))
    with pytest.raises(UserError, match="kind=stratified_koppen: no site has a class koppen"):
        draw(SplitConfig(kind="stratified_koppen", folds=3), 0, towers)


# --- temperature tail -------------------------------------------------------------------------------------------------


@given(divisions())
def test_the_warmest_fifth_is_tested(division):
    _, towers = division
    (split,) = all_folds(TAIL, towers)
    codes = np.unique(towers.cluster)
    mean = {code: towers.temperature[towers.cluster == code].mean() for code in codes}
    tested = set(towers.cluster[split.members("test", towers.site_id)].tolist())
    assert min(mean[code] for code in tested) >= max(mean[code] for code in codes if code not in tested)
    largest = np.bincount(towers.cluster).max()
    assert abs(len(split.test) - 0.2 * len(towers.cluster)) <= max(largest / 2, largest - 0.2 * len(towers.cluster))


def test_two_clusters_are_left_to_train_and_to_validate():
    """Two warm clusters of one tower would be a fifth; then all others are one cluster."""
    (split,) = all_folds(TAIL, made_towers([0, 1, *[2] * 6], temperature=np.array([30.0, 29.0, *[5.0] * 6])))
    assert split.test == ("XX-S000",) and len(split.train) + len(split.validation) == 7


def test_a_site_without_temperature_is_named():
    towers = made_towers(np.arange(6), temperature=np.array([1.0, 2.0, np.nan, 4.0, 5.0, 6.0]))
    with pytest.raises(UserError, match="'XX-S002' has no air temperature"):
        draw(TAIL, 0, towers)
