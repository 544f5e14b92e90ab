import base64
import zlib

import numpy as np
import pytest
from raciflux.evaluation.report.series import LEVELS, pack_series, ranked_sites
from raciflux.evaluation.run_folder import RunFolder
from raciflux.evaluation.scored import ScoredRun

from ..fabricated import fabricate_predictions, fabricate_run


def unpack(packed: dict, site: dict) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What report_series.js does."""
    planes = np.frombuffer(zlib.decompress(base64.b64decode(site["data"])), np.uint8)
    days, columns = site["days"], len(packed["columns"])
    high, low = planes[: 2 * columns * days].reshape(2, columns, days).astype(int)
    codes = high * 256 + low
    values = np.array(site["low"])[:, None] + (codes - 1) * np.array(site["step"])[:, None]
    return dict(zip(packed["columns"], np.where(codes, values, np.nan), strict=True)), planes[2 * columns * days :]


def scored(tmp_path, predictions, baselines=()):
    folder = RunFolder(fabricate_run(tmp_path / "run", predictions, baselines))
    return ScoredRun.of(folder), [ScoredRun.of(baseline) for baseline in folder.baselines()]


def test_unpacked_values_are_within_half_a_step(tmp_path):
    predictions = fabricate_predictions(sites=5)
    predictions["prediction"][1, 30:60] = np.nan
    run, baselines = scored(tmp_path, predictions, ("ct_lstm",))
    packed = pack_series(run, baselines)
    assert packed["columns"] == ["prediction", "observed", "ct_lstm"] and packed["baselines"] == 1
    assert [site["id"] for site in packed["sites"]] == [f"XX-S{i:02d}" for i in range(5)]
    for place, site in enumerate(packed["sites"]):
        values, flags = unpack(packed, site)
        first = int(np.datetime64("2005-01-01").astype(int))
        at = slice(site["start"] - first, site["start"] - first + site["days"])
        for name, source in (("prediction", predictions), ("observed", predictions), ("ct_lstm", None)):
            truth = (baselines[0].predictions["prediction"] if source is None else source[name]).to_numpy()[place, at]
            half = np.nanmax(truth) - np.nanmin(truth)
            np.testing.assert_allclose(values[name], truth, atol=0.51 * half / (LEVELS - 1))
        measured = predictions["measured"].to_numpy()[place, at]
        convention = predictions["convention"].to_numpy()[place, at]
        assert ((flags & 1) == measured).all() and ((flags >> 1) == convention).all()


def test_days_that_the_time_axis_skips_are_holes(tmp_path):
    predictions = fabricate_predictions(sites=2).isel(time=np.r_[0:100, 130:730])
    run, _ = scored(tmp_path, predictions)
    packed = pack_series(run, [])
    values, flags = unpack(packed, packed["sites"][0])
    assert packed["sites"][0]["days"] == 730
    assert np.isnan(values["prediction"][100:130]).all() and not flags[100:130].any()
    np.testing.assert_allclose(values["prediction"][130:], predictions["prediction"][0, 100:], rtol=0.01, atol=0.01)


def test_a_site_starts_with_its_own_record_and_an_empty_one_is_left_out(tmp_path):
    predictions = fabricate_predictions(sites=3)
    for name in ("prediction", "observed"):
        predictions[name][1, :200] = np.nan
        predictions[name][2] = np.nan
    run, _ = scored(tmp_path, predictions)
    sites = pack_series(run, [])["sites"]
    assert [site["id"] for site in sites] == ["XX-S00", "XX-S01"]
    assert sites[1]["start"] >= sites[0]["start"] + 200


def test_a_small_budget_keeps_best_median_and_worst(tmp_path):
    run, _ = scored(tmp_path, fabricate_predictions(sites=20))
    whole = pack_series(run, [])
    one = max(len(site["data"]) for site in whole["sites"])
    packed = pack_series(run, [], budget=5 * one)
    assert 5 <= len(packed["sites"]) < 20
    assert set(ranked_sites(run).values()) <= {site["id"] for site in packed["sites"]}
    assert packed == pack_series(run, [], budget=5 * one), "the lot is the same in every report"
    assert sum(len(site["data"]) for site in packed["sites"]) <= 5 * one


def test_a_baseline_without_a_site_has_holes_there(tmp_path):
    run, (baseline,) = scored(tmp_path, fabricate_predictions(sites=3), ("ct_lstm",))
    fewer = ScoredRun(baseline.folder, baseline.predictions.isel(site=[2, 0]), baseline.sites, baseline.summary)
    packed = pack_series(run, [fewer])
    assert np.isnan(unpack(packed, packed["sites"][1])[0]["ct_lstm"]).all()
    expected = baseline.predictions["prediction"].to_numpy()[2]
    np.testing.assert_allclose(unpack(packed, packed["sites"][2])[0]["ct_lstm"], expected, rtol=0.01, atol=0.02)


@pytest.mark.parametrize("value", [0.0, -3.25, 1e-9])
def test_a_constant_series_stays_what_it_is(tmp_path, value):
    predictions = fabricate_predictions(sites=2)
    predictions["prediction"][:] = value
    run, _ = scored(tmp_path, predictions)
    packed = pack_series(run, [])
    values, _ = unpack(packed, packed["sites"][0])
    np.testing.assert_allclose(values["prediction"], value, rtol=1e-5)
