import logging
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.errors import UserError
from raciflux.geography import haversine_km
from raciflux.retrieval import index as module
from raciflux.retrieval.index import SPARE, Exclusion, functional, geographic, resolve

BACKENDS = ["faiss", "torch"]


def brute_force(distance, visible, k):
    """The definition: for each query, sort the keys it may see by (distance, position)."""
    found, how_far = np.full((len(distance), k), -1), np.full((len(distance), k), np.inf)
    for q, row in enumerate(distance):
        ranked = sorted((row[n], n) for n in range(distance.shape[1]) if visible[q, n])[:k]
        for place, (value, n) in enumerate(ranked):
            found[q, place], how_far[q, place] = n, value
    return found, how_far


def check(answer, distance, visible, k):
    found, how_far = brute_force(distance, visible, k)
    np.testing.assert_array_equal(answer.index, found)
    np.testing.assert_allclose(answer.distance, how_far, rtol=1e-12)


def euclidean(queries, keys):
    gap = queries[:, None].astype(np.float64) - keys[None].astype(np.float64)
    return np.sqrt((gap**2).sum(-1))


@pytest.mark.parametrize("backend", BACKENDS)
@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    sizes=st.tuples(st.integers(1, 12), st.integers(1, 70), st.integers(1, 5)),
    k=st.integers(1, 30),
    levels=st.integers(1, 4),
    groups=st.integers(1, 6),
)
def test_functional_is_the_definition_with_many_ties(backend, seed, sizes, k, levels, groups):
    rng = np.random.default_rng(seed)
    q, n, d = sizes
    queries, keys = (rng.integers(0, levels, (m, d)).astype(np.float32) for m in (q, n))
    query_code, key_code = rng.integers(0, groups, q), rng.integers(0, groups, n)
    answer = functional(queries, keys, k, Exclusion.same_code(query_code, key_code), backend)
    check(answer, euclidean(queries, keys), query_code[:, None] != key_code, k)


@pytest.mark.parametrize("backend", BACKENDS)
def test_rounding_of_float32_loses_no_neighbour(backend):
    # far from the origin the expanded square |q|2 + |k|2 - 2qk knows distances to about 0.5 only
    rng = np.random.default_rng(1)
    keys = (1000 + rng.normal(size=(400, 8)) * 0.01).astype(np.float32)
    queries = keys[:50] + np.float32(0.003)
    answer = functional(queries, keys, 3, Exclusion.nothing(50), backend)
    check(answer, euclidean(queries, keys), np.ones((50, 400), bool), 3)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    centre=st.sampled_from([(0, 180), (90, 0), (-90, 10), (50, 8), (-20, -180)]),
    spread=st.sampled_from([0.001, 0.05, 3.0, 60.0]),
    k=st.integers(1, 25),
    radius=st.sampled_from([0.0, 5.0, 500.0, 20_100.0]),
)
def test_geographic_is_the_definition(backend, seed, centre, spread, k, radius):
    rng = np.random.default_rng(seed)
    lat = np.clip(centre[0] + rng.normal(size=60) * spread, -90, 90)
    lon = (centre[1] + rng.normal(size=60) * spread + 180) % 360 - 180
    lat[30:33], lon[30:33] = lat[0], lon[0]  # towers that share a mast
    cluster = rng.integers(0, 8, 60)
    answer = geographic(
        (lat[:20], lon[:20]), (lat, lon), k, Exclusion.same_code(cluster[:20], cluster), radius, backend
    )
    km = haversine_km(lat[:20, None], lon[:20, None], lat, lon)
    check(answer, km, (cluster[:20, None] != cluster) & (km <= radius), k)


@pytest.mark.parametrize("backend", BACKENDS)
def test_masked_before_top_k(backend):
    # the 30 nearest keys are the query's own: a filter after top-k would come back empty
    keys = np.arange(60, dtype=np.float32)[:, None]
    exclusion = Exclusion.same_code(np.array([1]), (np.arange(60) < 30).astype(np.int64))
    answer = functional(np.zeros((1, 1), np.float32), keys, 2, exclusion, backend)
    assert SPARE < 30
    assert answer.index.tolist() == [[30, 31]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_nobody_to_see(backend):
    queries, keys = np.zeros((2, 3), np.float32), np.ones((4, 3), np.float32)
    alone = functional(queries, keys, 2, Exclusion.same_code(np.zeros(2, int), np.zeros(4, int)), backend)
    empty = functional(queries, keys[:0], 2, Exclusion.nothing(2), backend)
    for answer in (alone, empty):
        assert (answer.index == -1).all()
        assert np.isinf(answer.distance).all()


def test_without_faiss_auto_says_once_that_it_takes_torch(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "faiss", None)
    module._say_once.cache_clear()
    with caplog.at_level(logging.INFO):
        assert resolve("auto") == "torch"
        assert resolve("auto") == "torch"
    assert [record.message for record in caplog.records if "torch" in record.message] == [caplog.messages[0]]
    with pytest.raises(UserError, match="backend=faiss: faiss is not installed; install raciflux"):
        resolve("faiss")


def test_faiss_takes_as_many_threads_as_torch(monkeypatch):
    # watched, not measured: where both share one OpenMP library, to set one's threads sets the other's
    faiss = pytest.importorskip("faiss")
    taken = []
    monkeypatch.setattr(faiss, "omp_set_num_threads", taken.append)
    functional(np.zeros((1, 1), np.float32), np.zeros((2, 1), np.float32), 1, Exclusion.nothing(1), "faiss")
    assert taken == [torch.get_num_threads()]
