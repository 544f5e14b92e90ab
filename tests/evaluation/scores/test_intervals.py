"""Intervals and quantiles against plain loops, closed forms and forecasts whose calibration is known."""

import json
from statistics import NormalDist

import numpy as np
import pytest
from raciflux.evaluation.run_folder import write_json
from raciflux.evaluation.scores.intervals import mean_interval
from raciflux.evaluation.scores.quantile_scores import crps_of_pinball, pinball
from raciflux.evaluation.scores.tables import per_site, scored_days, summary
from scipy.stats import norm
from sklearn.metrics import mean_pinball_loss

from ..fabricated import fabricate_predictions, with_uncertainty


def crps_normal(mean, std, observed):
    """Closed form, Gneiting and others (2005), doi:10.1175/MWR2904.1, equation 5."""
    z = (observed - mean) / std
    return std * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))


@pytest.fixture(scope="module")
def predictions():
    gappy = with_uncertainty(fabricate_predictions(sites=6))
    for name in ("lower", "upper"):
        gappy[name][0, 100:400] = np.nan
    gappy["prediction_quantile"][3, 1, 200:300] = np.nan
    return gappy


def test_coverage_and_width_are_means_over_sites_of_their_scored_days(predictions):
    block = summary(predictions)["scores"]["convention"]["intervals"]["bounds"]
    o, low, high = (predictions[name].to_numpy().astype(float) for name in ("observed", "lower", "upper"))
    scored, coverage, width, relative, days, without = scored_days(predictions, "convention"), [], [], [], 0, 0
    for site in range(6):
        own = [t for t in np.flatnonzero(scored[site]) if not np.isnan(low[site, t])]
        coverage.append(sum(low[site, t] <= o[site, t] <= high[site, t] for t in own) / len(own))
        width.append(sum(high[site, t] - low[site, t] for t in own) / len(own))
        relative.append(width[-1] / np.std(o[site, own]))
        days, without = days + len(own), without + scored[site].sum() - len(own)
    assert (block["level"], block["method"], block["sites"], block["clusters"]) == (0.9, "normal, made up", 6, 3)
    assert (block["days"], block["days_without_interval"]) == (days, without) and without > 50
    assert block["coverage"]["mean"] == pytest.approx(np.mean(coverage), rel=1e-9)
    assert (block["coverage"]["min"], block["coverage"]["max"]) == pytest.approx((min(coverage), max(coverage)))
    assert block["coverage"]["q25"] == pytest.approx(np.quantile(coverage, 0.25))
    assert block["width"]["median"] == pytest.approx(np.median(width), rel=1e-9)
    assert block["width_over_std"]["mean"] == pytest.approx(np.mean(relative), rel=1e-9)
    enf = block["by"]["igbp"]["ENF"]
    assert (enf["sites"], enf["clusters"]) == (2, 2)
    assert (enf["coverage"], enf["width"]) == pytest.approx(
        ((coverage[0] + coverage[4]) / 2, (width[0] + width[4]) / 2)
    )
    assert block["coverage"]["interval"] is None, "three clusters are too few to resample"
    table = per_site(predictions).filter(score="convention")
    assert table["coverage"].to_list() == pytest.approx(coverage) and table["width"].to_list() == pytest.approx(width)


def test_bounds_belong_to_the_interval():
    predictions = with_uncertainty(fabricate_predictions(sites=2))
    predictions["lower"], predictions["upper"] = predictions["observed"], predictions["observed"]
    block = summary(predictions)["scores"]["measured"]["intervals"]["bounds"]
    assert block["coverage"]["mean"] == 1 and block["width"]["mean"] == 0
    assert block["matched"] == {"factor": 0.0, "width": 0.0}
    predictions["lower"] = predictions["upper"] = predictions["observed"] + 1
    assert summary(predictions)["scores"]["measured"]["intervals"]["bounds"]["matched"] is None, "nothing to stretch"


def test_widths_are_compared_at_one_coverage():
    predictions = with_uncertainty(fabricate_predictions(sites=6))
    wide = predictions.copy()
    middle, half = (wide["lower"] + wide["upper"]) / 2, (wide["upper"] - wide["lower"]) / 2
    wide["lower"], wide["upper"] = middle - 3 * half, middle + 3 * half
    narrow, stretched = (summary(one)["scores"]["measured"]["intervals"]["bounds"] for one in (predictions, wide))
    assert stretched["coverage"]["mean"] > narrow["coverage"]["mean"]
    assert stretched["matched"]["width"] == pytest.approx(narrow["matched"]["width"], rel=1e-4), "the shape is the same"
    matched = predictions.copy()
    factor = narrow["matched"]["factor"] * (1 + 1e-6)
    middle, half = (matched["lower"] + matched["upper"]) / 2, (matched["upper"] - matched["lower"]) / 2
    matched["lower"], matched["upper"] = middle - factor * half, middle + factor * half
    covered = summary(matched)["scores"]["measured"]["intervals"]["bounds"]["coverage"]["mean"]
    assert covered == pytest.approx(0.9, abs=0.002)


def test_the_crps_of_a_class_is_the_mean_of_its_sites(predictions):
    block = summary(predictions)["scores"]["convention"]["intervals"]["quantiles"]
    table = per_site(predictions).filter(score="convention", enters=True)
    for name, labels in block["by"].items():
        assert set(labels) == set(table[name].to_list())
        for label, found in labels.items():
            own = table.filter(table[name] == label)
            assert found["crps"] == pytest.approx(own["crps"].mean(), rel=1e-12)
            assert (found["sites"], found["clusters"]) == (own.height, own["cluster"].n_unique())
    assert {"igbp", "koppen", "region"} == set(block["by"]) and len(block["by"]["igbp"]) == 4
    assert sum(one["days"] for one in block["by"]["igbp"].values()) == block["days"]
    lacking = predictions.copy(deep=True)
    lacking["prediction_quantile"][:, 1] = np.nan
    gra = summary(lacking)["scores"]["convention"]["intervals"]["quantiles"]["by"]["igbp"]["GRA"]
    assert gra["sites"] == 1 and gra["crps"] == table.filter(site_id="XX-S05")["crps"].item()


def test_quantiles_are_scored_as_scikit_learn_does(predictions):
    block = summary(predictions)["scores"]["measured"]["intervals"]["quantiles"]
    o, quantiles = (predictions[name].to_numpy().astype(float) for name in ("observed", "prediction_quantile"))
    scored, levels = scored_days(predictions, "measured"), predictions["quantile"].to_numpy()
    assert block["days_without_quantiles"] == scored[1, 200:300].sum() > 0
    scored[1, 200:300] = False
    losses = np.array(
        [
            [
                mean_pinball_loss(o[site][scored[site]], quantiles[i, site][scored[site]], alpha=level)
                for site in range(6)
            ]
            for i, level in enumerate(levels)
        ]
    )
    shares = np.array([[(o[s] <= quantiles[i, s])[scored[s]].mean() for s in range(6)] for i in range(levels.size)])
    assert block["pinball"]["median"] == pytest.approx(np.median(losses.mean(0)), rel=1e-9)
    assert block["crps"]["mean"] == pytest.approx(2 * losses.mean(), rel=1e-9)
    assert [row["level"] for row in block["reliability"]] == levels.tolist()
    assert [row["share"] for row in block["reliability"]] == pytest.approx(shares.mean(1))
    assert [row["pinball"] for row in block["reliability"]] == pytest.approx(losses.mean(1))
    assert per_site(predictions).filter(score="measured")["crps"].to_list() == pytest.approx(2 * losses.mean(0))


def test_a_perfect_forecast_is_reliable_and_its_mean_covers():
    rng, sites = np.random.default_rng(0), 30
    predictions = fabricate_predictions(sites=sites, years=2)
    centre, spread = predictions["prediction"].to_numpy().astype(float), rng.uniform(0.5, 2, (sites, 1))
    predictions["observed"] = (("site", "time"), (centre + spread * rng.normal(size=centre.shape)).astype(np.float32))
    predictions["measured"][:] = True
    levels = (np.arange(19) + 0.5) / 19
    at = centre + spread * np.array([NormalDist().inv_cdf(level) for level in levels])[:, None, None]
    reach = NormalDist().inv_cdf(0.95) * spread
    predictions = predictions.assign_coords(quantile=levels).assign(
        prediction_quantile=(("quantile", "site", "time"), at.astype(np.float32)),
        lower=(("site", "time"), (centre - reach).astype(np.float32)),
        upper=(("site", "time"), (centre + reach).astype(np.float32)),
    )
    predictions.attrs |= {"interval_level": 0.9, "interval_method": "the truth"}
    block = summary(predictions)["scores"]["measured"]["intervals"]
    coverage = block["bounds"]["coverage"]
    of_the_mean = np.sqrt(0.9 * 0.1 / predictions["observed"].size)
    assert coverage["mean"] == pytest.approx(0.9, abs=3 * of_the_mean)
    assert coverage["interval"]["low"] < coverage["mean"] < coverage["interval"]["high"]
    assert 2 < (coverage["interval"]["high"] - coverage["interval"]["low"]) / of_the_mean < 6
    assert coverage["interval"]["clusters"] == block["bounds"]["clusters"] == 15
    for row in block["quantiles"]["reliability"]:
        assert row["share"] == pytest.approx(row["level"], abs=0.01)
    expected = crps_normal(centre, spread, predictions["observed"].to_numpy()).mean()
    assert block["quantiles"]["crps"]["mean"] == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(
    "levels", [(np.arange(99) + 0.5) / 99, np.arange(1, 100) / 100, np.geomspace(0.005, 0.995, 200)]
)
def test_the_crps_of_many_quantiles_is_that_of_the_distribution(levels):
    observed = np.array([-1.0, 0.3, 4.0])
    losses = np.array([pinball(observed, norm.ppf(level, 1, 2) + 0 * observed, level) for level in levels])
    np.testing.assert_allclose(crps_of_pinball(losses, levels), crps_normal(1, 2, observed), rtol=0.02)


def test_clusters_not_sites_are_resampled():
    values = np.repeat(np.random.default_rng(0).normal(size=12), 20)
    twins, alone = np.repeat(np.arange(12), 20), np.arange(240)
    clustered, single = mean_interval(values, twins), mean_interval(values, alone)
    assert clustered["high"] - clustered["low"] > 3 * (single["high"] - single["low"])
    assert mean_interval(values, twins) == clustered, "the seed is fixed"
    assert mean_interval(values[:180], twins[:180]) is None


@pytest.mark.parametrize("left", ["bounds", "quantiles", "nothing"])
def test_what_a_model_does_not_give_is_null(left):
    predictions = with_uncertainty(fabricate_predictions(sites=2))
    if left != "bounds":
        predictions = predictions.drop_vars(["lower", "upper"])
    if left != "quantiles":
        predictions = predictions.drop_vars(["prediction_quantile", "quantile"])
    block = summary(predictions)["scores"]["measured"]["intervals"]
    if left == "nothing":
        assert block is None
    else:
        assert [name for name, value in block.items() if value is not None] == [left]


def test_sites_without_intervals_or_spread_are_null_in_the_file(tmp_path):
    predictions = with_uncertainty(fabricate_predictions(sites=2))
    predictions["observed"][0] = 0.1
    for name in ("lower", "upper"):
        predictions[name][1] = np.nan
    predictions["prediction_quantile"][:] = np.nan
    write_json(summary(predictions), tmp_path / "metrics.json")
    text = (tmp_path / "metrics.json").read_text()
    block = json.loads(text, parse_constant=pytest.fail)["scores"]["measured"]["intervals"]
    assert block["bounds"]["sites"] == 1 and block["bounds"]["width_over_std"]["mean"] is None
    assert block["quantiles"]["sites"] == 0 and block["quantiles"]["crps"]["mean"] is None
    assert block["quantiles"]["reliability"][0]["share"] is None
