import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.evaluation.comparison.bootstrap import (
    Resampled,
    cluster_draws,
    holm,
    interval,
    p_value,
    seed_draws,
    total,
    weighted_mean,
    weighted_median,
)

values_and_counts = st.integers(1, 12).flatmap(
    lambda sites: st.tuples(
        st.lists(st.floats(-5, 5), min_size=sites, max_size=sites),
        st.lists(st.lists(st.integers(0, 4), min_size=sites, max_size=sites), min_size=1, max_size=5),
    )
)


@given(values_and_counts)
@settings(max_examples=60, deadline=None)
def test_weighted_statistics_are_those_of_the_repeated_values(drawn):
    values, counts = np.array(drawn[0]), np.array(drawn[1])
    means, medians = weighted_mean(values, counts), weighted_median(values, counts)
    for row, mean, median in zip(counts, means, medians, strict=True):
        repeated = np.repeat(values, row)
        if repeated.size:
            assert mean == pytest.approx(np.mean(repeated), abs=1e-12)
            assert median == np.median(repeated)
        else:
            assert np.isnan(mean) and np.isnan(median)
    np.testing.assert_allclose(total(values, counts), counts @ values, atol=1e-12)


def test_medians_are_right_across_chunks_of_draws():
    rng = np.random.default_rng(0)
    values, counts = rng.normal(size=21), cluster_draws(np.arange(21) // 3, draws=1500)
    expected = [np.median(np.repeat(values, row)) for row in counts]
    np.testing.assert_array_equal(weighted_median(values, counts), expected)


def test_a_cluster_is_drawn_whole_and_as_many_as_there_are():
    cluster = np.array([7, 3, 7, 9, 3, 7])
    counts = cluster_draws(cluster, draws=200)
    for code in (3, 7, 9):
        members = counts[:, cluster == code]
        assert (members == members[:, :1]).all()
    firsts = counts[:, [0, 1, 3]]
    assert (firsts.sum(1) == 3).all()
    assert firsts.mean(0) == pytest.approx(1, abs=0.15)


def test_draws_follow_the_clusters_whatever_the_order_of_sites():
    cluster = np.array([0, 0, 1, 2, 2, 2, 3])
    order = np.random.default_rng(0).permutation(7)
    np.testing.assert_array_equal(cluster_draws(cluster[order], 50), cluster_draws(cluster, 50)[:, order])


def test_models_of_the_same_seeds_are_drawn_together():
    np.testing.assert_array_equal(seed_draws((0, 1, 2), 50), seed_draws((0, 1, 2), 50))
    assert (seed_draws((0, 1, 2), 50) != seed_draws((3, 4, 5), 50)).any()
    assert (seed_draws((0, 1, 2), 50).sum(1) == 3).all()
    assert (seed_draws((4,), 50) == 1).all()


def clustered_errors(rng):
    """Differences of 30 clusters of 4 sites with mean 0: most of the spread is between clusters."""
    cluster = np.repeat(np.arange(30), 4)
    return cluster, rng.normal(0, 1, 30)[cluster] + rng.normal(0, 0.4, 120)


@pytest.mark.parametrize(("by", "low", "high"), [("cluster", 0.9, 0.98), ("site", 0.4, 0.8)])
def test_the_interval_covers_the_truth_only_if_clusters_are_drawn(by, low, high):
    """A bootstrap of sites takes towers of one forest for independent: its 95 % interval holds far fewer."""
    rng, held = np.random.default_rng(1), []
    for repeat in range(300):
        cluster, values = clustered_errors(rng)
        counts = cluster_draws(cluster if by == "cluster" else np.arange(len(values)), 400, seed=repeat)
        bounds = interval(weighted_mean(values, counts))
        assert bounds is not None
        held.append(bounds[0] <= 0 <= bounds[1])
    assert low <= np.mean(held) <= high


def test_p_is_uniform_under_no_difference_and_small_under_one():
    rng, under_null = np.random.default_rng(2), []
    for repeat in range(300):
        cluster, values = clustered_errors(rng)
        under_null.append(p_value(weighted_mean(values, cluster_draws(cluster, 400, seed=repeat))))
    assert 0.02 <= np.mean(np.array(under_null) < 0.05) <= 0.1
    assert 0.42 <= np.median(under_null) <= 0.58
    cluster, values = clustered_errors(rng)
    assert p_value(weighted_mean(values + 2, cluster_draws(cluster, 400))) == pytest.approx(2 / 401)


def test_p_counts_both_sides_and_the_data_themselves():
    assert p_value(np.zeros(99)) == 1.0
    assert p_value(np.array([-1.0, 1, 1, 1, 1, 1, 1, 1, 1])) == pytest.approx(2 * 2 / 10)
    assert p_value(-np.array([-1.0, 1, 1, 1, 1, 1, 1, 1, 1])) == pytest.approx(2 * 2 / 10)
    assert p_value(np.empty(0)) is None


def test_draws_without_a_value_count_neither_for_nor_against():
    draws = np.array([-1.0, 1, 1, 1, 1, 1, 1, 1, 1])
    assert p_value(np.append(draws, [np.nan, np.nan, np.inf])) == p_value(draws)
    assert interval(np.append(draws, [np.nan, -np.inf])) == interval(draws)
    assert p_value(np.full(5, np.nan)) is None


def test_the_interval_is_the_percentiles_of_the_draws():
    low, high = interval(np.arange(1001.0)) or (np.nan, np.nan)
    assert (low, high) == (pytest.approx(25), pytest.approx(975))
    assert interval(np.empty(0)) is None and interval(np.full(3, np.nan)) is None


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([0.02]) == [0.02] and holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_rejects_what_the_stepwise_rule_rejects(p):
    adjusted, level = holm(p), 0.05
    rejected: set[int] = set()
    for step, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        if p[i] * (len(p) - step) > level:
            break
        rejected.add(i)
    assert {i for i, value in enumerate(adjusted) if value <= level} == rejected


def test_a_difference_is_taken_draw_by_draw():
    one = Resampled(3.0, np.array([1.0, 4.0])) - Resampled(1.0, np.array([1.0, 1.0]))
    assert one.value == 2.0 and one.draws.tolist() == [0.0, 3.0]
