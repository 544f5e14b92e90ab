"""Does distance rank error: against scipy on repeated sites, plain loops, and distances that are known to tell."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.evaluation.comparison.bootstrap import cluster_draws
from raciflux.evaluation.scores.tables import per_site, scored_days, summary
from raciflux.evaluation.scores.trust import DROPPED, gain_of_dropping, partial_spearman
from scipy.stats import pearsonr, rankdata, spearmanr

from ..fabricated import fabricate_predictions, with_distance


def naive_partial(x, y, z):
    """Correlate what regressions on the ranks of z leave of the ranks of x and y."""
    ranks = [rankdata(values) for values in (x, y, z)]
    design = np.stack([np.ones(len(z)), ranks[2]], 1)
    left = [rank - design @ np.linalg.lstsq(design, rank, rcond=None)[0] for rank in ranks[:2]]
    return pearsonr(*left).statistic


def naive_gain(nrmse, apart):
    near = sorted(range(len(apart)), key=lambda site: apart[site])
    kept = near[: len(near) - int(DROPPED * len(near) + 1e-9)]
    return sum(nrmse) / len(nrmse) - sum(nrmse[site] for site in kept) / len(kept)


@settings(max_examples=30, deadline=None)
@given(sites=st.integers(12, 60), seed=st.integers(0, 10_000), levels=st.integers(3, 40))
def test_each_draw_is_the_statistic_of_its_repeated_sites(sites, seed, levels):
    rng = np.random.default_rng(seed)
    x, y, z = (rng.integers(0, levels, sites).astype(float) for _ in range(3))  # with ties
    counts = cluster_draws(rng.integers(0, sites // 2, sites), draws=5, seed=seed)
    found, gains = partial_spearman(x, y, z, counts), gain_of_dropping(y, x, counts)
    for count, value, gain in zip(counts, found, gains, strict=True):
        repeated = [np.repeat(values, count) for values in (x, y, z)]
        if any(np.ptp(values) == 0 for values in repeated):
            continue
        if any(abs(spearmanr(values, repeated[2])[0]) > 0.999 for values in repeated[:2]):
            continue  # nothing is left of ranks that z explains whole
        assert value == pytest.approx(naive_partial(*repeated), abs=1e-9)
        order = np.argsort(x, kind="stable")  # copies of a site stand beside it, as in the draw
        near = [np.repeat(values[order], count[order]) for values in (y, x)]
        assert gain == pytest.approx(naive_gain(*near), abs=1e-9)


def test_it_is_the_formula_of_three_spearman_correlations():
    rng = np.random.default_rng(0)
    z = rng.normal(size=50)
    x, y = z + rng.normal(size=50), z + rng.normal(size=50)
    xy, xz, yz = (spearmanr(a, b).statistic for a, b in ((x, y), (x, z), (y, z)))
    expected = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    assert partial_spearman(x, y, z, np.ones((1, 50), np.int64))[0] == pytest.approx(expected)
    assert abs(expected) < xy / 2, "what z explains of both is taken out"


def test_a_rank_that_z_explains_whole_has_no_correlation_left():
    z = np.arange(20.0)
    assert np.isnan(partial_spearman(z, np.random.default_rng(0).random(20), z, np.ones((1, 20), np.int64))[0])


@pytest.fixture(scope="module")
def telling():
    return with_distance(fabricate_predictions(sites=40, error=1.5))


def test_numbers_of_a_run_are_those_of_plain_loops(telling):
    block = summary(telling)["scores"]["convention"]["trust"]
    scored = scored_days(telling, "convention")
    p, o = (telling[name].to_numpy().astype(float) for name in ("prediction", "observed"))
    rmse = [np.sqrt(np.mean((p[i, scored[i]] - o[i, scored[i]]) ** 2)) for i in range(40)]
    error = [rmse[i] / np.std(p[i]) for i in range(40)]
    nrmse = [rmse[i] / np.std(o[i, scored[i]]) for i in range(40)]
    slow, fast = (telling[f"dissimilarity_{role}"].to_numpy().astype(float) for role in ("slow", "fast"))
    for role, apart in {"slow": slow, "fast": fast, "farthest": np.maximum(slow, fast)}.items():
        found = block["rank_correlation"][role]
        assert found["value"] == pytest.approx(naive_partial(apart, error, p.mean(1)), abs=1e-9)
        assert block["gain"][role]["value"] == pytest.approx(naive_gain(nrmse, apart.tolist()), abs=1e-9)
    inside = telling["inside_area"].to_numpy() == 1
    assert 0 < inside.sum() < 40
    assert block["inside"] == {"sites": inside.sum(), "mean_nrmse": pytest.approx(np.mean(np.array(nrmse)[inside]))}
    assert block["outside"]["mean_nrmse"] == pytest.approx(np.mean(np.array(nrmse)[~inside]))
    assert (block["sites"], block["clusters"]) == (40, 20)
    table = per_site(telling).filter(score="convention")
    assert table["dissimilarity"].to_list() == pytest.approx(np.maximum(slow, fast))
    assert table["inside"].to_list() == ["inside" if held else "outside" for held in inside]


def test_a_distance_that_tells_is_told_from_one_that_does_not(telling):
    said = summary(telling)["scores"]["measured"]["trust"]
    silent = summary(with_distance(telling, telling=False))["scores"]["measured"]["trust"]
    for statistic in ("rank_correlation", "gain"):
        assert said[statistic]["farthest"]["interval"]["low"] > 0
        assert silent[statistic]["farthest"]["interval"]["low"] < 0 < silent[statistic]["farthest"]["interval"]["high"]
    json.dumps(said, allow_nan=False)


@pytest.mark.parametrize(("sites", "value", "interval"), [(6, False, False), (14, True, False), (24, True, True)])
def test_too_few_sites_or_clusters_are_null(sites, value, interval):
    block = summary(with_distance(fabricate_predictions(sites=sites)))["scores"]["measured"]["trust"]
    for statistic in ("rank_correlation", "gain"):
        for found in block[statistic].values():
            assert ((found["value"] is not None), (found["interval"] is not None)) == (value, interval)
    assert block["sites"] == sites and block["clusters"] == sites // 2


def test_a_site_that_saw_nothing_of_the_bank_is_left_out(telling):
    unseen = telling.copy(deep=True)
    unseen["dissimilarity_fast"][3] = np.nan
    assert summary(unseen)["scores"]["measured"]["trust"]["sites"] == 39


def test_a_model_without_a_bank_says_nothing():
    predictions = fabricate_predictions(sites=4)
    assert summary(predictions)["scores"]["measured"]["trust"] is None
    assert not {"dissimilarity", "inside"} & set(per_site(predictions).columns)
