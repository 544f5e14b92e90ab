"""Sparse labels: a share of the training and validation sites shows its fluxes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_towers import all_folds, divisions, made_towers, years_of_towers
from raciflux.config.schema import SplitConfig
from raciflux.datamodules.split_draws import draw, show_share
from raciflux.datamodules.splits import Split
from raciflux.errors import UserError


def shown(split, part):
    return set(getattr(split, part)) - set(split.unlabelled)


@given(divisions(), st.lists(st.floats(0.001, 1.0), min_size=2, max_size=2))
def test_a_smaller_share_is_part_of_a_larger_one_and_nothing_else_changes(division, shares):
    config, towers = division
    whole = all_folds(config, towers)
    few, many = (all_folds(replace(config, label_share=share), towers) for share in sorted(shares))
    for full, less, more in zip(whole, few, many, strict=True):
        assert (less.train, less.validation, less.test) == (full.train, full.validation, full.test)
        for part, fewest in (("train", 4), ("validation", 1)):
            assert shown(less, part) <= shown(more, part)
            sites = len(getattr(full, part))
            assert len(shown(less, part)) == min(sites, max(fewest, round(min(shares) * sites)))
        assert not set(less.unlabelled) & set(less.test)


def test_an_unlabelled_site_has_no_training_and_no_validation_day():
    towers = made_towers(np.arange(40))
    split = draw(SplitConfig(label_share=0.1), 1, towers)
    for part in ("train", "validation"):
        days = split.days(part, towers.site_id, towers.time)
        assert set(towers.site_id[days.any(1)]) == shown(split, part)
    assert split.days("test", towers.site_id, towers.time).any(1).sum() == len(split.test) == 8


def test_another_seed_shows_other_sites():
    split = draw(SplitConfig(), 0, made_towers(np.arange(40)))
    one, other = (show_share(SplitConfig(label_share=0.2, seed=seed), split) for seed in (0, 1))
    assert one.unlabelled != other.unlabelled


def test_in_time_sites_are_drawn_once_and_all_are_tested():
    towers = years_of_towers([[100] * 5] * 20)
    split = draw(SplitConfig(kind="temporal", label_share=0.25), 0, towers)
    days = {part: split.days(part, towers.site_id, towers.time) for part in ("train", "validation", "test")}
    assert [int(mask.any(1).sum()) for mask in days.values()] == [5, 5, 20]
    np.testing.assert_array_equal(days["train"].any(1), days["validation"].any(1))


def test_a_file_that_hides_labels_takes_no_share():
    split = Split(0, ("a", "b"), ("c",), ("d",), unlabelled=("b",))
    with pytest.raises(UserError, match=r"label_share=0.5, but mine.json says itself"):
        show_share(SplitConfig(label_share=0.5, file="mine.json"), split)
    assert show_share(SplitConfig(), split) == split
