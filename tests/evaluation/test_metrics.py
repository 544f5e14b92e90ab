import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.evaluation import metrics
from raciflux.evaluation.metrics import Sums
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

ALL = (
    metrics.r2,
    metrics.rmse,
    metrics.mae,
    metrics.bias,
    metrics.nrmse_std,
    metrics.nrmse_mean,
    metrics.pearson_r,
    metrics.kge,
)


def naive(o, p):
    """Every metric by plain loops over one record, exact summation."""
    n = len(o)
    mean_o, mean_p = math.fsum(o) / n, math.fsum(p) / n
    std_o = math.sqrt(math.fsum((x - mean_o) ** 2 for x in o) / n)
    std_p = math.sqrt(math.fsum((x - mean_p) ** 2 for x in p) / n)
    r = math.fsum((a - mean_o) * (b - mean_p) for a, b in zip(o, p, strict=True)) / n / (std_o * std_p)
    mse = math.fsum((b - a) ** 2 for a, b in zip(o, p, strict=True)) / n
    return {
        metrics.r2: 1 - mse / std_o**2,
        metrics.rmse: math.sqrt(mse),
        metrics.mae: math.fsum(abs(b - a) for a, b in zip(o, p, strict=True)) / n,
        metrics.bias: math.fsum(b - a for a, b in zip(o, p, strict=True)) / n,
        metrics.nrmse_std: math.sqrt(mse) / std_o,
        metrics.nrmse_mean: math.sqrt(mse) / abs(mean_o),
        metrics.pearson_r: r,
        metrics.kge: 1 - math.sqrt((r - 1) ** 2 + (std_p / std_o - 1) ** 2 + (mean_p / mean_o - 1) ** 2),
    }


@st.composite
def gappy_records(draw):
    """Records (site, day) with spread, a level that may be far from 0, and gaps; at least two days counted."""
    seed, sites, days = draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 4)), draw(st.integers(5, 60))
    level, spread = draw(st.floats(-1000, 1000)), draw(st.floats(0.01, 100))
    rng = np.random.default_rng(seed)
    o = level + spread * rng.normal(size=(sites, days))
    p = o + spread * draw(st.floats(0.01, 3)) * rng.normal(size=o.shape)
    counted = rng.random(o.shape) < draw(st.floats(0.2, 1))
    counted[:, :2] = True
    return np.where(counted, o, np.nan), p, counted


@given(gappy_records())
@settings(max_examples=60, deadline=None)
def test_metrics_equal_scikit_learn_and_a_naive_loop(record):
    o, p, counted = record
    sums = Sums.of(o, p, counted)
    for site in range(len(o)):
        obs, pred = o[site][counted[site]], p[site][counted[site]]
        for metric, value in naive(obs.tolist(), pred.tolist()).items():
            assert metric(sums)[site] == pytest.approx(value, rel=1e-9, abs=1e-9), metric.__name__
        assert metrics.r2(sums)[site] == pytest.approx(r2_score(obs, pred), rel=1e-9, abs=1e-9)
        assert metrics.rmse(sums)[site] == pytest.approx(root_mean_squared_error(obs, pred), rel=1e-9)
        assert metrics.mae(sums)[site] == pytest.approx(mean_absolute_error(obs, pred), rel=1e-9)


@given(gappy_records(), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_shards_in_any_order_give_the_whole(record, seed):
    o, p, counted = record
    rng = np.random.default_rng(seed)
    order = rng.permutation(o.shape[1])
    cuts = np.sort(rng.integers(0, o.shape[1] + 1, 3))
    merged = Sums.of(o[:, :0], p[:, :0])
    for part in np.split(order, cuts):
        merged = Sums.of(o[:, part], p[:, part], counted[:, part]) + merged
    for metric in ALL:
        np.testing.assert_allclose(metric(merged), metric(Sums.of(o, p, counted)), rtol=1e-9, atol=1e-9)


@given(gappy_records())
@settings(max_examples=30, deadline=None)
def test_pooled_sites_equal_one_long_record(record):
    o, p, counted = record
    pooled, long = Sums.of(o, p, counted).pooled(), Sums.of(o.ravel(), p.ravel(), counted.ravel())
    for metric in ALL:
        np.testing.assert_allclose(metric(pooled), metric(long), rtol=1e-9, atol=1e-9)


def test_a_large_offset_does_not_cancel():
    rng = np.random.default_rng(0)
    o = rng.normal(size=(3, 400))
    p = o + 0.5 * rng.normal(size=o.shape)
    far = Sums.of(o + 1e7, p + 1e7)
    np.testing.assert_allclose(metrics.r2(far), metrics.r2(Sums.of(o, p)), rtol=1e-6)
    np.testing.assert_allclose(metrics.r2(far.pooled()), metrics.r2(Sums.of(o, p).pooled()), rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, 3.3, -1e6])
def test_a_constant_site_has_an_rmse_but_no_r2(value):
    o = np.full((1, 300), value, np.float32)
    sums = Sums.of(o, o + np.linspace(0, 1, 300)) + Sums.of(o, o)
    for metric in (metrics.r2, metrics.nrmse_std, metrics.pearson_r, metrics.kge):
        assert np.isnan(metric(sums)).all(), metric.__name__
    assert np.isfinite(metrics.rmse(sums)).all()


def test_a_single_day_has_no_r2_and_no_day_has_nothing():
    one = Sums.of(np.array([[2.0, np.nan]]), np.array([[5.0, 1.0]]), np.array([[True, False]]))
    assert np.isnan(metrics.r2(one)) and metrics.rmse(one) == 3 and metrics.bias(one) == 3
    none = Sums.of(np.empty((2, 0)), np.empty((2, 0)))
    for metric in ALL:
        assert np.isnan(metric(none)).all() and np.isnan(metric(none.pooled())), metric.__name__


def test_nothing_is_ever_infinite():
    o = np.array([[0.0, 1e-200, 2e-200], [1.0, 1.0, 1.0 + 1e-15]])
    p = o * np.array([1e200, 3e200, -1e200])
    for metric in ALL:
        assert not np.isinf(metric(Sums.of(o, o + 1e10))).any(), metric.__name__
        assert not np.isinf(metric(Sums.of(o[:1], p[:1]))).any(), metric.__name__


def test_a_gap_among_the_counted_days_is_refused():
    with pytest.raises(ValueError, match="not finite"):
        Sums.of(np.array([1.0, np.nan]), np.array([1.0, 2.0]))


def test_r2_is_not_the_squared_correlation():
    o = np.linspace(0, 1, 50)
    sums = Sums.of(o, 2 * o + 3)
    assert metrics.pearson_r(sums) == pytest.approx(1) and metrics.r2(sums) < -10
