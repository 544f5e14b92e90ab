import numpy as np
import pytest
from raciflux.simulation.calendar import day_of_year, days_of
from raciflux.simulation.observation import ObservationParameters, fill, observe, partition
from raciflux.sun import extraterrestrial_radiation

DAYS = days_of(2001, 6)
P = ObservationParameters(noise_floor=0.4, noise_slope=0.1)


def _observe(truth, lat=50.0, p=P, seed=0):
    sun = np.repeat(extraterrestrial_radiation(np.array([[lat]]), day_of_year(DAYS)[None, :]), len(truth), axis=0)
    return observe(truth, sun, [np.random.default_rng([seed, site]) for site in range(len(truth))], p)


def _truth(sites=40):
    return np.repeat(5.0 + 4.0 * np.cos(2 * np.pi * (day_of_year(DAYS)[None, :] - 200) / 365.25), sites, axis=0)


def test_shares_are_consistent():
    seen = _observe(_truth())
    assert np.all((seen.measured >= 0.0) & (seen.measured <= seen.qc + 1e-12) & (seen.qc <= 1.0))
    absent = np.isnan(seen.value)
    assert np.all(seen.qc[absent] == 0.0) and np.all(seen.measured[absent] == 0.0)


def test_records_have_gaps_as_real_towers_do():
    seen = _observe(_truth())
    scored = (seen.qc >= 0.75) & (seen.measured >= 0.5)
    # FLUXNET2015: a third of site-days are measured, and well filled days are many
    assert 0.3 < scored.mean() < 0.65
    assert 0.6 < (seen.qc >= 0.75).mean() < 0.95
    assert np.all(np.isfinite(seen.value).sum(axis=1) >= 1.5 * 365)
    gap = seen.measured == 0.0
    lengths = np.concatenate([np.diff(np.flatnonzero(np.diff(row, prepend=2, append=2))) for row in gap.astype(int)])
    assert lengths.max() > 20 and (lengths <= 3).sum() > 100


def test_dark_winters_silence_northern_towers():
    light = _observe(_truth(), lat=30.0).measured.mean(axis=0)
    dark = _observe(_truth(), lat=66.0).measured.mean(axis=0)
    month = DAYS.astype("datetime64[M]").astype(int) % 12 + 1
    assert dark[month == 1].mean() < 0.75 * light[month == 1].mean()
    assert dark[month == 7].mean() == pytest.approx(light[month == 7].mean(), abs=0.1)


def test_error_grows_with_the_flux():
    def spread(level):
        seen = _observe(np.full((30, len(DAYS)), level))
        whole = seen.measured > 0.9
        return np.nanstd((seen.value - level)[whole])

    assert spread(0.0) == pytest.approx(0.4, rel=0.15)
    assert spread(10.0) == pytest.approx(1.4, rel=0.15)


def test_filled_days_are_worse_than_measured_ones():
    truth = _truth() + 3.0 * np.random.default_rng(1).standard_normal(_truth().shape)
    seen = _observe(truth)
    error = np.abs(seen.value - truth)
    assert np.nanmean(error[seen.measured == 0.0]) > 1.5 * np.nanmean(error[seen.measured > 0.8])


def test_fill_takes_the_narrowest_window_and_trusts_wide_ones_less():
    seen = np.full((1, 60), np.nan)
    seen[0, :20], seen[0, 40:] = 1.0, 3.0
    measured = np.where(np.isnan(seen), 0.0, 1.0)
    guess, trust = fill(seen, measured)
    assert guess[0, 21] == pytest.approx(1.0) and guess[0, 38] == pytest.approx(3.0)
    assert trust[0, 21] > trust[0, 30]
    lonely, _ = fill(np.full((1, 60), np.nan), np.zeros((1, 60)))
    assert np.isnan(lonely).all()


def test_partitioning_estimates_respiration_and_leaves_the_day_s_noise_to_production():
    respiration = 4.0 + 2.0 * np.sin(np.arange(800) / 40.0) * np.ones((40, 1))
    net = respiration - 3.0 + np.random.default_rng(0).normal(0, 1, (40, 800))
    net[:, 100:130] = np.nan
    production, estimated = partition(net, respiration, [np.random.default_rng(i) for i in range(40)])
    np.testing.assert_allclose(estimated - production, net, atol=1e-9)
    assert np.isnan(estimated[:, 100:130]).all() and np.isfinite(estimated[:, :100]).all()
    relative = (estimated / respiration - 1.0)[:, 130:]
    assert relative.std() == pytest.approx(0.1, abs=0.02)
    assert np.corrcoef(relative[:, :-1].ravel(), relative[:, 1:].ravel())[0, 1] > 0.9
    assert abs(relative.mean()) < 0.02


def test_the_same_generators_see_the_same():
    once, again, other = _observe(_truth(3)), _observe(_truth(3)), _observe(_truth(3), seed=1)
    assert np.array_equal(once.value, again.value, equal_nan=True)
    assert not np.array_equal(once.value, other.value, equal_nan=True)
