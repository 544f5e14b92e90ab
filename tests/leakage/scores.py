"""Rules 4 and 5: what a score counts, and which sites and years enter it."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from made_towers import years_of_towers
from raciflux.config.schema import DataConfig, SplitConfig
from raciflux.datamodules import base, roles, split_draws, split_kinds
from raciflux.datamodules.split_draws import draw
from raciflux.datamodules.splits import Split
from raciflux.evaluation import wording
from raciflux.evaluation.scores import tables
from raciflux.evaluation.scores.tables import summary
from raciflux.workflow import predictions as predictions_module
from raciflux.workflow.predictions import Predicted, predictions

from evaluation.fabricated import fabricate_predictions
from worlds import poisoned, tiny_data

from .fluxes import learned_from
from .world import PAIR, Leak, config, demand_awake, demand_still, split_of, towers

# --- rule 4: measured days --------------------------------------------------------------------------------------------


def predicted(cube: xr.Dataset, split: Split, data_config: DataConfig) -> xr.Dataset:
    """What a run stores of a model that says 3 everywhere."""
    data = tiny_data(cube, split)
    said = Predicted(np.full((*data.test_days.shape, 1), 3.0, np.float32), None).where(data.test_days)
    return predictions(config("lstm", data=data_config), data, said, "GPP")


def counted(cube: xr.Dataset, split: Split) -> dict[str, Any]:
    """Both scores of a model, and what training and stopping read."""
    low_floor = DataConfig(pair=PAIR, split=SplitConfig(min_scored_days=30))
    scores = summary(predicted(cube, split, low_floor))["scores"]
    data = tiny_data(cube, split)
    stopping = [data.arrays.gather(index, "validation") for index in data.val_dataloader()]
    return {f"{name} score": block for name, block in scores.items()} | learned_from(cube, split) | {"stop": stopping}


def check_measured() -> None:
    """Absurd fluxes on days that were not measured well enough move the convention's score and nothing else."""
    split, cube = split_of("unseen"), towers()
    measured = (cube["GPP_qc"].to_numpy() >= 0.75) & (cube["GPP_measured"].to_numpy() >= 0.5)
    days = np.isfinite(cube["GPP"].to_numpy()) & ~measured
    before, after = counted(cube, split), counted(poisoned(cube, days, ["GPP"]), split)
    demand_awake(before, after, ["convention score"])
    after["convention score"] = before["convention score"]
    demand_still(before, after)
    read = [name for name in before if name != "training windows"]  # which are drawn before a flux is looked at
    demand_awake(before, counted(poisoned(cube, measured, ["GPP"]), split), read)


def a_little_measured_is_enough(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(roles, "MEASURED_MINIMUM", 0.0)


def quality_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(roles, "QC_MINIMUM", 0.0)


def filled_days_called_measured(patch: pytest.MonkeyPatch) -> None:
    days = base.scored_days
    patch.setattr(base, "scored_days", lambda *given: (days(*given)[1], days(*given)[1]))


def score_of_filled_days(patch: pytest.MonkeyPatch) -> None:
    """Training is honest; the table counts the convention's days under the primary score."""
    days = tables.scored_days
    patch.setattr(tables, "scored_days", lambda said, score: days(said, "convention"))


MEASURED = {
    "scores that count filled days as measured": Leak(filled_days_called_measured, "moved: measured score, scaler"),
    "the table alone counts filled days": Leak(score_of_filled_days, "moved: measured score$"),
    "a day counts with any share measured": Leak(a_little_measured_is_enough, "moved: measured score"),
    "a day counts whatever its quality": Leak(quality_ignored, "moved: measured score"),
}


def check_names() -> None:
    """Data without a quality column claim no measurement, and GPP is called partitioned beside its numbers."""
    published = fabricate_predictions(sites=4, quality="published")
    block = summary(published)
    assert set(block["scores"]) == {"published"}, "data without a quality column claim to be measured"
    assert not any("measured;" in line or "at least half was measured" in line for line in wording.notes(block))
    assert wording.target_name(published.attrs) == "GPP (partitioned)", "GPP passes for a measurement"
    assert any("partitioned" in line for line in wording.notes(block)), "GPP passes for a measurement"
    assert wording.target_name(published.attrs | {"target": "NEE"}) == "NEE"


def published_called_measured(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(wording.SCORES, "published", ("measured",))


def gpp_called_measured(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(wording, "PARTITIONED", set())


NAMES = {
    "published values called measured": Leak(published_called_measured, "claim to be measured"),
    "GPP without its mark": Leak(gpp_called_measured, "passes for a measurement"),
}

# --- rule 5: sites ----------------------------------------------------------------------------------------------------


def check_sites() -> None:
    """A site with 179 scored days moves no score, one with 180 does, and a model cannot leave one out by silence."""
    stored = predicted(towers(), split_of("unseen"), DataConfig(pair=PAIR))
    flags = stored["measured"].to_numpy() & np.isfinite(stored["observed"].to_numpy())
    assert (flags.sum(1) > 180).all()
    for site, days in enumerate((179, 180)):
        flags[site, np.flatnonzero(flags[site])[days:]] = False
    stored = stored.assign(measured=(("site", "time"), flags))

    def measured(**changes: Any) -> dict[str, Any]:
        return {"measured score": summary(stored.assign(changes))["scores"]["measured"]}

    def absurd(site: int, value: float) -> Any:
        said = stored["prediction"].to_numpy().copy()
        said[site, 5:] = value
        return ("site", "time"), said

    before = measured()
    demand_still(before, measured(prediction=absurd(0, 1e6)))
    demand_awake(before, measured(prediction=absurd(1, 1e6)))
    silent = measured(prediction=absurd(1, np.nan))["measured score"]
    assert silent["sites"] == 3 and silent["days_without_prediction"] > 0, "a model left a site out by its silence"


def any_site_enters(patch: pytest.MonkeyPatch) -> None:
    attributes = predictions_module._attributes
    patch.setattr(predictions_module, "_attributes", lambda *given: attributes(*given) | {"min_scored_days": 100})


def floor_forgotten(patch: pytest.MonkeyPatch) -> None:
    table = tables._table
    patch.setattr(tables, "_table", lambda *given: table(*given).with_columns(enters=tables.pl.col("days") > 0))


def sites_enter_by_what_was_predicted(patch: pytest.MonkeyPatch) -> None:
    table, days = tables._table, tables.pl.col("days") - tables.pl.col("days_without_prediction")
    patch.setattr(tables, "_table", lambda *given: table(*given).with_columns(enters=days >= 180))


SITES = {
    "sites with 100 days enter": Leak(any_site_enters, "moved: measured score"),
    "the table forgets the floor": Leak(floor_forgotten, "moved: measured score"),
    "sites enter by the days that were predicted": Leak(sites_enter_by_what_was_predicted, "by its silence"),
}

# --- rule 5: years ----------------------------------------------------------------------------------------------------

LABELLED = [[100] * years for years in range(3, 13)] + [[100, 0, 0, 100, 100, 5, 100, 100, 29]]


def check_years() -> None:
    """Of each site with four labelled years the last fifth is tested, the year before validates, all earlier train."""
    known = years_of_towers(LABELLED)
    split = draw(SplitConfig(kind="temporal"), 0, known)
    parts = {part: split.days(part, known.site_id, known.time) for part in ("train", "validation", "test")}
    year = known.time.astype("datetime64[Y]").astype(int) + 1970
    for site, of_years in enumerate(LABELLED):
        own = [2001 + i for i, days in enumerate(of_years) if days >= 30]
        if len(own) < 4:
            assert not any(days[site].any() for days in parts.values()), f"{len(own)} years are split"
            continue
        tested = max(1, round(0.2 * len(own)))
        test, validation = own[-tested], own[-tested - 1]
        expected = {
            "train": year < validation,
            "validation": (year >= validation) & (year < test),
            "test": year >= test,
        }
        for part, days in expected.items():
            assert (parts[part][site] == days).all(), f"{len(own)} years: other days in {part}"


def overlapping_years(patch: pytest.MonkeyPatch) -> None:
    """Validation goes on into the first days of the test."""
    period = Split.period

    def overlapping(self, part, site_id, time):
        mask = period(self, part, site_id, time)
        return mask | np.roll(mask, 5, axis=1) if part == "validation" else mask

    patch.setattr(Split, "period", overlapping)


def overlapping_years_unguarded(patch: pytest.MonkeyPatch) -> None:
    overlapping_years(patch)
    patch.setattr(split_draws, "check_split", lambda *given: None)


def three_years_are_enough(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(split_kinds, "MINIMUM_YEARS", 3)


def first_years_tested(patch: pytest.MonkeyPatch) -> None:
    """Training reads the years after those that are tested."""
    period = Split.period
    swapped = {"train": "test", "test": "train", "validation": "validation"}
    patch.setattr(Split, "period", lambda self, part, *given: period(self, swapped[part], *given))


YEARS = {
    "validation that overlaps the test": Leak(overlapping_years, "validation reaches .* and test begins"),
    "the same, the guard asleep": Leak(overlapping_years_unguarded, "other days in validation"),
    "three years are enough": Leak(three_years_are_enough, "3 years are split"),
    "the past is tested by the future": Leak(first_years_tested, "train reaches .* and validation begins"),
}

# --- rule 2, in time: cluster mates -----------------------------------------------------------------------------------


def check_mates() -> None:
    """From the day on which a tower is tested, no tower of its cluster trains or validates; before, all do."""
    known = years_of_towers(LABELLED, cluster=np.arange(len(LABELLED)) % 3)
    split = draw(SplitConfig(kind="temporal"), 0, known)
    train, validation, test = (split.days(part, known.site_id, known.time) for part in ("train", "validation", "test"))
    for code in np.unique(known.cluster):
        own = known.cluster == code
        since = np.logical_or.accumulate(test[own].any(0))
        assert not train[own][:, since].any(), "a mate of a tested tower trains"
        assert not validation[own][:, since].any(), "a mate of a tested tower validates"
        assert train[own][:, ~since].any(), "nobody trains: the check is blind"


def mates_shown(patch: pytest.MonkeyPatch) -> None:
    """Each tower goes by its own years, as if the one next door were not tested in them."""
    patch.setattr(split_kinds, "_until_mates_are_tested", lambda *given: {})


def mates_shown_unguarded(patch: pytest.MonkeyPatch) -> None:
    mates_shown(patch)
    patch.setattr(split_draws, "check_split", lambda *given: None)


def mates_validate(patch: pytest.MonkeyPatch) -> None:
    """Training stops in time, validation does not."""
    days = Split.days

    def forgetful(self, part, *given):
        return self.period(part, *given) if part == "validation" else days(self, part, *given)

    patch.setattr(Split, "days", forgetful)
    patch.setattr(split_draws, "check_split", lambda *given: None)


MATES = {
    "a mate's tested years are shown": Leak(mates_shown, "shows its fluxes until .* and the test of"),
    "the same, the guard asleep": Leak(mates_shown_unguarded, "a mate of a tested tower trains"),
    "the date is kept by training alone": Leak(mates_validate, "a mate of a tested tower validates"),
}
