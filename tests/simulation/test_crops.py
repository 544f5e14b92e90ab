import numpy as np
import pytest
from raciflux.simulation.calendar import day_of_year, days_of
from raciflux.simulation.climate import normals
from raciflux.simulation.crops import ROTATIONS, grow, leaf_course, rotation_of
from raciflux.simulation.weather import daily_weather

LAT = np.array([41.2, 40.5, 52.0, -35.0, 49.5, 44.0])
LON = np.array([-96.4, -89.0, 10.0, 147.0, -104.0, 24.0])
YEARS = 6


@pytest.fixture(scope="module")
def fields():
    climate = normals(0, LAT, LON)
    weather = daily_weather(0, LAT, LON, climate, 2001, YEARS)
    lai_max, cultivar = np.full(len(LAT), 4.0), np.ones(len(LAT))
    season = grow(0, LAT, LON, climate, lai_max, days_of(2001, YEARS), weather.ta, weather.rain, cultivar)
    return season, rotation_of(0, LAT, LON, climate)


def test_every_place_has_a_known_rotation(fields):
    assert set(fields[1]) <= set(ROTATIONS)


def test_a_crop_a_year_and_a_harvest_each(fields):
    season, _ = fields
    sown = np.diff(season.planted, axis=1) > 0
    assert np.all((sown.sum(axis=1) >= YEARS - 1) & (sown.sum(axis=1) <= YEARS + 1))
    # the last day of a stand is followed by its harvest
    reaped = np.diff(season.planted, axis=1) < 0
    assert np.array_equal(reaped, season.harvest[:, 1:] == 1.0)


def test_summer_crops_grow_in_the_summer_of_their_hemisphere():
    rng = np.random.default_rng(0)
    lat = np.concatenate([rng.uniform(32, 46, 200), rng.uniform(-46, -28, 400)])
    lon = np.concatenate([rng.uniform(-100, -80, 200), rng.uniform(110, 150, 200), rng.uniform(-72, -55, 200)])
    climate = normals(3, lat, lon)
    rotation = rotation_of(3, lat, lon, climate)
    # where winters are mild, farmers follow the rains instead
    summer = (np.char.find(rotation, "maize") >= 0) & (climate.half_range > 7.0)
    lat, lon = lat[summer], lon[summer]
    climate, days = normals(3, lat, lon), days_of(2001, 4)
    weather = daily_weather(3, lat, lon, climate, 2001, 4)
    season = grow(3, lat, lon, climate, np.full(len(lat), 4.0), days, weather.ta, weather.rain, np.ones(len(lat)))
    july, january = (season.lai[:, np.abs(day_of_year(days) - day) < 15].mean(axis=1) for day in (196, 15))
    north = lat > 0.0
    assert north.sum() >= 5 and (~north).sum() >= 5
    assert np.all(july[north] > january[north])
    assert np.all(january[~north] > july[~north])


def test_leaves_and_nitrogen_only_while_a_crop_stands(fields):
    season, _ = fields
    assert np.all(season.lai[season.planted == 0.0] == 0.0)
    assert np.all(season.nitrogen[season.planted == 0.0] == 0.0)
    assert np.all((season.nitrogen >= 0.0) & (season.nitrogen <= 40.0))
    assert season.lai.max() > 2.5


def test_maize_and_soybean_take_turns():
    rng = np.random.default_rng(0)
    lat, lon = rng.uniform(38, 46, 80), rng.uniform(-98, -80, 80)
    climate = normals(0, lat, lon)
    rotation = rotation_of(0, lat, lon, climate)
    chosen = np.flatnonzero(rotation == "maize-soybean")[:5]
    assert len(chosen) > 0
    lat, lon = lat[chosen], lon[chosen]
    climate = normals(0, lat, lon)
    weather = daily_weather(0, lat, lon, climate, 2001, 4)
    season = grow(
        0, lat, lon, climate, np.full(len(lat), 4.0), days_of(2001, 4), weather.ta, weather.rain, np.ones(len(lat))
    )
    efficiency = season.efficiency.reshape(len(lat), -1)[:, [200, 565, 930, 1295]]
    standing = efficiency > 0
    alternates = efficiency[:, :-1] != efficiency[:, 1:]
    assert np.all(alternates[standing[:, :-1] & standing[:, 1:]])
    assert standing.mean() > 0.8


def test_leaf_course_rises_and_falls():
    course = leaf_course(np.linspace(0.0, 1.0, 101))
    peak = int(np.argmax(course))
    assert course[0] < 0.01 and course[-1] < 0.1 and course[peak] > 0.95
    assert np.all(np.diff(course[: peak + 1]) > 0.0) and np.all(np.diff(course[peak:]) < 0.0)
