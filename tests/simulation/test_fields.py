import numpy as np
from raciflux.geography import haversine_km
from raciflux.simulation.fields import local_normal, matern, static_field

RANGE = 600.0


def _many_fields(lat, lon, count=400):
    return np.stack([static_field(seed, "test", RANGE, lat, lon) for seed in range(count)])


def test_a_field_is_a_function_of_the_place():
    lat, lon = np.array([10.0, 50.0, -30.0]), np.array([5.0, 9.0, 140.0])
    whole = static_field(3, "test", RANGE, lat, lon)
    assert np.array_equal(whole, static_field(3, "test", RANGE, lat, lon))
    assert np.array_equal(whole[1:2], static_field(3, "test", RANGE, lat[1:2], lon[1:2]))
    assert not np.allclose(whole, static_field(4, "test", RANGE, lat, lon))


def test_correlation_follows_matern_in_distance():
    lon = np.array([0.0, 1.0, 4.0, 9.0, 18.0, 60.0])
    lat = np.full(6, 48.0)
    values = _many_fields(lat, lon)
    correlation = (values * values[:, :1]).mean(axis=0)
    expected = matern(haversine_km(lat[0], lon[0], lat, lon), RANGE)
    # 400 draws: a standard error of 0.07 about uncorrelated points, less about near ones
    assert np.allclose(correlation, expected, atol=0.18)
    assert correlation[1] > 0.9
    assert abs(values.std() - 1.0) < 0.06


def test_what_is_local_is_shared_by_no_neighbour_and_stays_with_its_place():
    lat, lon = np.full(3000, 50.0), 5.0 + 0.001 * np.arange(3000)
    values = local_normal(0, "test", lat, lon)
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.06
    assert values[17] == local_normal(0, "test", lat[17:18], lon[17:18])[0]
