import numpy as np
import pytest
from raciflux.simulation.calendar import day_of_year, days_of
from raciflux.simulation.climate import normals
from raciflux.simulation.weather import SPELL_PERSISTENCE, daily_weather
from raciflux.sun import extraterrestrial_radiation

LAT = np.array([64.0, 52.0, 52.1, 35.0, 2.0, -35.0, -20.0, 68.0])
LON = np.array([25.0, 10.0, 10.1, -100.0, 25.0, 146.0, 135.0, -150.0])


def _weather(seed=0, first=2001, years=6, lat=LAT, lon=LON):
    return daily_weather(seed, lat, lon, normals(seed, lat, lon), first, years)


@pytest.fixture(scope="module")
def weather():
    return _weather()


def test_physical_limits(weather):
    top = extraterrestrial_radiation(LAT[:, None], day_of_year(days_of(2001, 6))[None, :])
    assert np.all(weather.ta_min <= weather.ta) and np.all(weather.ta <= weather.ta_max)
    assert np.all((weather.sw >= 0.0) & (weather.sw <= 0.85 * top))
    assert np.all(weather.vpd >= 0.0) and weather.vpd.max() > 10.0
    assert np.all(weather.rain >= 0.0)
    assert np.all((weather.pa > 55.0) & (weather.pa < 108.0))


def test_seasons_are_reversed_in_the_south(weather):
    month = days_of(2001, 6).astype("datetime64[M]").astype(int) % 12 + 1
    july_less_january = weather.ta[:, month == 7].mean(axis=1) - weather.ta[:, month == 1].mean(axis=1)
    assert np.all(july_less_january[[0, 1, 2, 3, 7]] > 8.0)
    assert np.all(july_less_january[[5, 6]] < -4.0)


def test_near_places_share_weather_and_far_ones_do_not(weather):
    def anomaly(series):
        return np.diff(series, axis=1)

    for series, least in (
        (weather.ta, 0.85),
        (weather.rain, 0.5),
        (weather.sw / weather.sw.max(1, keepdims=True), 0.6),
    ):
        near = np.corrcoef(anomaly(series)[1], anomaly(series)[2])[0, 1]
        far = np.corrcoef(anomaly(series)[1], anomaly(series)[5])[0, 1]
        assert near > least
        assert abs(far) < 0.2


def test_correlation_of_temperature_decays_with_distance():
    lon = 10.0 + np.array([0.0, 1.0, 6.0, 20.0, 90.0])
    ta = _weather(lat=np.full(5, 50.0), lon=lon).ta
    anomaly = np.diff(ta, axis=1)
    correlation = np.corrcoef(anomaly)[0]
    assert np.all(np.diff(correlation) < 0.0)
    assert correlation[1] > 0.85 and correlation[-1] < 0.2


def test_wet_and_dry_days_come_in_spells():
    lat, lon = np.linspace(-40.0, 60.0, 30), np.linspace(-120.0, 140.0, 30)
    wet = _weather(years=8, lat=lat, lon=lon).rain > 0.0
    after_wet = wet[:, 1:][wet[:, :-1]].mean()
    after_dry = wet[:, 1:][~wet[:, :-1]].mean()
    # seasons and climates, pooled here, add to the persistence of a single chain
    assert SPELL_PERSISTENCE < after_wet - after_dry < SPELL_PERSISTENCE + 0.2


def test_years_differ(weather):
    year = days_of(2001, 6).astype("datetime64[Y]").astype(int)
    annual = np.stack([weather.ta[:, year == y].mean(axis=1) for y in np.unique(year)])
    assert np.all(annual.std(axis=0) > 0.1)


def test_a_year_has_one_weather_whenever_the_record_starts():
    long, short = _weather(first=2001, years=3), _weather(first=2003, years=1)
    # slow anomalies remember their start for weeks: a year later a thousandth is left, which may turn a rare day wet
    assert np.mean(np.isclose(long.ta[:, -365:], short.ta, atol=0.02)) > 0.995
    assert np.mean(np.isclose(long.rain[:, -365:], short.rain, atol=0.05)) > 0.995
    head = _weather(first=2001, years=1)
    assert np.array_equal(head.ta, long.ta[:, :365])


def test_a_place_has_one_weather_whoever_asks(weather):
    alone = _weather(lat=LAT[3:4], lon=LON[3:4])
    for name in ("ta", "ta_min", "ta_max", "sw", "vpd", "rain", "pa"):
        assert np.allclose(getattr(alone, name)[0], getattr(weather, name)[3], rtol=1e-9, atol=1e-9)
