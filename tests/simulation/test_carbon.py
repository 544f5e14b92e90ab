import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.simulation.carbon import (
    LueParameters,
    PhenologyParameters,
    RecoParameters,
    canopy,
    gpp,
    lloyd_taylor,
    nee,
    reco,
)
from raciflux.simulation.series import day_length, lagged


def _steady(value, days=60):
    return np.full((1, days), float(value))


def _gpp(ta=20.0, sw=200.0, vpd=8.0, lai=3.0, water=None, **parameters):
    water = None if water is None else _steady(water)
    return gpp(_steady(ta), _steady(sw), _steady(vpd), _steady(lai), LueParameters(**parameters), water)[0, -1]


@given(low=st.floats(0.0, 1.0), high=st.floats(0.0, 1.0))
@settings(max_examples=50, deadline=None)
def test_each_limit_is_monotone(low, high):
    low, high = sorted((low, high))
    assert _gpp(sw=400 * low) <= _gpp(sw=400 * high) + 1e-12
    assert _gpp(lai=8 * low) <= _gpp(lai=8 * high) + 1e-12
    assert _gpp(ta=-10 + 38 * low) <= _gpp(ta=-10 + 38 * high) + 1e-12
    assert _gpp(vpd=60 * low) >= _gpp(vpd=60 * high) - 1e-12
    assert _gpp(water=low) <= _gpp(water=high) + 1e-12


def test_what_stops_photosynthesis():
    assert _gpp(sw=0.0) == _gpp(lai=0.0) == _gpp(ta=-10.0) == _gpp(ta=50.0) == 0.0
    assert _gpp(water=0.35) == pytest.approx(_gpp() / 2.0)  # halved where the parameter says so
    assert _gpp(water=1.0) == pytest.approx(_gpp())
    assert _gpp(saturation=0.0) > _gpp()


def test_absorbed_light_times_efficiency_is_the_bound():
    # 300 W m-2 of shortwave carry 11.7 MJ m-2 d-1 of usable light
    assert 0.0 < _gpp(sw=300.0, efficiency=2.0) < 2.0 * 300.0 * 0.45 * 0.0864


def test_lloyd_taylor_is_one_at_ten_degrees_and_rises():
    temperature = np.linspace(-60.0, 45.0, 200)[None, :]
    relative = lloyd_taylor(temperature, 308.56)
    assert lloyd_taylor(np.array([[10.0]]), 308.56)[0, 0] == pytest.approx(1.0)
    assert np.all(np.diff(relative) >= 0.0) and np.all(relative >= 0.0)
    # Lloyd and Taylor (1994): exp(308.56 * (1 / 56.02 - 1 / 66.02)) at 20 degC
    assert lloyd_taylor(np.array([[20.0]]), 308.56)[0, 0] == pytest.approx(2.3026, abs=2e-3)


def test_respiration_needs_water_follows_productivity_and_burns_litter():
    ta, production = _steady(15.0), _steady(6.0)
    p = RecoParameters()
    base = reco(ta, production, p)[0, -1]
    assert reco(ta, 0 * production, p)[0, -1] < base
    assert reco(ta, production, p, water=_steady(0.0))[0, -1] == 0.0
    assert reco(ta, production, p, water=_steady(1.0))[0, -1] == pytest.approx(base)
    litter = _steady(0.0)
    litter[0, 30] = 100.0
    with_litter = reco(ta, production, p, residue=litter)[0]
    assert with_litter[29] == pytest.approx(base) and with_litter[31] > base
    # what is left on a day is respired in full over the months, times the relative rate
    assert lagged(np.pad(litter, ((0, 0), (0, 2000))), p.residue_days).sum() == pytest.approx(100.0, rel=1e-3)


def test_nee_is_respiration_less_production():
    assert nee(np.array([[5.0, 0.0]]), np.array([[2.0, 3.0]])).tolist() == [[-3.0, 3.0]]


def test_leaves_follow_the_season_of_their_hemisphere():
    day = np.arange(1, 366)
    warm = -10.0 + 22.0 * np.sin(np.pi * (day - 20) / 365) ** 2
    hours = day_length(np.array([[55.0]]), day[None, :])
    lai = canopy(warm[None, :], np.full((1, 365), 5.0), hours, 4.0, PhenologyParameters())[0]
    assert lai[195] > 3.5 and lai[20] < 0.3
    assert np.all((lai >= 0.0) & (lai <= 4.0))
    assert day_length(np.array([-55.0]), np.array([172]))[0] < 8.0
    assert day_length(np.array([80.0]), np.array([172]))[0] == pytest.approx(24.0)


def test_a_missing_day_is_missing_and_forgotten():
    rng = np.random.default_rng(0)
    ta, sw, vpd = rng.uniform(5, 25, (2, 200)), rng.uniform(50, 300, (2, 200)), rng.uniform(0, 20, (2, 200))
    ta[0, 50] = np.nan
    flux = gpp(ta, sw, vpd, np.full((2, 200), 2.0), LueParameters())
    assert np.isnan(flux[0, 50]) and np.isfinite(np.delete(flux, 50, axis=1)).all()
    assert np.isnan(reco(ta, flux, RecoParameters())[0]).nonzero()[0].tolist() == [50]


@given(days=st.floats(0.5, 90.0), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_memory_stays_within_what_it_saw(days, seed):
    series = np.random.default_rng(seed).standard_normal((3, 120))
    past = lagged(series, days)
    assert np.all(past <= np.maximum.accumulate(series, axis=1) + 1e-12)
    assert np.all(past >= np.minimum.accumulate(series, axis=1) - 1e-12)
    # causal: tomorrow changes nothing today
    other = series.copy()
    other[:, 80:] = 9.0
    assert np.array_equal(lagged(other, days)[:, :80], past[:, :80])


@pytest.mark.data
def test_the_models_run_on_real_drivers(data_root):
    folder = data_root / "fluxnet2015"
    sites = pl.read_csv(folder / "sites.csv").select("site_id", "lat")
    names = ["TA_F", "TA_F_MIN", "SW_IN_F", "VPD_F", "GPP_NT_VUT_REF"]
    table = pl.scan_parquet(folder / "daily.parquet").filter(pl.col("site_id").is_in(["DE-Tha", "FI-Hyy", "US-MMS"]))
    table = table.collect().join(sites, on="site_id")
    assert table["site_id"].n_unique() == 3
    for _, site in table.group_by("site_id"):
        site = site.sort("date")
        ta, ta_min, sw, vpd, seen = (site[name].to_numpy()[None, :].astype(float) for name in names)
        hours = day_length(site["lat"][0], site["date"].dt.ordinal_day().to_numpy())[None, :]
        lai = canopy(ta_min, vpd, hours, 4.0, PhenologyParameters())
        made = gpp(ta, sw, vpd, lai, LueParameters(efficiency=1.4))
        respired = reco(ta, made, RecoParameters())
        known = np.isfinite(made) & np.isfinite(seen)
        assert known.mean() > 0.8
        # untuned, the scheme still finds the season of a real forest
        assert np.corrcoef(made[known], seen[known])[0, 1] > 0.7
        assert np.nanmax(made) < 30.0 and np.nanmin(respired) >= 0.0
