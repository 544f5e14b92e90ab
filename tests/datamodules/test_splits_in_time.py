"""Splits in time: the last fifth of each site's labelled years is tested (docs/architecture.md, rule 5)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_towers import all_folds, years_of_towers
from raciflux.config.schema import SplitConfig
from raciflux.datamodules.split_draws import draw
from raciflux.datamodules.splits import PARTS
from raciflux.errors import UserError

CONFIG = SplitConfig(kind="temporal")


def test_what_is_drawn_of_records_of_many_lengths():
    full = 200
    towers = years_of_towers(
        [
            [full] * 4,
            [full] * 3,  # too short
            [full] * 12,
            [full, 0, full, full, 29, full, 0, full],  # five labelled years of eight; 29 days make none
            [0] * 4 + [full] * 8,
            [30] * 4,
        ]
    )
    split = draw(CONFIG, 0, towers)
    assert split.question == "new_years"
    assert split.periods == {
        "XX-S000": ("2003-01-01", "2004-01-01"),
        "XX-S002": ("2010-01-01", "2011-01-01"),  # a fifth of twelve is two
        "XX-S003": ("2006-01-01", "2008-01-01"),
        "XX-S004": ("2010-01-01", "2011-01-01"),  # of eight as well
        "XX-S005": ("2003-01-01", "2004-01-01"),
    }
    assert split.train == split.validation == split.test == tuple(split.periods)


@settings(max_examples=40)
@given(st.lists(st.lists(st.sampled_from([0, 10, 30, 200]), min_size=1, max_size=9), min_size=1, max_size=5))
def test_training_ends_before_validation_and_that_before_the_test(labelled_days):
    towers = years_of_towers(labelled_days)
    years = [sum(days >= 30 for days in of_site) for of_site in labelled_days]
    if max(years) < 4:
        with pytest.raises(UserError, match="no site has 4 years of 30 labelled days"):
            draw(CONFIG, 0, towers)
        return
    (split,) = all_folds(CONFIG, towers)
    days = [split.days(part, towers.site_id, towers.time) for part in PARTS]
    assert (np.sum(days, axis=0) <= 1).all()
    calendar = towers.time.astype("datetime64[Y]")
    for site, count in enumerate(years):
        if count < 4:
            assert not any(mask[site].any() for mask in days)
            continue
        last = [np.flatnonzero(mask[site])[-1] for mask in days]
        first = [np.flatnonzero(mask[site])[0] for mask in days]
        assert last[0] < first[1] <= last[1] < first[2]
        tested, of_year = np.unique(calendar[days[2][site] & towers.labelled[site]], return_counts=True)
        assert len(tested[of_year >= 30]) == max(1, round(count / 5))
        validated, of_year = np.unique(calendar[days[1][site] & towers.labelled[site]], return_counts=True)
        assert len(validated[of_year >= 30]) == 1


def test_nothing_is_shown_from_the_day_on_which_a_cluster_mate_is_tested():
    full, none = [200], [0]
    towers = years_of_towers(
        [
            full * 5 + none * 5,  # tested in 2005
            full * 10,  # 2009 and 2010
            none * 5 + full * 5,  # 2010; nothing is left to train on
            full * 10,
            full * 3,  # too short: in no part, whatever its mates
        ],
        cluster=[7, 7, 7, 8, 7],
    )
    split = draw(CONFIG, 0, towers)
    assert split.shown_until == {"XX-S001": "2005-01-01", "XX-S002": "2005-01-01"}
    train, validation, test = (split.days(part, towers.site_id, towers.time) for part in PARTS)
    year = towers.time.astype("datetime64[Y]").astype(int) + 1970
    np.testing.assert_array_equal(train[1], year < 2005)
    np.testing.assert_array_equal(validation[:, year < 2004].any(1), [False] * 5)
    np.testing.assert_array_equal(validation.any(1), [True, False, False, True, False])
    np.testing.assert_array_equal(test.any(1), [True, True, True, True, False])
    assert not (train[2] & towers.labelled[2]).any() and "XX-S002" in split.train
    period = split.period("train", towers.site_id, towers.time)
    np.testing.assert_array_equal(period[1], year < 2008)  # its drivers stay


@settings(max_examples=40)
@given(st.data(), st.lists(st.lists(st.sampled_from([0, 200]), min_size=4, max_size=9), min_size=2, max_size=6))
def test_no_day_shown_is_a_tested_day_of_the_cluster_or_later(data, labelled_days):
    cluster = [data.draw(st.integers(0, 2)) for _ in labelled_days]
    towers = years_of_towers([*labelled_days, [200] * 9], cluster=[*cluster, 3])
    split = draw(CONFIG, 0, towers)
    train, validation, test = (split.days(part, towers.site_id, towers.time) for part in PARTS)
    for code in np.unique(towers.cluster):
        own = towers.cluster == code
        since = np.logical_or.accumulate(test[own].any(0))
        assert not (train | validation)[own][:, since].any()
        if own.sum() == 1:
            assert not set(split.shown_until) & set(towers.site_id[own].tolist())


def test_there_is_one_fold():
    with pytest.raises(UserError, match=r"data.split.fold=1, but there are folds 0 to 0"):
        draw(CONFIG, 1, years_of_towers([[200] * 4]))
