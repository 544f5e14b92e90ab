"""Site-mean against a naive loop; what it shares with the others is in test_estimators.py."""

from dataclasses import replace

import numpy as np
import pytest
from fabricated_view import KM, SITES, fabricated_view
from raciflux.config.models import SiteMeanConfig
from raciflux.contracts import TrainingView
from raciflux.modules.baselines.site_mean import SiteMean


@pytest.fixture(scope="module")
def view() -> TrainingView:
    return fabricated_view()


def predicted(view: TrainingView) -> np.ndarray:
    return SiteMean.fit(SiteMeanConfig(), view, KM, 0).predict(view, same_cube=True)


def naive(view: TrainingView, query: int, target: int) -> float:
    """Mean over the query's class of the sites' means, shrunk by two average sites, without the own cluster."""
    known, cluster, label = view.visible.known[..., target], view.visible.cluster, view.classes[:, 0]
    means = {s: view.target[s, known[s], target].astype(float).mean() for s in range(SITES) if known[s].any()}
    seen = {s: mean for s, mean in means.items() if cluster[s] != cluster[query]}
    overall = sum(seen.values()) / len(seen)
    alike = [mean for s, mean in seen.items() if label[s] == label[query] != 0]
    of_class = (sum(alike) + 2 * overall) / (len(alike) + 2)
    if view.visible.question == "unseen" or query not in means:
        return of_class
    share = min(known[query].sum() / 30, 1)
    return share * means[query] + (1 - share) * of_class


@pytest.mark.parametrize("question", ["unseen", "new_years"])
def test_it_is_the_shrunk_mean_of_sites_of_the_class(question):
    view = fabricated_view(question)
    flux = predicted(view)
    for site in range(SITES):
        for target in range(2):
            np.testing.assert_allclose(flux[site, :, target], naive(view, site, target), rtol=1e-5)


def test_thirty_own_days_are_answered_by_their_own_mean():
    view = fabricated_view("new_years")
    own = view.target[0, view.visible.known[0, :, 0], 0].mean(dtype=float)
    np.testing.assert_allclose(predicted(view)[0, :, 0], own, rtol=1e-6)


def test_a_class_of_the_own_cluster_only_or_unknown_gets_the_mean_of_all(view):
    flux = predicted(view)[:, 0, 0]
    known = view.visible.known[..., 0]
    for site in (0, 4, 6):  # unknown, and two classes that stand in this cluster alone
        others = np.flatnonzero((view.visible.cluster != view.visible.cluster[site]) & known.any(1))
        means = [view.target[s, known[s], 0].mean(dtype=float) for s in others]
        assert flux[site] == pytest.approx(np.mean(means), rel=1e-5)


def test_a_long_record_counts_no_more_than_a_short_one(view):
    known = view.visible.known.copy()
    only = int(np.argmax(known[2, :, 0]))
    known[2, only + 1 :] = False
    short = replace(view, visible=replace(view.visible, known=known), target=view.target * known)
    flux = predicted(short)
    for site in (10, 11):  # of the class of site 2, and of another cluster
        assert flux[site, 0, 0] == pytest.approx(naive(short, site, 0), rel=1e-5)
    assert SiteMean.fit(SiteMeanConfig(), short, KM, 0).mean[2, 0] == view.target[2, only, 0]


def test_without_classes_every_site_is_alike(view):
    bare = replace(view, classes=np.zeros((SITES, 0), np.int64))
    unknown = replace(view, classes=np.zeros((SITES, 1), np.int64))
    np.testing.assert_array_equal(predicted(bare), predicted(unknown))
