import numpy as np
import pytest
import xarray as xr
from raciflux.evaluation.comparison import compare as comparison
from raciflux.evaluation.comparison.bootstrap import cluster_draws, seed_draws
from raciflux.evaluation.comparison.compare import compare
from raciflux.evaluation.comparison.compared import PERCENT
from raciflux.evaluation.comparison.tables import model_rows, pair_rows
from raciflux.evaluation.scored import ScoredRun
from raciflux.evaluation.scores.tables import scored_days

from ..fabricated import fabricate_predictions

DRAWS, SITES = 120, 24


def only(compared, model=None):
    """The one pair of a score, or the one of ``model``."""
    (found,) = [pair for pair in compared.pairs if model in (None, pair.model)]
    return found


def looped(runs: dict[int, xr.Dataset], score: str) -> dict[str, list[float]]:
    """Every statistic of one model in every draw, by repeating sites and seeds as they were drawn."""
    first = runs[0]
    enters = scored_days(first, score).sum(1) >= first.attrs["min_scored_days"]
    sites = {seed: [] for seed in runs}
    for seed, predictions in runs.items():
        counted = scored_days(predictions, score)
        for i in np.flatnonzero(enters):
            day = counted[i]
            observed, predicted = (predictions[name].to_numpy()[i][day] for name in ("observed", "prediction"))
            sites[seed].append((observed.astype(float), predicted.astype(float)))
    found = {name: [] for name in ("mean_rmse", "median_rmse", "median_r2", "pooled_rmse", "pooled_r2")}
    cluster = first["cluster"].to_numpy()[enters]
    for of_sites, of_seeds in zip(cluster_draws(cluster, DRAWS), seed_draws(tuple(runs), DRAWS), strict=True):
        drawn = {name: [] for name in found}
        for seed in np.repeat(list(runs), of_seeds):
            records = [sites[seed][i] for i in np.repeat(np.arange(len(of_sites)), of_sites)]
            rmse = [np.sqrt(np.mean((o - p) ** 2)) for o, p in records]
            r2 = [1 - np.sum((o - p) ** 2) / np.sum((o - o.mean()) ** 2) for o, p in records]
            o, p = (np.concatenate(part) for part in zip(*records, strict=True))
            drawn["mean_rmse"].append(np.mean(rmse))
            drawn["median_rmse"].append(np.median(rmse))
            drawn["median_r2"].append(np.median(r2))
            drawn["pooled_rmse"].append(np.sqrt(np.mean((o - p) ** 2)))
            drawn["pooled_r2"].append(1 - np.sum((o - p) ** 2) / np.sum((o - o.mean()) ** 2))
        for name, values in drawn.items():
            found[name].append(float(np.mean(values)))
    return found


def test_every_number_equals_a_loop_over_the_same_draws(written):
    raci = [written(seed=seed) for seed in range(3)]
    lstm = [written(model="lstm", error=1.1, seed=seed) for seed in range(2)]
    compared = compare([*raci, *lstm], draws=DRAWS).scores[0]
    loops = [looped({i: run.predictions() for i, run in enumerate(runs)}, "measured") for runs in (raci, lstm)]
    for line, loop in zip(compared.models, loops, strict=True):
        for name, draws in loop.items():
            estimate = line.estimates[name]
            assert (estimate.low, estimate.high) == pytest.approx(np.quantile(draws, [0.025, 0.975]), rel=1e-9), name
    differences = only(compared).differences
    percent = 100 * (np.divide(loops[1]["mean_rmse"], loops[0]["mean_rmse"]) - 1)
    draws_of = {name: np.subtract(loops[1][name], loops[0][name]) for name in differences if name != PERCENT}
    for name, draws in {**draws_of, PERCENT: percent}.items():
        difference = differences[name]
        assert (difference.low, difference.high) == pytest.approx(np.quantile(draws, [0.025, 0.975]), rel=1e-9)
        if name in ("mean_rmse", "median_rmse"):
            side = min((draws <= 0).sum(), (draws >= 0).sum())
            assert difference.p == pytest.approx(min(1, 2 * (1 + side) / (1 + DRAWS)))
    p = sorted(differences[name].p for name in ("mean_rmse", "median_rmse"))
    held = sorted(differences[name].p_holm for name in ("mean_rmse", "median_rmse"))
    assert held == pytest.approx([min(1, 2 * p[0]), min(1, max(2 * p[0], p[1]))])
    share = differences["mean_rmse"].value / compared.models[0].estimates["mean_rmse"].value
    assert differences[PERCENT].value == pytest.approx(100 * share)
    for name in ("median_r2", PERCENT):
        assert differences[name].p is None and differences[name].p_holm is None, "no claim of its own"


def test_a_models_numbers_are_those_of_its_metrics_averaged_over_seeds(written):
    raci = [written(seed=seed) for seed in range(3)]
    compared = compare([*raci, written(model="lstm")], draws=DRAWS).scores[1]
    summaries = [ScoredRun.of(run).summary["scores"]["convention"] for run in raci]
    line = compared.models[0]
    expected = {
        "mean_rmse": [one["per_site"]["rmse"]["mean"] for one in summaries],
        "median_rmse": [one["per_site"]["rmse"]["median"] for one in summaries],
        "median_r2": [one["per_site"]["r2"]["median"] for one in summaries],
        "pooled_rmse": [one["pooled"]["rmse"] for one in summaries],
        "pooled_r2": [one["pooled"]["r2"] for one in summaries],
    }
    assert {name: estimate.value for name, estimate in line.estimates.items()} == pytest.approx(
        {name: np.mean(values) for name, values in expected.items()}
    )
    assert line.seeds == (0, 1, 2)
    for name in ("sites", "clusters", "days"):
        assert getattr(compared, name) == summaries[0][name]


def test_identical_runs_differ_by_nothing(written):
    compared = compare([written(), written()], draws=DRAWS)
    assert compared.scores[0].models[0].model == "raci (run0)" and compared.reference == "raci (run0)"
    for under in compared.scores:
        pair = only(under)
        assert {(d.value, d.low, d.high) for d in pair.differences.values()} == {(0.0, 0.0, 0.0)}
        assert pair.differences["mean_rmse"].p == pair.differences["median_rmse"].p_holm == 1.0
        assert (pair.wins, pair.ties, pair.losses) == (0, under.sites, 0)


def test_a_clear_gain_excludes_zero_and_wins_everywhere(written):
    raci = fabricate_predictions(sites=SITES, years=1).assign_attrs(min_scored_days=60)
    worse = raci.assign(prediction=raci["observed"] + 2 * (raci["prediction"] - raci["observed"]))
    runs = [written(raci), written(worse.assign_attrs(model="worse"))]
    under = compare(runs, draws=DRAWS).scores[0]
    pair = only(under)
    assert pair.differences["mean_rmse"].low > 0 and pair.differences["median_rmse"].low > 0
    assert pair.differences["median_r2"].high < 0
    assert pair.differences["mean_rmse"].p == pytest.approx(2 / (DRAWS + 1))
    assert (pair.wins, pair.ties, pair.losses) == (0, 0, under.sites)
    mirrored = only(compare(runs, draws=DRAWS, reference="worse").scores[0])
    assert (mirrored.model, mirrored.reference, mirrored.wins) == ("raci", "worse", under.sites)
    assert mirrored.differences["mean_rmse"].high == pytest.approx(-pair.differences["mean_rmse"].low)


def test_less_than_one_percent_is_a_tie(written):
    raci = fabricate_predictions(sites=SITES, years=1).assign_attrs(min_scored_days=60)
    error = raci["prediction"] - raci["observed"]
    factor = xr.DataArray(np.array([1.005, 1.02, 0.98])[np.arange(SITES) % 3], dims="site")
    other = raci.assign(prediction=raci["observed"] + factor * error).assign_attrs(model="other")
    pair = only(compare([written(raci), written(other)], draws=DRAWS).scores[1])
    enters = ScoredRun.of(written(raci)).sites.filter(score="convention")["enters"].to_numpy()
    expected = [int(enters[np.arange(SITES) % 3 == kind].sum()) for kind in (2, 0, 1)]
    assert [pair.wins, pair.ties, pair.losses] == expected


def test_resampled_sites_would_give_too_narrow_an_interval(written, monkeypatch):
    """Four towers of one place err alike: the interval must not take them for four pieces of evidence."""
    raci = fabricate_predictions(sites=48, years=1).assign_attrs(min_scored_days=30)
    cluster = np.arange(48) // 4
    observed = np.broadcast_to(raci["observed"].to_numpy()[:1], raci["observed"].shape)
    level = np.random.default_rng(0).uniform(0.5, 3, 12)[cluster]
    same = {name: (("site", "time"), np.isfinite(observed)) for name in ("measured", "convention")}
    raci = raci.assign(observed=(("site", "time"), observed), cluster=("site", cluster), **same).drop_vars("expected")
    runs = [
        written(raci.assign(prediction=raci["observed"] + xr.DataArray(error, dims="site")).assign_attrs(model=name))
        for name, error in (("raci", level), ("flat", np.full(48, 1.5)))
    ]

    def width() -> float:
        difference = only(compare(runs, draws=400).scores[0]).differences["mean_rmse"]
        return difference.high - difference.low

    whole = width()
    monkeypatch.setattr(comparison, "cluster_draws", lambda code, *rest: cluster_draws(np.arange(len(code)), *rest))
    assert whole > 1.6 * width()


@pytest.mark.filterwarnings("error:::raciflux")
def test_fluxes_that_vary_nowhere_are_compared_by_their_errors_alone(written):
    flat = [
        run.predictions().assign(observed=lambda it: it["observed"] * 0 + 2.0)
        for run in (written(), written(model="lstm", error=2.0))
    ]
    compared = compare([written(one) for one in flat], draws=DRAWS).scores[0]
    assert all(line.estimates["median_r2"].value is None for line in compared.models)
    difference = only(compared).differences
    assert difference["median_r2"].value is None and difference["median_r2"].low is None
    assert difference["mean_rmse"].p_holm is not None
    assert model_rows(compared) and pair_rows(compared)


def test_few_clusters_give_differences_by_site_and_no_interval(written):
    raci, lstm = (
        fabricate_predictions(sites=18, years=1, model=name, error=error).assign_attrs(min_scored_days=60)
        for name, error in (("raci", 1.0), ("lstm", 1.2))
    )
    under = compare([written(raci), written(lstm)], draws=DRAWS).scores[1]
    assert under.clusters == 9
    pair = only(under)
    assert all((d.low, d.high, d.p, d.p_holm) == (None,) * 4 for d in pair.differences.values())
    assert all((e.low, e.high) == (None, None) for line in under.models for e in line.estimates.values())
    tables = [ScoredRun.of(written(one)).sites.filter(score="convention", enters=True) for one in (raci, lstm)]
    apart = (tables[1]["rmse"] - tables[0]["rmse"]).to_list()
    assert pair.sites == pytest.approx(dict(zip(tables[0]["site_id"].to_list(), apart, strict=True)))
    assert pair.differences["mean_rmse"].value == pytest.approx(np.mean(apart))
