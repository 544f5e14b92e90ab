"""Trees: their features against naive loops, and what may and may not reach them."""

from dataclasses import replace

import lightgbm
import numpy as np
import pytest
from fabricated_view import DAYS, KM, SITES, TRAIN, fabricated_view
from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.config.models import LightGbmConfig, RandomForestConfig
from raciflux.contracts import TrainingView
from raciflux.errors import UserError
from raciflux.modules.baselines.boosted_trees import BoostedTrees
from raciflux.modules.baselines.random_forest import RandomForest
from raciflux.modules.baselines.tree_features import (
    LAGS,
    SPANS,
    Several,
    SimulatedFlux,
    feature_names,
    features_on,
    of_level,
    site_features,
)
from raciflux.modules.baselines.trees import thinned

BOOSTED = LightGbmConfig(rounds=40, min_leaf=5, patience=5)
FOREST = RandomForestConfig(trees=8, leaves=16, min_leaf=5)


@pytest.fixture(scope="module")
def view() -> TrainingView:
    return fabricated_view()


def naive_features(view: TrainingView, site: int, day: int) -> dict[str, float]:
    """Read one day's features off the definition."""

    def driver(name: str, t: int) -> float:
        j = view.layout.fast.index(name)
        return float(view.fast[site, t, j]) if t >= 0 and view.fast_mask[site, t, j] else np.nan

    read = {}
    for name in view.layout.fast:
        read[name] = driver(name, day)
        for lag in LAGS:
            read[f"{name}_lag{lag}"] = driver(name, day - lag)
        for span in SPANS:
            values = [driver(name, t) for t in range(day - span + 1, day + 1)]
            known = [v for v in values if not np.isnan(v)]
            read[f"{name}_mean{span}"] = sum(known) / len(known) if len(known) >= span / 2 else np.nan
    for j, name in enumerate(view.layout.static):
        read[name] = float(view.static[site, j]) if view.static_mask[site, j] else np.nan
    return read | {name: float(view.classes[site, j]) for j, name in enumerate(view.layout.classes)}


def test_features_are_what_a_loop_reads_off_the_record(view):
    names = feature_names(view.layout)
    assert len(names) == len(set(names))
    for site in (0, 3, 15):
        built = site_features(view, site)
        assert (built.shape, built.dtype) == ((DAYS, len(names)), np.float32)
        for day in (0, 1, 6, 29, 181, 182, 300, 419, DAYS - 1):
            expected = naive_features(view, site, day)
            np.testing.assert_allclose(built[day], [expected[name] for name in names], rtol=0, atol=1e-5)


def test_what_the_simulation_says_stands_beside_the_drivers_with_its_mean_over_a_year(view):
    said = np.random.default_rng(0).normal(size=view.target.shape).astype(np.float32)
    said[3, 200:420] = np.nan
    told = SimulatedFlux(said, view.layout.targets)
    columns = told.of_site(3)
    assert told.names == ("GPP_simulated", "NEE_simulated", "GPP_simulated_year", "NEE_simulated_year")
    np.testing.assert_array_equal(columns[:, :2], said[3])
    for day in (181, 182, 500, DAYS - 1):
        year = said[3, max(0, day - 364) : day + 1]
        known = np.isfinite(year[:, 0]).sum()
        expected = np.nanmean(year, axis=0) if known >= 182.5 else [np.nan, np.nan]
        np.testing.assert_allclose(columns[day, 2:], expected, rtol=0, atol=1e-5)
    bare = site_features(view, 3)
    both = site_features(view, 3, Several(told, told))
    assert both.shape[1] == bare.shape[1] + 8
    trees = BoostedTrees.fit(BOOSTED, replace(view, simulated=said), 50.0, 0)
    assert trees.boosters["GPP"].feature_name() == feature_names(view.layout, told)
    with pytest.raises(UserError, match="other inputs"):
        trees.predict(view, same_cube=True)


@given(st.integers(0, DAYS - 2), st.integers(0, SITES - 1))
@settings(max_examples=20, deadline=None)
def test_features_read_nothing_of_later_days(day, site):
    view = fabricated_view()
    later = view.fast.copy(), view.fast_mask.copy()
    later[0][:, day + 1 :], later[1][:, day + 1 :] = 1e6, True
    bent = site_features(replace(view, fast=later[0], fast_mask=later[1]), site)
    built = site_features(view, site)
    np.testing.assert_array_equal(bent[: day + 1], built[: day + 1])
    assert (bent[day + 1] != built[day + 1]).any()


def test_what_stands_behind_a_mask_plays_no_part(view):
    hidden = replace(
        view,
        fast=np.where(view.fast_mask, view.fast, 99).astype(np.float32),
        static=np.where(view.static_mask, view.static, 99).astype(np.float32),
    )
    for site in range(SITES):
        np.testing.assert_array_equal(site_features(hidden, site), site_features(view, site))


def test_a_record_shorter_than_the_spans_has_features(view):
    brief = replace(view, fast=view.fast[:, :5], fast_mask=view.fast_mask[:, :5])
    names = feature_names(view.layout)
    built = site_features(brief, 0)
    np.testing.assert_array_equal(built[:, names.index("TA_lag1")], site_features(view, 0)[:5, names.index("TA_lag1")])
    assert np.isnan(built[:, names.index("TA_lag30")]).all()


def test_rows_come_in_the_order_of_the_mask(view):
    wanted = np.random.default_rng(0).random((SITES, DAYS)) < 0.05
    wanted[4] = False
    every = np.stack([site_features(view, site) for site in range(SITES)])
    np.testing.assert_array_equal(features_on(view, wanted), every[wanted])


@pytest.mark.parametrize(("model", "config"), [(BoostedTrees, BOOSTED), (RandomForest, FOREST)])
def test_only_wanted_days_are_answered_and_as_always(view, model, config):
    fitted = model.fit(config, view, KM, 0)
    wanted = np.random.default_rng(1).random((SITES, DAYS)) < 0.1
    wanted[2] = False
    some, every = fitted.predict(view, True, wanted), fitted.predict(view, True)
    np.testing.assert_array_equal(some[wanted], every[wanted])
    assert np.isnan(some[~wanted]).all()


def test_of_an_unknown_level_trees_are_told_nothing(view):
    told = Several(SimulatedFlux(np.zeros((SITES, DAYS, 1), np.float32), view.layout.targets))
    names = [
        *feature_names(view.layout, told),
        "GPP_of_functional_slow_neighbours",
        "GPP_of_geographic_fast_neighbours",
    ]
    columns = {
        level: [name for name, held in zip(names, of_level(level, view.layout, names), strict=True) if held]
        for level in ("statics", "classes", "months", "years", "slow neighbours", "fast neighbours", "")
    }
    assert columns["statics"] == list(view.layout.static) and columns["classes"] == list(view.layout.classes)
    means = {days: [f"{name}_mean{days}" for name in view.layout.fast] for days in (30, 90, 365)}
    assert columns["months"] == [*means[30], *means[90]] and columns["years"] == means[365]
    assert columns["slow neighbours"] == names[-2:-1] and columns["fast neighbours"] == names[-1:]
    assert columns[""] == []

    trees = BoostedTrees.fit(BOOSTED, view, KM, 0)
    unknown = replace(view, static_mask=np.zeros_like(view.static_mask))
    without = trees.predict(view, True, without="statics")
    np.testing.assert_array_equal(without, trees.predict(unknown, True))
    assert (without != trees.predict(view, True)).any()


def test_of_many_days_about_so_many_are_drawn_the_same_from_one_seed(view):
    days = view.visible.known[..., 0]
    assert thinned(days, int(days.sum()), 0) is days, "nothing is drawn where there are no more"
    most = days.sum() // 4
    kept = thinned(days, most, 0)
    assert not (kept & ~days).any() and abs(kept.sum() - most) < 4 * np.sqrt(most)
    assert kept[days.any(1)].any(1).all(), "every site keeps some"
    np.testing.assert_array_equal(kept, thinned(days, most, 0))
    assert (kept != thinned(days, most, 1)).any()


@pytest.mark.parametrize(("model", "config"), [(BoostedTrees, BOOSTED), (RandomForest, FOREST)])
def test_no_more_days_than_asked_for_reach_the_library(view, model, config, monkeypatch):
    handed = []

    class Told(lightgbm.Dataset):
        def __init__(self, features, target, **rest):
            handed.append((len(features), len(target)))
            super().__init__(features, target, **rest)

    monkeypatch.setattr(lightgbm, "Dataset", Told)
    model.fit(replace(config, days=100), view, KM, 0)
    many = [int(known.sum()) for known in (view.visible.known[..., 0], view.stopping[..., 0])]
    assert min(many) > 400, "the test's own world is too small for it"
    assert all(rows == targets < 200 for rows, targets in handed) and len(handed) >= 1


def structure(model: BoostedTrees) -> dict[str, list[str]]:
    """Each booster's trees as text."""
    texts = {name: booster.model_to_string() for name, booster in model.boosters.items()}
    return {name: text.split("end of trees")[0].split("Tree=")[1:] for name, text in texts.items()}


def test_validation_decides_how_many_trees_and_nothing_else(view):
    turned = replace(view, stopping_target=np.where(view.stopping, -view.stopping_target, 0).astype(np.float32))
    one, two = (structure(BoostedTrees.fit(BOOSTED, v, KM, 0)) for v in (view, turned))
    for name in one:
        fewer = min(len(one[name]), len(two[name]))
        assert 0 < fewer < max(len(one[name]), len(two[name]))
        assert one[name][:fewer] == two[name][:fewer]


def test_a_booster_stops_where_validation_sites_alike_err_least(view):
    """Against every number of trees, by the plain definition; pooled days, ruled by the longer record, say another."""
    uneven = view.stopping.copy()
    uneven[TRAIN, 60:] = False  # few days, and a site that is half an answer only
    half = np.where(np.arange(SITES)[:, None, None] == TRAIN, 0.5, 1.0) * view.stopping_target * uneven
    view = replace(view, stopping=uneven, stopping_target=half.astype(np.float32))
    patient = replace(BOOSTED, patience=BOOSTED.rounds, learning_rate=0.1)
    model, full = (BoostedTrees.fit(patient, v, KM, 0) for v in (view, turned_off(view)))
    for target, name in enumerate(view.layout.targets):
        assert full.boosters[name].num_trees() == BOOSTED.rounds
        alike, pooled = [], []
        for trees in range(1, BOOSTED.rounds + 1):
            of_sites = []
            for site in (TRAIN, TRAIN + 1):
                days = uneven[site, :, target]
                flux = full.boosters[name].predict(site_features(view, site)[days], num_iteration=trees)
                of_sites.append(np.square(flux - view.stopping_target[site, days, target]))
            alike.append(np.mean([errors.mean() for errors in of_sites]))
            pooled.append(np.concatenate(of_sites).mean())
        assert model.boosters[name].num_trees() == 1 + int(np.argmin(alike)) != 1 + int(np.argmin(pooled))


def turned_off(view: TrainingView) -> TrainingView:
    """Validate on training days, so that every tree helps."""
    return replace(view, stopping=view.visible.known, stopping_target=view.target)


def test_no_validation_day_is_one_line_for_boosted_trees_only(view):
    nothing = np.zeros_like(view.stopping)
    alone = replace(view, stopping=nothing, stopping_target=view.stopping_target * nothing)
    with pytest.raises(UserError, match="no validation day of GPP says when to stop") as caught:
        BoostedTrees.fit(BOOSTED, alone, KM, 0)
    assert "\n" not in str(caught.value)
    RandomForest.fit(FOREST, alone, KM, 0)


def test_a_forest_has_the_trees_and_leaves_asked_for(view):
    forest = RandomForest.fit(FOREST, view, KM, 0)
    for booster in forest.boosters.values():
        trees = booster.dump_model()["tree_info"]
        assert len(trees) == FOREST.trees
        assert max(tree["num_leaves"] for tree in trees) == FOREST.leaves
        members = [booster.predict(site_features(view, 0), start_iteration=i, num_iteration=1) for i in range(8)]
        np.testing.assert_allclose(booster.predict(site_features(view, 0)), np.mean(members, axis=0), rtol=1e-6)


def test_other_inputs_or_targets_are_refused(view):
    forest = RandomForest.fit(FOREST, view, KM, 0)
    renamed = replace(view.layout, fast=("TA", "SW", "P"))
    one = replace(view.layout, targets=("GPP",))
    for layout in (renamed, one):
        with pytest.raises(UserError, match="on other inputs than the data give") as caught:
            forest.predict(replace(view, layout=layout), same_cube=False)
        assert "\n" not in str(caught.value)


def test_threads_do_not_change_the_trees(view, monkeypatch):
    import torch

    one = structure(BoostedTrees.fit(BOOSTED, view, KM, 0))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert structure(BoostedTrees.fit(BOOSTED, view, KM, 0)) == one
