"""From out-of-fold predictions to intervals, on made-up predictions laid out as a run writes them."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from raciflux.config.compose import compose
from raciflux.datamodules.splits import Split
from raciflux.errors import UserError
from raciflux.workflow.calibration import calibrate_fold, with_interval
from scipy.stats import norm

DAYS, SITES = 400, 40
LEVELS = np.round(np.arange(1, 20) * 0.05, 2)
SPLIT = Split(0, tuple(f"XX-T{i:02d}" for i in range(SITES)), ("XX-V00",), ("XX-Z00",))


def config(*overrides):
    return compose(["model=lstm", "compare=[]", "calibration.kind=cross_conformal", *overrides])


def predicted(site_id, seed, distribution=False, spread=1.0):
    """Predictions whose errors grow with the flux: (1 + flux) * spread times a standard normal."""
    rng = np.random.default_rng(seed)
    shape = (len(site_id), DAYS)
    flux = rng.uniform(0.0, 5.0, shape)
    observed = flux + (1.0 + flux) * spread * rng.normal(size=shape)
    measured = rng.random(shape) < 0.7
    dims = ("site", "time")
    variables = {
        "prediction": (dims, flux.astype(np.float32)),
        "observed": (dims, np.where(measured, observed, np.nan).astype(np.float32)),
        "measured": (dims, measured),
    }
    coordinates = {"site_id": ("site", list(site_id)), "time": np.arange(DAYS)}
    if distribution:  # too narrow by half, as networks are at places that they have not seen
        quantiles = flux + 0.5 * (1.0 + flux) * norm.ppf(LEVELS)[:, None, None]
        variables["prediction_quantile"] = (("quantile", *dims), quantiles.astype(np.float32))
        coordinates["quantile"] = LEVELS
    return xr.Dataset(variables, coordinates)


def parts(distribution=False, sites=SITES):
    return [predicted(SPLIT.train[first : first + 10], first, distribution) for first in range(0, sites, 10)]


def coverage(dataset):
    inside = (dataset["observed"] >= dataset["lower"]) & (dataset["observed"] <= dataset["upper"])
    return float(inside.where(dataset["measured"]).mean())


@pytest.mark.parametrize(
    ("score", "distribution", "kind"),
    [("absolute", False, "absolute"), ("normalised", False, "normalised"), ("absolute", True, "quantile")],
)
@pytest.mark.parametrize("level", [0.5, 0.9, 0.96])
def test_intervals_cover_new_sites_as_often_as_asked(score, distribution, kind, level):
    settings = config(f"calibration.score={score}", f"calibration.level={level}")
    made = calibrate_fold(SPLIT, parts(distribution), settings)
    tested = with_interval(predicted([f"XX-Z{i:02d}" for i in range(40)], 99, distribution), made)
    assert (made.kind, made.sites, made.level) == (kind, SITES, level)
    # the mass at infinity asks for 41/40 of the level among the calibration sites
    assert coverage(tested) == pytest.approx(level * (SITES + 1) / SITES, abs=0.02)
    assert tested.attrs["interval_level"] == level
    assert f"{kind} scores" in tested.attrs["interval_method"]
    assert tested["lower"].dims == ("site", "time")
    assert tested["lower"].dtype == np.float32


def test_widths_follow_the_flux_where_they_may():
    slope = {}
    for score, distribution in (("absolute", False), ("normalised", False), ("absolute", True)):
        made = calibrate_fold(SPLIT, parts(distribution), config(f"calibration.score={score}"))
        tested = with_interval(predicted(["XX-Z00"], 99, distribution), made)
        width = (tested["upper"] - tested["lower"]).to_numpy().ravel()
        slope[made.kind] = np.polyfit(tested["prediction"].to_numpy().ravel(), width, 1)[0]
    assert slope["absolute"] == pytest.approx(0, abs=1e-4)
    assert slope["normalised"] > 0.5
    assert slope["quantile"] > 0.5


def test_what_was_observed_at_the_test_sites_cannot_reach_their_intervals():
    made = calibrate_fold(SPLIT, parts(), config())
    tested = predicted(["XX-Z00"], 99)
    blind = tested.assign(observed=tested["observed"] * np.nan, measured=~tested["measured"])
    xr.testing.assert_identical(with_interval(tested, made)["lower"], with_interval(blind, made)["lower"])


def test_a_site_with_half_the_days_counts_in_full_and_one_with_too_few_not_at_all():
    """One site of 31 is off by 1000: with it the level is out of reach of the other 30, without it in reach."""
    off = predicted([SPLIT.train[-1]], 5)
    off["observed"] = off["observed"] + 1000.0
    off["measured"] = off["measured"] & (off["time"] < 200)
    settings = config("calibration.level=0.95", "data.split.min_scored_days=100")
    assert calibrate_fold(SPLIT, [*parts(sites=30), off], settings).offset > 900
    off["measured"] = off["measured"] & (off["time"] < 100)
    assert calibrate_fold(SPLIT, [*parts(sites=30), off], settings).offset < 50


def test_too_few_sites_for_the_level_are_refused():
    with pytest.raises(UserError, match=r"level=0\.97 needs 33 calibration sites with scored days, and there are 30"):
        calibrate_fold(SPLIT, parts(sites=30), config("calibration.level=0.97"))


def test_days_without_prediction_or_observation_count_nothing():
    clean, holed = parts(), parts()
    for part, other in zip(clean, holed, strict=True):
        gone = np.random.default_rng(3).random((10, DAYS)) < 0.2
        part["measured"] = part["measured"] & ~gone
        other["prediction"] = other["prediction"].where(~gone)
    assert calibrate_fold(SPLIT, clean, config()) == calibrate_fold(SPLIT, holed, config())


@pytest.mark.parametrize("stranger", [SPLIT.test[0], SPLIT.validation[0], "XX-NEW", SPLIT.train[0]])
def test_scores_of_any_but_training_sites_are_caught(stranger):
    leaky = [*parts(), predicted([stranger], 5)]
    with pytest.raises(ValueError, match="calibration of fold 0 on sites"):
        calibrate_fold(SPLIT, leaky, config())


def test_scores_of_hidden_fluxes_are_caught():
    with pytest.raises(ValueError, match="on sites"):
        calibrate_fold(replace(SPLIT, unlabelled=(SPLIT.train[3],)), parts(), config())
