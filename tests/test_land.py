import numpy as np
import pytest
from raciflux.land import land_polygons, on_land, shore_crossings


@pytest.mark.parametrize(
    ("place", "lat", "lon", "land"),
    [
        ("Berlin", 52.5, 13.4, True),
        ("Chukotka, beyond the date line", 66.5, -175.0, True),
        ("Viti Levu", -17.8, 178.0, True),
        ("South Pole", -89.0, 10.0, True),
        ("Caspian Sea", 42.0, 50.8, False),
        ("mid Atlantic", 30.0, -40.0, False),
        ("Pacific, on Fiji's parallel", -16.3, -100.0, False),
    ],
)
def test_known_places(place, lat, lon, land):
    assert on_land([lat], [lon])[0] == land, place


def test_no_outline_leaps_across_the_map():
    for polygon in land_polygons():
        for ring in polygon:
            assert ring.shape[1] == 2
            assert np.array_equal(ring[0], ring[-1])
            leaps = np.abs(np.diff(ring[:, 0])) > 180.0
            # but for the edge of the flat map along the South Pole
            assert np.all(ring[:-1][leaps, 1] == -90.0)


def test_every_parallel_leaves_land_as_often_as_it_enters():
    assert all(len(shore_crossings(lat)) % 2 == 0 for lat in np.arange(-89.9, 84.0, 0.37))


def test_many_points_answer_as_one_by_one():
    rng = np.random.default_rng(0)
    lat, lon = rng.uniform(-60, 75, 200), rng.uniform(-180, 180, 200)
    together = on_land(lat, lon)
    assert 20 < together.sum() < 120
    assert np.array_equal(together, [on_land([a], [b])[0] for a, b in zip(lat, lon, strict=True)])
