"""What folds say together: means of fluxes and quantiles, and intervals that keep the promise of each fold's."""

import numpy as np
import pytest
import xarray as xr
from raciflux.workflow.pooled import Pooled

DAYS, LEVELS = 6, [0.1, 0.5, 0.9]


def said(seed: int) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    flux = rng.normal(size=(2, DAYS)).astype(np.float32)
    flux[1, 2] = np.nan  # a day without drivers, for every fold
    slow = np.array([0.2 + seed, np.nan if seed else 0.5], np.float32)
    quantiles = np.stack([flux - 1 - seed, flux, flux + 1 + seed])
    return xr.Dataset(
        {
            "prediction": (("site", "time"), flux),
            "prediction_quantile": (("quantile", "site", "time"), quantiles),
            "lower": (("site", "time"), flux - 2),
            "upper": (("site", "time"), flux + 2 + seed),
            "dissimilarity_slow": ("site", slow, {"threshold": seed}),
            "dissimilarity_fast": ("site", np.array([0.2, np.nan], np.float32), {"threshold": 0.5}),
            "inside_area": ("site", np.array([seed != 1, seed == 0], np.int8), {"flag_meanings": "outside inside"}),
        },
        {"quantile": LEVELS},
        {"interval_level": 0.9, "interval_method": "by hand"},
    )


def pooled(*folds: xr.Dataset) -> Pooled:
    together = Pooled()
    for fold in folds:
        together.add(fold)
    return together


def test_one_fold_says_what_it_said() -> None:
    one = pooled(said(0))
    made = one.variables("GPP", "")
    assert set(made) == {"prediction", "prediction_quantile", "lower", "upper"}
    for name, (dims, values, attrs) in made.items():
        np.testing.assert_array_equal(values, said(0)[name].to_numpy())
        assert dims == said(0)[name].dims and attrs["units"] == "gC m-2 d-1"
    assert one.interval() == {"interval_level": 0.9, "interval_method": "by hand"}


def test_of_several_folds_each_interval_lies_within_the_one_they_make_and_no_wider_than_needed() -> None:
    folds = [said(seed) for seed in range(3)]
    together = pooled(*folds)
    made = together.variables("NEE", "_NEE")
    for fold in folds:
        known = np.isfinite(fold["prediction"].to_numpy())
        assert (made["lower_NEE"][1] <= fold["lower"].to_numpy())[known].all()
        assert (made["upper_NEE"][1] >= fold["upper"].to_numpy())[known].all()
    ends = np.stack([fold["lower"].to_numpy() for fold in folds])
    assert (made["lower_NEE"][1] == ends).any(0)[known].all()
    assert np.isnan(made["lower_NEE"][1][1, 2]) and np.isnan(made["prediction_quantile_NEE"][1][:, 1, 2]).all()
    assert "3 folds" in together.interval()["interval_method"]
    assert made["prediction_NEE"][2]["ancillary_variables"] == "lower_NEE upper_NEE"


def test_fluxes_and_quantiles_of_several_folds_are_averaged_level_by_level() -> None:
    folds = [said(seed) for seed in range(3)]
    made = pooled(*folds).variables("GPP", "")
    for name in ("prediction", "prediction_quantile"):
        expected = np.mean([fold[name].to_numpy() for fold in folds], axis=0)
        np.testing.assert_allclose(made[name][1], expected, rtol=1e-5)
    spread = np.std([fold["prediction"].to_numpy() for fold in folds], axis=0, ddof=1)
    np.testing.assert_allclose(made["prediction_spread"][1], spread, rtol=1e-5)


@pytest.mark.parametrize("lost", [["prediction_quantile"], ["lower", "upper"]])
def test_what_the_folds_do_not_say_is_not_there(lost: list[str]) -> None:
    together = pooled(*(said(seed).drop_vars(lost) for seed in range(2)))
    assert not set(lost) & set(together.variables("GPP", ""))
    assert bool(together.interval()) == ("lower" not in lost)


def test_the_distance_to_several_banks_is_their_mean_and_inside_is_what_most_say() -> None:
    one = pooled(said(0)).distance()
    assert one["inside_area"].to_numpy().tolist() == [1, 1] and one["dissimilarity_slow"].attrs["threshold"] == 0
    made = pooled(*(said(seed) for seed in range(3))).distance()
    assert made["inside_area"].to_numpy().tolist() == [1, 0] and made["inside_area"].dtype == np.int8
    np.testing.assert_allclose(made["dissimilarity_slow"], [1.2, 0.5], rtol=1e-6)  # one bank alone knows of the second
    np.testing.assert_allclose(made["dissimilarity_fast"], [0.2, np.nan], rtol=1e-6)
    assert made["dissimilarity_slow"].attrs["threshold"] == [0, 1, 2]
    even = pooled(said(0), said(1)).distance()
    assert even["inside_area"].to_numpy().tolist() == [0, 0], "half is not most"


def test_folds_without_a_bank_tell_no_distance() -> None:
    bare = [said(seed).drop_vars(["dissimilarity_slow", "dissimilarity_fast", "inside_area"]) for seed in range(2)]
    assert pooled(*bare).distance() == {}
