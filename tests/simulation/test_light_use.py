"""Production by light-use efficiency: the equation, its limits and its units, against a second way to compute it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.simulation.carbon import usable_light
from raciflux.simulation.light_use import BIOMES, UNLISTED, Biome, absorbing, light_of_photons, light_use_gpp

CLASSES = [*BIOMES, "WET", "unknown"]
# MOD17's table as the User's Guide prints it, kgC m-2 d-1 MJ-1, degC and Pa, in the order of its columns.
GUIDE = {
    "LUEmax": "0.000962 0.001268 0.001086 0.001165 0.001051 0.001281 0.000841 0.001239 0.001206 0.000860 0.001044",
    "Tmin_min": "-8.00 -8.00 -8.00 -6.00 -7.00 -8.00 -8.00 -8.00 -8.00 -8.00 -8.00",
    "Tmin_max": "8.31 9.09 10.44 9.94 9.50 8.61 8.80 11.39 11.39 12.02 12.02",
    "VPD_min": "650 800 650 650 650 650 650 650 650 650 650",
    "VPD_max": "4600 3100 2300 1650 2400 4700 4800 3200 3100 5300 4300",
}
COLUMNS = ("ENF", "EBF", "DNF", "DBF", "MF", "CSH", "OSH", "WSA", "SAV", "GRA", "CRO")


def of_a_day(biome: Biome, light: float, fapar: float, ta_min: float, vpd: float) -> float:
    """One site and day in plain Python."""
    if any(math.isnan(value) for value in (light, fapar, ta_min, vpd)):
        return math.nan
    cold = 0.0 if ta_min <= biome.cold else min(1.0, (ta_min - biome.cold) / (biome.mild - biome.cold))
    dry = 0.0 if vpd >= biome.dry else min(1.0, (biome.dry - vpd) / (biome.dry - biome.moist))
    return biome.efficiency * light * fapar * cold * dry


def one(igbp="GRA", light=10.0, fapar=0.7, ta_min=15.0, vpd=5.0):
    return float(light_use_gpp(*(np.array([[value]]) for value in (light, fapar, ta_min, vpd)), [igbp])[0, 0])


def test_every_class_on_every_day_as_computed_one_by_one():
    rng = np.random.default_rng(0)
    shape = (len(CLASSES), 300)
    days = [
        rng.uniform(0, 15, shape),
        rng.uniform(0, 1, shape),
        rng.uniform(-20, 25, shape),
        rng.gamma(2.0, 10.0, shape),
    ]
    for values in days:
        values[rng.random(shape) < 0.05] = np.nan
    flux = light_use_gpp(*days, CLASSES)
    for row, igbp in enumerate(CLASSES):
        expected = [of_a_day(BIOMES.get(igbp, UNLISTED), *(values[row, day] for values in days)) for day in range(300)]
        np.testing.assert_allclose(flux[row], expected, rtol=1e-12)
    assert 0.1 < np.isnan(flux).mean() < 0.3


def test_parameters_are_those_of_the_guide_in_our_units():
    table = {name: [float(value) for value in line.split()] for name, line in GUIDE.items()}
    for place, igbp in enumerate(COLUMNS):
        biome = BIOMES[igbp]
        assert biome.efficiency == pytest.approx(1000 * table["LUEmax"][place])
        assert (biome.cold, biome.mild) == (table["Tmin_min"][place], table["Tmin_max"][place])
        assert (100 * biome.moist, 100 * biome.dry) == (table["VPD_min"][place], table["VPD_max"][place])
    assert set(BIOMES) == set(COLUMNS)
    assert Biome(1.086, -8.0, 9.94, 6.5, 32.0, 3.62) == UNLISTED


@given(
    low=st.floats(0.0, 1.0),
    high=st.floats(0.0, 1.0),
    igbp=st.sampled_from(CLASSES),
    ta_min=st.floats(-30, 30),
    vpd=st.floats(0, 80),
)
@settings(max_examples=60, deadline=None)
def test_each_limit_is_monotone(low, high, igbp, ta_min, vpd):
    low, high = sorted((low, high))
    rest = {"igbp": igbp, "ta_min": ta_min, "vpd": vpd}
    assert 0.0 <= one(light=15 * low, **rest) <= one(light=15 * high, **rest)
    assert one(fapar=low, **rest) <= one(fapar=high, **rest)
    assert one(**{**rest, "ta_min": -20 + 40 * low}) <= one(**{**rest, "ta_min": -20 + 40 * high})
    assert one(**{**rest, "vpd": 60 * low}) >= one(**{**rest, "vpd": 60 * high})


def test_no_light_hard_frost_or_a_desert_s_air_give_nothing():
    assert one(light=0.0) == one(fapar=0.0) == one(ta_min=-8.0) == one(vpd=53.0) == 0.0
    assert one(ta_min=12.02, vpd=6.5) == pytest.approx(0.860 * 10.0 * 0.7)


def test_light_in_either_unit_is_megajoules_a_day():
    watts = np.array([[-3.0, 0.0, 100.0]])
    assert usable_light(watts) == pytest.approx(np.array([[0.0, 0.0, 100 * 0.45 * 86400 / 1e6]]))
    # 4.57 umol of photons carry a joule (McCree 1972), so 45 W m-2 of usable light are 205.65 umol m-2 s-1
    assert light_of_photons(np.array([[-1.0, 205.65]])) == pytest.approx(np.array([[0.0, 45 * 86400 / 1e6]]))


def test_leaves_follow_the_weather_and_their_class():
    def share(ta_min, vpd, hours, igbp="DBF"):
        steady = (np.full((1, 90), value) for value in (ta_min, vpd, hours))
        return absorbing(*steady, [igbp])[0, -1]

    assert share(15.0, 5.0, 14.0) == pytest.approx(1 - math.exp(-0.5 * 4.49))
    assert share(-5.0, 5.0, 14.0) == share(15.0, 50.0, 14.0) == share(15.0, 5.0, 9.0) == 0.0
    assert share(15.0, 5.0, 14.0, "GRA") < share(15.0, 5.0, 14.0, "WET") < share(15.0, 5.0, 14.0, "EBF")
