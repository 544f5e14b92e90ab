"""Leaky splits, each breaking one rule, are refused by the check that every split passes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_towers import divisions, made_towers, years_of_towers
from raciflux.config.schema import SplitConfig
from raciflux.datamodules import split_kinds
from raciflux.datamodules.split_check import check_split
from raciflux.datamodules.split_draws import draw
from raciflux.datamodules.split_kinds import DRAWS
from raciflux.datamodules.splits import Split
from raciflux.errors import UserError

TOWERS = made_towers(np.repeat(np.arange(12), 2))
IN_TIME = years_of_towers([[100] * 6] * 5)
TEMPORAL = SplitConfig(kind="temporal")


@given(divisions(), st.integers(0, 99))
def test_a_draw_that_deals_sites_instead_of_clusters_is_caught(division, seed):
    """The leaky rule: clusters as if each site were one, so that neighbours part. Caught exactly where it leaks."""
    config, towers = division
    blind = replace(towers, cluster=np.arange(len(towers.cluster)))
    split = DRAWS[config.kind].draw(replace(config, seed=seed), 0, blind)
    part = np.select([split.members(name, towers.site_id) for name in ("train", "validation")], [0, 1], 2)
    cut = any(len(set(part[towers.cluster == code])) > 1 for code in towers.cluster)
    if cut:
        with pytest.raises(UserError, match="cuts a cluster"):
            check_split(split, towers)
    else:
        check_split(split, towers)


def test_a_leaky_kind_does_not_get_past_draw(monkeypatch):
    def leaky(config, fold, towers):
        test = np.arange(len(towers.site_id)) % 2 == 0  # one of each pair of neighbours
        validation = np.arange(len(towers.site_id)) == 1
        return Split.from_masks(fold, towers.site_id, train=~test & ~validation, validation=validation, test=test)

    monkeypatch.setitem(DRAWS, "spatial", replace(DRAWS["spatial"], draw=leaky))
    with pytest.raises(UserError, match=r"fold 0 cuts a cluster .*: XX-S003 is in train and XX-S002 in test"):
        draw(SplitConfig(), 0, TOWERS)


def test_a_year_that_validates_and_is_tested_is_caught(monkeypatch):
    class Overlapping(Split):
        """A temporal rule whose validation goes on into the first test year."""

        def period(self, part, site_id, time):
            mask = super().period(part, site_id, time)
            return mask | np.roll(mask, 1, axis=1) if part == "validation" else mask

    whole = draw(TEMPORAL, 0, IN_TIME)
    leaky = Overlapping(0, whole.train, whole.validation, whole.test, whole.periods)
    with pytest.raises(UserError, match="at XX-S000 validation reaches 2006-01-01 and test begins 2006-01-01"):
        check_split(leaky, IN_TIME)
    monkeypatch.setitem(DRAWS, "temporal", replace(DRAWS["temporal"], draw=lambda *_: leaky))
    with pytest.raises(UserError, match="validation reaches"):
        draw(TEMPORAL, 0, IN_TIME)


def test_a_test_that_begins_before_training_ends_is_caught():
    whole = draw(TEMPORAL, 0, IN_TIME)
    periods = {**whole.periods, "XX-S003": ("2006-01-01", "2004-01-01")}
    with pytest.raises(UserError, match="at XX-S003 train reaches 2005-12-31 and test begins 2004-01-01"):
        check_split(replace(whole, periods=periods), IN_TIME)


MATES = years_of_towers([[100] * 6, [100] * 6, [100] * 9], cluster=[0, 1, 0])


def test_a_cluster_mate_shown_on_tested_days_is_caught(monkeypatch):
    monkeypatch.setattr(split_kinds, "_until_mates_are_tested", lambda *given: {})
    with pytest.raises(
        UserError, match=r"XX-S002 shows its fluxes until 2007-12-31, and the test of XX-S000.* begins 2006-01-01"
    ):
        draw(TEMPORAL, 0, MATES)
    draw(TEMPORAL, 0, replace(MATES, cluster=np.arange(3)))


def test_a_mate_shown_a_day_too_long_is_caught():
    whole = draw(TEMPORAL, 0, MATES)
    assert whole.shown_until == {"XX-S002": "2006-01-01"}
    check_split(replace(whole, shown_until={"XX-S002": "2005-06-01"}), MATES)
    with pytest.raises(UserError, match=r"until 2006-01-01, .* give XX-S002 shown_until 2006-01-01 or earlier"):
        check_split(replace(whole, shown_until={"XX-S002": "2006-01-02"}), MATES)
    with pytest.raises(UserError, match="'XX-S009' is in shown_until and not in periods"):
        check_split(replace(whole, shown_until={"XX-S002": "2006-01-01", "XX-S009": "2006-01-01"}), MATES)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"test": ("XX-S000", "XX-S004")}, "XX-S000 stands in both train and test; keep it in one"),
        (
            {"train": ("XX-S000",), "validation": ("XX-S001",)},
            "cuts a cluster .* XX-S000 is in train and XX-S001",
        ),
        ({"test": ("XX-S002", "XX-S005")}, "XX-S002 stands in both validation and test"),
        ({"test": ()}, "has no test site"),
        ({"train": ("elsewhere",)}, "has no train site among the sites of this data"),
        ({"unlabelled": ("XX-S004",)}, "'XX-S004' is called unlabelled and is in neither"),
        ({"unlabelled": ("XX-S002", "XX-S003")}, "no labelled day in validation"),
        ({"periods": {"XX-S000": ("2001-01-01", "2002-01-01")}}, "is a split in time"),
    ],
)
def test_a_faulty_split_is_refused_in_one_line(change, said):
    good = Split(0, ("XX-S000", "XX-S001"), ("XX-S002", "XX-S003"), ("XX-S004", "XX-S005"))
    check_split(good, TOWERS)
    with pytest.raises(UserError, match=said) as caught:
        check_split(replace(good, **change), TOWERS, "mine.json")
    assert str(caught.value).startswith("mine.json: fold 0") and "\n" not in str(caught.value)


def test_a_part_without_a_labelled_day_is_refused():
    labelled = np.ones((24, 3), bool)
    labelled[2:4] = False
    split = Split(0, ("XX-S000", "XX-S001"), ("XX-S002", "XX-S003"), ("XX-S004",))
    with pytest.raises(UserError, match="no labelled day in validation"):
        check_split(split, replace(TOWERS, labelled=labelled))


def test_a_year_too_few_days_long_would_be_drawn_if_the_rule_were_dropped(monkeypatch):
    """The floor of labelled days is what keeps a year of one day from being a test."""
    towers = years_of_towers([[100, 100, 100, 100, 1], [100] * 5])
    assert draw(TEMPORAL, 0, towers).periods["XX-S000"] == ("2003-01-01", "2004-01-01")
    monkeypatch.setattr(split_kinds, "LABELLED_YEAR_DAYS", 1)
    assert draw(TEMPORAL, 0, towers).periods["XX-S000"] == ("2004-01-01", "2005-01-01")
