import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from raciflux.sun import extraterrestrial_radiation

MJ_PER_DAY = 0.0864  # 1 W m-2 over a day

latitudes = st.floats(-90, 90)
days = st.integers(1, 366)


def test_the_worked_example_of_fao_56():
    """Example 8: 20 degrees south on 3 September gives 32.2 MJ m-2 d-1."""
    assert extraterrestrial_radiation(-20.0, 246) * MJ_PER_DAY == pytest.approx(32.2, abs=0.05)


def test_polar_night_and_polar_day():
    assert extraterrestrial_radiation(80.0, 355) == 0
    assert extraterrestrial_radiation(-80.0, 172) == 0
    assert extraterrestrial_radiation(90.0, 172) > extraterrestrial_radiation(0.0, 172)


@given(latitudes, days)
def test_finite_and_within_what_the_sun_sends(lat, day):
    radiation = extraterrestrial_radiation(lat, day)
    assert 0 <= radiation < 600


def test_it_is_the_mean_over_the_hours_of_the_day():
    """The closed form against the sum of the sun's height over small steps of the hour angle."""
    for lat, day in [(-35.0, 10), (12.0, 100), (60.0, 172), (75.0, 172), (64.0, 340)]:
        phi, declination = np.deg2rad(lat), 0.409 * np.sin(2 * np.pi * day / 365 - 1.39)
        hour = np.linspace(-np.pi, np.pi, 20001)
        height = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(hour)
        distance = 1 + 0.033 * np.cos(2 * np.pi * day / 365)
        naive = 1366.7 * distance * np.maximum(height, 0)[:-1].mean()
        assert extraterrestrial_radiation(lat, day) == pytest.approx(naive, rel=1e-3)


def test_arguments_broadcast():
    assert extraterrestrial_radiation(np.zeros((3, 1)), np.arange(1, 6)[None]).shape == (3, 5)
