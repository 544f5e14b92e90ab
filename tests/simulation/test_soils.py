from dataclasses import replace

import numpy as np
import pytest
from raciflux.simulation.climate import normals
from raciflux.simulation.soils import WETLANDS, cropland_land, koppen_group, wetland_land

RNG = np.random.default_rng(0)
LAT, LON = RNG.uniform(-50, 72, 800), RNG.uniform(-180, 180, 800)


@pytest.mark.parametrize(
    ("mean", "half_range", "rain", "group"),
    [
        (26.0, 1.5, 2200.0, "A"),  # Manaus
        (22.0, 8.0, 120.0, "B"),  # Cairo
        (10.0, 8.0, 650.0, "C"),  # Paris
        (5.0, 14.0, 700.0, "D"),  # Moscow
        (-11.0, 16.0, 110.0, "E"),  # Utqiagvik
    ],
)
def test_main_groups_of_known_climates(mean, half_range, rain, group):
    one = np.ones(1)
    climate = replace(
        normals(0, 50 * one, 10 * one), mean=mean * one, half_range=half_range * one, rain=rain * one, wet_swing=0 * one
    )
    assert koppen_group(climate)[0] == group


def test_properties_are_in_range_and_vary():
    climate = normals(0, LAT, LON)
    for land in (wetland_land(0, LAT, LON, climate), cropland_land(0, LAT, LON, climate)):
        for name, low, high in (
            ("soil_ph", 3.0, 9.0),
            ("clay", 0.0, 70.0),
            ("whc", 30.0, 500.0),
            ("lai_max", 0.5, 8.0),
        ):
            values = getattr(land, name)
            assert np.all((values >= low) & (values <= high))
            assert values.std() > 0.05 * values.mean()


def test_bogs_are_acid_peaty_and_cold():
    climate = normals(0, LAT, LON)
    land = wetland_land(0, LAT, LON, climate)
    assert set(land.kind) == set(WETLANDS)
    bog = np.char.find(land.kind, "bog") >= 0
    assert land.soil_ph[bog].mean() < land.soil_ph[~bog].mean() - 0.8
    assert land.soil_carbon[bog].mean() > 1.3 * land.soil_carbon[~bog].mean()
    assert climate.mean[bog].max() < 9.0
