import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.datamodules.splits import grid_blocks
from raciflux.geography import haversine_km
from raciflux.retrieval.index import Exclusion
from raciflux.retrieval.visibility import and_closer_than, of_own_cluster


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


@pytest.mark.parametrize("blocks", [True, False])
def test_of_a_block_of_cells_what_touches_it_is_hidden_with_it(blocks):
    lat, lon = (each.ravel() for each in np.meshgrid(np.arange(0.5, 9, 1.0), np.arange(-179.5, -165, 1.0)))
    block = grid_blocks(lat, lon)
    known = np.random.default_rng(0).permutation(len(lat))[:100]
    found = of_own_cluster((lat, lon), block, (lat[known], lon[known]), block[known], blocks)
    for q in range(len(lat)):
        mates = block == block[q]
        apart = np.maximum(np.abs(lat[known][:, None] - lat[mates]), np.abs(lon[known][:, None] - lon[mates])).min(1)
        assert found.hidden[found.group[q]].tolist() == np.flatnonzero(apart < (1.5 if blocks else 0.5)).tolist()
    assert len(found.hidden) == len(np.unique(block)), "one search a block"


@pytest.mark.parametrize("km", [0.0, 1e-9])
def test_nothing_is_nearer_than_nothing(km):
    here = (np.array([10.0]), np.array([20.0]))
    elsewhere = (np.array([10.0]), np.array([20.5]))
    assert and_closer_than(Exclusion.nothing(1), here, elsewhere, km).hidden[0].tolist() == []
