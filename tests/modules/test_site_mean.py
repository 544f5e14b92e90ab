from dataclasses import replace

import numpy as np
import pytest
from raciflux.contracts import TrainingView, VisibleSet
from raciflux.errors import UserError
from raciflux.modules.baselines.site_mean import SiteMean

from worlds import tiny_cube, tiny_data

KM = 50.0


@pytest.fixture(scope="module")
def view() -> TrainingView:
    """Ten training sites in five clusters, of which two share a class; two sites are asked only."""
    cube = tiny_cube(sites=12, days=200)
    data = tiny_data(cube)
    train = np.arange(12) < 10
    known = np.isfinite(cube["GPP"].to_numpy()) & train[:, None] & (np.arange(200) < 60 + 10 * np.arange(12)[:, None])
    flux = np.random.default_rng(0).normal(size=known.shape) + np.arange(12)[:, None]
    return replace(
        data.view(),
        classes=np.array([1, 1, 2, 2, 0, 0, 1, 1, 3, 3, 1, 0])[:, None],
        visible=VisibleSet(known, data.cluster),
        target=np.where(known, flux, 0).astype(np.float32),
        train_sites=train,
    )


def naive(view: TrainingView, query: int) -> float:
    """Mean over the query's class of the sites' means, shrunk by two average sites, without the own cluster."""
    known, cluster, label = view.visible.known, view.visible.cluster, view.classes[:, 0]
    means = {s: view.target[s][known[s]].astype(float).mean() for s in range(len(known)) if known[s].any()}
    seen = {s: mean for s, mean in means.items() if cluster[s] != cluster[query]}
    overall = sum(seen.values()) / len(seen)
    alike = [mean for s, mean in seen.items() if label[s] == label[query] != 0]
    return (sum(alike) + 2 * overall) / (len(alike) + 2)


def test_it_is_the_shrunk_mean_of_sites_of_the_class(view):
    flux = SiteMean.fit(view, KM).predict(view, same_cube=True)
    assert flux.shape == view.target.shape
    for site in range(len(flux)):
        np.testing.assert_allclose(flux[site], naive(view, site), rtol=1e-5)


def test_a_class_of_the_own_cluster_only_or_unknown_gets_the_mean_of_all(view):
    flux = SiteMean.fit(view, KM).predict(view, same_cube=True)[:, 0]
    for site in (4, 8):  # unknown, and a class that stands in this cluster alone
        others = [s for s in range(10) if view.visible.cluster[s] != view.visible.cluster[site]]
        means = [view.target[s][view.visible.known[s]].mean(dtype=float) for s in others]
        assert flux[site] == pytest.approx(np.mean(means), rel=1e-5)


def test_the_own_cluster_is_never_seen(view):
    for site in range(12):
        mates = view.visible.cluster == view.visible.cluster[site]
        other = replace(view, target=np.where(mates[:, None] & view.visible.known, 1e3, view.target).astype(np.float32))
        one, two = (SiteMean.fit(v, KM).predict(v, same_cube=True) for v in (view, other))
        np.testing.assert_array_equal(two[mates], one[mates])
        if mates[:10].any():
            assert (two[~mates] != one[~mates]).all()


def test_in_another_cube_nearness_and_names_hide_what_cluster_codes_would(view):
    model = SiteMean.fit(view, KM)
    renamed = replace(view, visible=VisibleSet(np.zeros_like(view.visible.known), view.visible.cluster[::-1]))
    np.testing.assert_array_equal(model.predict(renamed, same_cube=False), model.predict(view, same_cube=True))


def test_a_long_record_counts_no_more_than_a_short_one(view):
    known = view.visible.known.copy()
    only = int(np.argmax(known[0]))
    known[0, only + 1 :] = False
    short = replace(view, visible=VisibleSet(known, view.visible.cluster), target=view.target * known)
    flux = SiteMean.fit(short, KM).predict(short, same_cube=True)
    for site in (6, 10):  # of the class of site 0, and of another cluster
        assert flux[site, 0] == pytest.approx(naive(short, site), rel=1e-5)
    assert SiteMean.fit(short, KM).mean[0] == view.target[0, only]


def test_sites_without_a_known_day_and_worlds_without_a_site(view):
    nothing = replace(view, visible=VisibleSet(np.zeros_like(view.visible.known), view.visible.cluster))
    assert not SiteMean.fit(nothing, KM).predict(nothing, same_cube=True).any()  # 0 scaled: the mean of training days


def test_without_classes_every_site_is_alike(view):
    bare = replace(view, classes=np.zeros((12, 0), np.int64))
    unknown = replace(view, classes=np.zeros((12, 1), np.int64))
    one, two = (SiteMean.fit(v, KM).predict(v, same_cube=True) for v in (bare, unknown))
    np.testing.assert_array_equal(one, two)


def test_saved_and_loaded_it_predicts_the_same(view, tmp_path):
    model = SiteMean.fit(view, KM)
    model.save(tmp_path / "site_mean.npz")
    loaded = SiteMean.load(tmp_path / "site_mean.npz")
    np.testing.assert_array_equal(loaded.predict(view, True), model.predict(view, True))


@pytest.mark.parametrize("content", [None, b"", b"no archive"])
def test_missing_or_damaged_means_are_one_line(tmp_path, content):
    path = tmp_path / "site_mean.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"site_mean\.npz"):
        SiteMean.load(path)
