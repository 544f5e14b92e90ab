import json

import numpy as np
import polars as pl
import pytest
from raciflux.evaluation.evaluate import _differences
from raciflux.evaluation.run_folder import write_json
from raciflux.evaluation.scores.tables import per_site, scored_days, summary
from sklearn.metrics import r2_score, root_mean_squared_error

from ..fabricated import fabricate_predictions, with_uncertainty


def site_values(predictions, site, score):
    """Observed and predicted of a site's scored days, by hand."""
    row = predictions.isel(site=site)
    use = row["convention" if score == "convention" else "measured"].to_numpy() & ~np.isnan(row["observed"].to_numpy())
    return row["observed"].to_numpy()[use].astype(float), row["prediction"].to_numpy()[use].astype(float)


def test_per_site_scores_count_the_days_of_their_rule():
    predictions = fabricate_predictions(sites=5)
    table = per_site(predictions)
    assert table.height == 10 and table["score"].unique().sort().to_list() == ["convention", "measured"]
    for row in table.iter_rows(named=True):
        site = int(row["site_id"][-2:])
        o, p = site_values(predictions, site, row["score"])
        assert row["days"] == o.size
        assert row["r2"] == pytest.approx(r2_score(o, p), rel=1e-6)
        assert row["rmse"] == pytest.approx(root_mean_squared_error(o, p), rel=1e-6)
        assert row["bias"] == pytest.approx((p - o).mean(), rel=1e-6)


def test_summary_is_over_sites_and_over_days():
    predictions = fabricate_predictions(sites=7)
    block = summary(predictions)["scores"]["measured"]
    values = [site_values(predictions, site, "measured") for site in range(7)]
    rmse = [root_mean_squared_error(*pair) for pair in values]
    o, p = (np.concatenate(column) for column in zip(*values, strict=True))
    assert block["per_site"]["rmse"]["median"] == pytest.approx(np.median(rmse))
    assert block["per_site"]["rmse"]["q25"] == pytest.approx(np.quantile(rmse, 0.25))
    assert block["per_site"]["rmse"]["p90"] == pytest.approx(np.quantile(rmse, 0.9))
    assert block["per_site"]["rmse"]["mean"] == pytest.approx(np.mean(rmse))
    assert block["pooled"]["r2"] == pytest.approx(r2_score(o, p))
    assert (block["sites"], block["clusters"], block["days"]) == (7, 4, o.size)


def test_sites_with_too_few_scored_days_are_left_out_and_counted():
    predictions = fabricate_predictions(sites=4)
    few = predictions.copy(deep=True)
    days = np.flatnonzero(scored_days(few, "measured")[0])
    few["measured"][0, days[179:]] = False
    block = summary(few)["scores"]["measured"]
    assert (block["sites"], block["sites_below_min_days"]) == (3, 1)
    assert block["pooled"] == summary(predictions.isel(site=[1, 2, 3]))["scores"]["measured"]["pooled"]
    assert summary(few)["scores"]["convention"]["sites"] == 4
    few["measured"][0, days[179]] = True
    assert summary(few)["scores"]["measured"]["sites"] == 4


def test_a_gap_in_the_prediction_does_not_decide_who_enters():
    predictions = fabricate_predictions(sites=3)
    predictions["prediction"][0] = np.nan
    block = summary(predictions)["scores"]["measured"]
    assert block["sites"] == 3 and block["sites_without_r2"] == 1
    assert block["days_without_prediction"] == scored_days(predictions, "measured")[0].sum()
    assert block["per_site"]["r2"]["sites"] == 2


def test_the_second_line_leaves_the_odd_sites_out():
    predictions = fabricate_predictions(sites=5, odd_sites=("XX-S01", "not-tested"))
    second = summary(predictions)["without_odd_sites"]
    assert second["sites"] == ["XX-S01"]
    alone = summary(predictions.isel(site=[0, 2, 3, 4]).assign_attrs(odd_sites="[]"))["scores"]
    assert list(_differences(second["scores"], alone, "")) == []
    assert summary(predictions.assign_attrs(odd_sites="[]"))["without_odd_sites"] is None


def test_published_data_have_one_score_under_their_own_name():
    predictions = fabricate_predictions(sites=3, quality="published")
    assert list(summary(predictions)["scores"]) == ["published"]
    assert per_site(predictions)["score"].unique().to_list() == ["published"]


def test_the_noise_ceiling_is_the_score_of_the_truth():
    predictions = fabricate_predictions(sites=4)
    truth = predictions.assign(prediction=predictions["expected"])
    ceiling = summary(predictions)["scores"]["measured"]["noise_ceiling"]
    reached = summary(truth)["scores"]["measured"]
    assert ceiling["per_site"]["r2"] == reached["per_site"]["r2"] and ceiling["pooled"]["r2"] == reached["pooled"]["r2"]
    without = fabricate_predictions(sites=4, with_expected=False)
    assert summary(without)["scores"]["measured"]["noise_ceiling"] is None
    assert "ceiling_r2" not in per_site(without).columns


@pytest.mark.parametrize("spoil", ["constant", "single day", "no site", "all odd"])
def test_undefined_numbers_are_null_in_the_file(tmp_path, spoil):
    predictions = fabricate_predictions(sites=2)
    if spoil == "constant":
        predictions["observed"][:] = 0.1
    if spoil == "single day":
        predictions["measured"][:] = np.arange(predictions.sizes["time"]) == 3
        predictions["observed"][:, 3] = 1.0
        predictions.attrs["min_scored_days"] = 1
    if spoil == "no site":
        predictions.attrs["min_scored_days"] = 100_000
    if spoil == "all odd":
        predictions.attrs["odd_sites"] = '["XX-S00", "XX-S01"]'
    write_json(summary(predictions), tmp_path / "metrics.json")
    stored = json.loads((tmp_path / "metrics.json").read_text(), parse_constant=pytest.fail)
    block = (stored["without_odd_sites"] if spoil == "all odd" else stored)["scores"]["measured"]
    assert block["per_site"]["r2"]["median"] is None
    assert block["sites_without_r2"] == (2 if spoil in ("constant", "single day") else 0)
    if spoil == "constant":
        assert block["per_site"]["rmse"]["median"] > 0 and block["pooled"]["r2"] is None


def test_neither_the_order_of_sites_nor_of_days_changes_a_number():
    predictions = with_uncertainty(fabricate_predictions(sites=11, years=4, odd_sites=("XX-S03",)))
    rng = np.random.default_rng(0)
    mixed = predictions.isel(
        site=rng.permutation(predictions.sizes["site"]), time=rng.permutation(predictions.sizes["time"])
    )
    assert list(_differences(summary(predictions), summary(mixed), "")) == []


def test_folds_pooled_are_the_whole():
    predictions = fabricate_predictions(sites=6)
    whole = summary(predictions)["scores"]["measured"]
    parts = [per_site(predictions.isel(site=sites)) for sites in ([0, 3], [1, 2, 4, 5])]
    rmse = pl.concat(parts).filter(score="measured")["rmse"]
    assert whole["per_site"]["rmse"]["median"] == pytest.approx(rmse.median())


def test_the_summary_agrees_with_itself():
    block = summary(fabricate_predictions(sites=5, years=3))["scores"]["convention"]
    daily, parts = block["time_scales"]["daily"], block["error_parts"]
    assert daily["pooled"]["r2"] == pytest.approx(block["pooled"]["r2"])
    assert daily["per_site"]["rmse"]["median"] == pytest.approx(block["per_site"]["rmse"]["median"])
    assert daily["values"] == daily["days"] == parts["days"] == block["days"]
    assert all(scale["sites"] == 5 and scale["clusters"] == 3 for scale in block["time_scales"].values())
    assert block["time_scales"]["site_mean"]["per_site"]["r2"]["sites"] == 0
    assert block["time_scales"]["site_mean"]["pooled"]["r2"] is not None
