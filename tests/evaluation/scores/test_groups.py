import numpy as np
import pytest
from raciflux.evaluation.scores.groups import region
from raciflux.evaluation.scores.tables import summary

from ..fabricated import fabricate_predictions


def test_regions_are_bands_of_latitude_named_by_hemisphere():
    lat = [0, 23.4, 23.5, 49.9, 50, 66.5, 80, -0.1, -23.5, -51, -90, np.nan]
    names = ["northern tropical"] * 2 + ["northern temperate"] * 2 + ["boreal", "arctic", "arctic"]
    names += ["southern tropical", "southern temperate", "subantarctic", "antarctic", "unknown"]
    assert region(np.array(lat, float)).tolist() == names


def test_a_class_is_scored_as_a_run_of_its_sites_alone():
    predictions = fabricate_predictions(sites=8)
    predictions["igbp"] = ("site", np.array(["WET", "ENF", "ENF", "GRA", "WET", "WET", "unknown", "GRA"]))
    predictions["lat"] = ("site", np.array([10.0, 60, 60, 70, -30, -60, 45, 20]))
    block = summary(predictions)["scores"]["measured"]["by"]
    assert set(block) == {"igbp", "koppen", "region"} and sum(group["sites"] for group in block["region"].values()) == 8
    assert sorted(block["igbp"]) == ["ENF", "GRA", "WET", "unknown"]
    alone = summary(predictions.isel(site=[0, 4, 5]))["scores"]["measured"]
    assert block["igbp"]["WET"] == {
        "sites": 3,
        "clusters": 2,
        "days": alone["days"],
        "sites_without_r2": 0,
        "median_r2": alone["per_site"]["r2"]["median"],
        "median_rmse": alone["per_site"]["rmse"]["median"],
        "pooled_r2": pytest.approx(alone["pooled"]["r2"]),
        "pooled_rmse": pytest.approx(alone["pooled"]["rmse"]),
    }
    assert block["region"]["northern tropical"]["sites"] == 2


def test_a_site_that_does_not_enter_stands_in_no_class_and_one_without_spread_is_counted():
    predictions = fabricate_predictions(sites=4)
    predictions["igbp"] = ("site", np.array(["CRO", "GRA", "CRO", "ENF"]))
    predictions["measured"][0] = False
    predictions["observed"][1] = 0.1
    block = summary(predictions)["scores"]["measured"]["by"]["igbp"]
    assert set(block) == {"GRA", "CRO", "ENF"} and block["CRO"]["sites"] == 1
    assert (block["GRA"]["sites_without_r2"], block["GRA"]["median_r2"], block["GRA"]["pooled_r2"]) == (1, None, None)
    assert block["GRA"]["median_rmse"] > 0
