import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.errors import UserError
from raciflux.geography import haversine_km
from raciflux.retrieval import index as module
from raciflux.retrieval.index import GROUP, SPARE, Exclusion, functional, geographic, resolve

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
def test_neighbours_that_rounding_ranked_behind_the_candidates_are_found(backend):
    # here float32 errs by less than the candidates spread, and by more than lies between neighbours
    rng = np.random.default_rng(1)
    keys = (100 + rng.normal(size=(3000, 4)) * 0.05).astype(np.float32)
    queries = keys[:200] + np.float32(0.003)
    answer = functional(queries, keys, 3, Exclusion.nothing(200), backend)
    check(answer, euclidean(queries, keys), np.ones((200, 3000), bool), 3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_keys_that_are_told_apart_are_not_searched_one_by_one(backend, monkeypatch):
    searched = []
    monkeypatch.setattr(module, "_blocks", lambda rows, numbers: searched.append(len(rows)) or [])
    keys = np.random.default_rng(0).normal(size=(2000, 16)).astype(np.float32)
    functional(keys, keys, 5, Exclusion.nothing(2000), backend)
    assert searched == [0]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    centre=st.sampled_from([(0, 180), (90, 0), (-90, 10), (50, 8), (-20, -180)]),
    spread=st.sampled_from([0.001, 0.05, 3.0, 60.0]),
    k=st.integers(1, 25),
    radius=st.sampled_from([0.0, 5.0, 500.0, 20_100.0]),
)
def test_geographic_is_the_definition(seed, centre, spread, k, radius):
    rng = np.random.default_rng(seed)
    lat = np.clip(centre[0] + rng.normal(size=60) * spread, -90, 90)
    lon = (centre[1] + rng.normal(size=60) * spread + 180) % 360 - 180
    lat[30:33], lon[30:33] = lat[0], lon[0]  # towers that share a mast
    cluster = rng.integers(0, 8, 60)
    answer = geographic((lat[:20], lon[:20]), (lat, lon), k, Exclusion.same_code(cluster[:20], cluster), radius)
    km = haversine_km(lat[:20, None], lon[:20, None], lat, lon)
    check(answer, km, (cluster[:20, None] != cluster) & (km <= radius), k)


def test_faiss_asks_the_gpu_of_its_build_for_no_more_than_it_tells(monkeypatch):
    import faiss

    asked = {"gpu": [], "cpu": []}

    class Watched:
        def __init__(self, index, where):
            self.index, self.where = index, where

        def add(self, keys):
            self.index.add(keys)

        def search(self, queries, wanted):
            asked[self.where].append(wanted)
            return self.index.search(queries, wanted)

    flat = faiss.IndexFlatL2
    monkeypatch.setattr(faiss, "IndexFlatL2", lambda width: Watched(flat(width), "cpu"))
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1)
    monkeypatch.setattr(faiss, "StandardGpuResources", object, raising=False)
    made_on_gpu = lambda resources, device, index: Watched(index.index, "gpu")  # noqa: E731
    monkeypatch.setattr(faiss, "index_cpu_to_gpu", made_on_gpu, raising=False)
    keys = np.random.default_rng(0).normal(size=(3000, 3)).astype(np.float32)
    own = np.repeat([0, 1], [2500, 500])
    for queries, exclusion in ((keys[:4], Exclusion.nothing(4)), (keys[:4], Exclusion.same_code(own[:4], own))):
        answer, plain = (functional(queries, keys, 5, exclusion, backend) for backend in BACKENDS)
        np.testing.assert_array_equal(answer.index, plain.index)
    assert max(asked["gpu"]) <= 2048 < min(asked["cpu"]), "2,500 hidden keys are more than a GPU's candidates"


@pytest.mark.gpu
def test_faiss_on_a_gpu_finds_whom_the_cpu_finds():
    faiss = pytest.importorskip("faiss")
    if not faiss.get_num_gpus():
        pytest.skip("this faiss has no GPU")
    keys = np.random.default_rng(0).normal(size=(20_000, 32)).astype(np.float32)
    on_gpu, on_cpu = (functional(keys, keys, 8, Exclusion.nothing(len(keys)), backend) for backend in BACKENDS)
    np.testing.assert_array_equal(on_gpu.index, on_cpu.index)


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


@pytest.mark.parametrize("keys", [GROUP - 1, GROUP, GROUP + 1, 30 * GROUP + 7])
@pytest.mark.parametrize("k", [1, 40])
def test_the_nearest_are_found_whatever_groups_they_stand_in(keys, k):
    # more keys than groups are looked into; the nearest stand in one group, or each in its own
    rng = np.random.default_rng(keys)
    near = {"together": np.arange(min(keys, GROUP)), "apart": np.arange(0, keys, GROUP)}
    for where, positions in near.items():
        table = rng.normal(size=(keys, 3)).astype(np.float32) + np.float32(9)
        table[positions] -= np.float32(9)
        queries = rng.normal(size=(20, 3)).astype(np.float32) * np.float32(0.1)
        answer = functional(queries, table, k, Exclusion.nothing(20), "torch")
        assert where and (answer.index < keys).all()
        check(answer, euclidean(queries, table), np.ones((20, keys), bool), k)


def test_without_faiss_only_who_asks_for_it_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    assert resolve("auto") == "torch"
    with pytest.raises(UserError, match="backend=faiss: faiss is not installed; install raciflux"):
        resolve("faiss")


def test_faiss_takes_as_many_threads_as_torch(monkeypatch):
    # watched, not measured: where both share one OpenMP library, to set one's threads sets the other's
    faiss = pytest.importorskip("faiss")
    taken = []
    monkeypatch.setattr(faiss, "omp_set_num_threads", taken.append)
    functional(np.zeros((1, 1), np.float32), np.zeros((2, 1), np.float32), 1, Exclusion.nothing(1), "faiss")
    assert taken == [torch.get_num_threads()]
