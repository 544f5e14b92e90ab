import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.geography import haversine_km
from raciflux.retrieval.index import Exclusion
from raciflux.retrieval.visibility import and_closer_than


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), km=st.sampled_from([0.5, 60.0, 900.0, 30_000.0]), entries=st.integers(0, 30))
def test_hides_what_was_hidden_and_what_is_near(seed, km, entries):
    rng = np.random.default_rng(seed)
    queries, keys = ((rng.uniform(-90, 90, n), rng.uniform(-180, 180, n)) for n in (20, entries))
    for degrees, others in zip(queries, keys, strict=True):
        degrees[: min(5, entries)] = others[:5]  # on the spot
    code, key_code = rng.integers(0, 4, 20), rng.integers(0, 4, entries)
    found = and_closer_than(Exclusion.same_code(code, key_code), queries, keys, km)
    near = haversine_km(queries[0][:, None], queries[1][:, None], *keys) < km
    for q in range(20):
        hidden = found.hidden[found.group[q]]
        assert hidden.tolist() == np.flatnonzero(near[q] | (key_code == code[q])).tolist()


def test_queries_that_may_see_the_same_are_searched_together():
    everywhere = (np.zeros(6), np.arange(6) * 20.0)
    found = and_closer_than(Exclusion.nothing(6), everywhere, (np.zeros(1), np.zeros(1)), 10.0)
    assert len(found.hidden) == 2
    assert found.group.tolist() == [0, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("km", [0.0, 1e-9])
def test_nothing_is_nearer_than_nothing(km):
    here = (np.array([10.0]), np.array([20.0]))
    elsewhere = (np.array([10.0]), np.array([20.5]))
    assert and_closer_than(Exclusion.nothing(1), here, elsewhere, km).hidden[0].tolist() == []
