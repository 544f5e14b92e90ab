"""What every model without gradients must do; a new one joins by standing in the table."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fabricated_view import KM, TRAIN, fabricated_view, with_flux, without_days
from raciflux.config.models import ESTIMATORS as SECTIONS
from raciflux.contracts import TrainingView
from raciflux.errors import UserError
from raciflux.modules.baselines import ESTIMATORS, Estimator

SMALL = {
    "lightgbm": {"rounds": 15, "min_leaf": 5, "patience": 5},
    "random_forest": {"trees": 8, "leaves": 16, "min_leaf": 5},
    "nearest_climatology": {"neighbours": 3},
    "neighbour_trees": {"rounds": 15, "min_leaf": 5, "patience": 5, "neighbours": 3},
}
TREES = ("lightgbm", "random_forest", "neighbour_trees")  # each remembers the fluxes it was grown on
LOOKING_UP = tuple(name for name in ESTIMATORS if name not in TREES)
everyone = pytest.mark.parametrize("name", ESTIMATORS)
those_that_look_up = pytest.mark.parametrize("name", LOOKING_UP)


@pytest.fixture(scope="module")
def view() -> TrainingView:
    return fabricated_view()


@pytest.fixture(scope="module")
def new_years() -> TrainingView:
    return fabricated_view("new_years")


def section(name: str, **changes: Any) -> Any:
    return SECTIONS[name](**{**SMALL.get(name, {}), **changes})


def fitted(name: str, view: TrainingView, seed: int = 0) -> Estimator:
    return ESTIMATORS[name].fit(section(name), view, KM, seed)


def predicted(name: str, view: TrainingView) -> np.ndarray:
    return fitted(name, view).predict(view, same_cube=True)


def test_every_section_has_its_model():
    assert set(ESTIMATORS) == set(SECTIONS)


@everyone
def test_it_answers_every_site_day_and_target(name, view):
    flux = predicted(name, view)
    assert (flux.shape, flux.dtype) == (view.target.shape, np.float32)
    assert np.isfinite(flux).all()
    assert np.abs(flux[..., 0] - flux[..., 1]).max() > 0.1  # each target has its own answer


@everyone
def test_it_says_more_of_unseen_sites_than_the_mean_of_training_days(name, view):
    flux, bound = predicted(name, view), 1.0 if name == "site_mean" else 0.8
    for target in range(2):
        asked, known = view.stopping[..., target], view.visible.known[..., target]
        truth = view.stopping_target[..., target][asked]
        error = np.square(flux[..., target][asked] - truth).mean()
        assert error < bound * np.square(view.target[..., target][known].mean() - truth).mean()


@everyone
def test_no_scored_flux_can_enter(name, view):
    poisoned = np.where(view.visible.known, view.target, 1e4).astype(np.float32)
    stopping = np.where(view.stopping, view.stopping_target, 1e4).astype(np.float32)
    np.testing.assert_array_equal(
        predicted(name, replace(view, target=poisoned, stopping_target=stopping)), predicted(name, view)
    )


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name not in ("lightgbm", "neighbour_trees")])
def test_only_the_boosted_trees_read_validation(name, view):
    bent = replace(view, stopping_target=np.where(view.stopping, 7, 0).astype(np.float32))
    np.testing.assert_array_equal(predicted(name, bent), predicted(name, view))


@those_that_look_up
@pytest.mark.parametrize("question", ["unseen", "new_years"])
def test_the_own_cluster_is_never_seen(name, question):
    """An absurd flux moves nobody of its cluster; of a split in time it moves its own site, and no mate of it."""
    view = fabricated_view(question)
    one, site = predicted(name, view), np.arange(len(view.site_id))
    moved = np.zeros(len(site), bool)
    for liar in range(TRAIN):
        change = np.abs(predicted(name, with_flux(view, site == liar, 1e3)) - one).max((1, 2))
        mates = view.visible.cluster == view.visible.cluster[liar]
        assert (change[mates & (site != liar)] == 0).all()
        assert (change[liar] > 100) if question == "new_years" else (change[liar] == 0)
        moved |= change > 0
    assert moved[:TRAIN].all()  # the flux does reach others, or the test would see nothing


@those_that_look_up
def test_a_variant_that_sees_its_cluster_would_be_caught(name, view, monkeypatch):
    from raciflux.modules.baselines.known_sites import KnownSites
    from raciflux.retrieval.index import Exclusion

    monkeypatch.setattr(KnownSites, "hidden_from", lambda self, view, same: Exclusion.nothing(len(view.site_id)))
    with pytest.raises(AssertionError):
        test_the_own_cluster_is_never_seen(name, "unseen")


@those_that_look_up
def test_in_another_cube_nearness_and_names_hide_what_cluster_codes_would(name, view):
    model = fitted(name, view)
    codes = replace(view.visible, cluster=view.visible.cluster[::-1].copy())
    np.testing.assert_array_equal(
        model.predict(replace(view, visible=codes), same_cube=False), model.predict(view, same_cube=True)
    )


@those_that_look_up
def test_a_known_site_answers_new_years_from_its_own_past_in_any_cube(name, new_years):
    model = fitted(name, new_years)
    asked_as_unseen = replace(new_years, visible=replace(new_years.visible, question="unseen"))
    unseen = model.predict(asked_as_unseen, same_cube=True)
    own = model.predict(new_years, same_cube=True)
    np.testing.assert_array_equal(model.predict(new_years, same_cube=False), own)
    known = new_years.visible.known
    error = [np.abs((flux - new_years.target).sum(1, where=known) / known.sum(1).clip(1)) for flux in (own, unseen)]
    assert error[0].mean() < 0.3 * error[1].mean()
    np.testing.assert_array_equal(own[1, :, 1], unseen[1, :, 1])  # a site that never measured NEE


@those_that_look_up
def test_a_namesake_at_another_place_has_no_past(name, new_years):
    model = fitted(name, new_years)
    own = model.predict(new_years, same_cube=False)
    for km, alike in ((0.5, True), (2.0, False)):
        moved = replace(new_years, lat=new_years.lat + km / 111.2 * (np.arange(len(new_years.lat)) == 4))
        again = model.predict(moved, same_cube=False)
        assert np.array_equal(again[4], own[4]) == alike
        np.testing.assert_array_equal(np.delete(again, 4, 0), np.delete(own, 4, 0))


@everyone
def test_saved_and_loaded_it_predicts_the_same(name, view, tmp_path):
    model = fitted(name, view)
    for _ in range(2):  # the second takes the place of the first
        model.save(tmp_path / "estimator")
    loaded = ESTIMATORS[name].load(tmp_path / "estimator")
    for same_cube in (True, False):
        np.testing.assert_array_equal(loaded.predict(view, same_cube), model.predict(view, same_cube))
    assert not [path for path in (tmp_path / "estimator").iterdir() if path.suffix not in (".npz", ".txt")]


@everyone
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "garbled"])
def test_a_missing_or_damaged_folder_is_one_line(name, view, tmp_path, damage):
    folder = tmp_path / "estimator"
    fitted(name, view).save(folder)
    for path in folder.iterdir():
        content = path.read_bytes()
        damaged = {"empty": b"", "cut": content[: len(content) // 2], "garbled": b"no archive"}
        if damage == "missing":
            path.unlink()
        else:
            path.write_bytes(damaged[damage])
    with pytest.raises(UserError) as caught:
        ESTIMATORS[name].load(folder)
    message = str(caught.value)
    assert message.startswith(f"{folder}: not a readable fitted model")
    assert "\n" not in message


@everyone
def test_no_known_day_is_one_line(name, view):
    with pytest.raises(UserError, match=f"model={name}: no training site has a usable day of GPP") as caught:
        fitted(name, without_days(view))
    assert "\n" not in str(caught.value)
    only_gpp = view.visible.known & np.array([True, False])
    with pytest.raises(UserError, match="usable day of NEE"):
        fitted(name, replace(view, visible=replace(view.visible, known=only_gpp)))


@everyone
def test_missing_drivers_and_classes_never_seen_are_answered(name, view):
    model = fitted(name, view)
    dark = view.fast_mask.copy()
    dark[TRAIN:] = False
    classes = view.classes.copy()
    classes[TRAIN:, 0] = 4
    blind = replace(view, fast=np.where(dark, view.fast, 0), fast_mask=dark, classes=classes)
    assert np.isfinite(model.predict(blind, same_cube=True)).all()


@everyone
def test_without_classes_or_statics_it_still_fits(name, view):
    layout = replace(view.layout, classes=(), class_sizes=(), static=())
    none = {"static": view.static[:, :0], "static_mask": view.static_mask[:, :0], "classes": view.classes[:, :0]}
    assert np.isfinite(predicted(name, replace(view, layout=layout, **none))).all()


@everyone
def test_one_known_cluster_leaves_its_own_sites_with_the_mean_of_training_days(name, view):
    first = view.visible.known & (view.visible.cluster == 0)[:, None, None]
    alone = replace(view, visible=replace(view.visible, known=first), target=view.target * first)
    flux = predicted(name, alone)
    assert np.isfinite(flux).all()
    if name in LOOKING_UP:
        assert not flux[:2].any()
        assert flux[2:].any()


@everyone
def test_the_same_seed_gives_the_same_model(name, view):
    np.testing.assert_array_equal(predicted(name, view), predicted(name, view))
    other = fitted(name, view, seed=1).predict(view, same_cube=True)
    assert (other != predicted(name, view)).any() == (name in TREES)
