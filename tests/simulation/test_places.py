import numpy as np
import pytest
from raciflux.errors import UserError
from raciflux.geography import haversine_km, tower_clusters
from raciflux.land import on_land
from raciflux.simulation.climate import normals
from raciflux.simulation.places import draw_cells, draw_towers


def _anywhere(climate):
    return np.ones(len(climate.mean), dtype=bool)


def test_towers_stand_on_land_crowded_but_not_all_together():
    lat, lon = draw_towers(0, "test", 80, _anywhere)
    assert np.all(on_land(lat, lon)) and np.all((lat >= -50.0) & (lat <= 72.0))
    distance = haversine_km(lat[:, None], lon[:, None], lat, lon) + np.where(np.eye(80, dtype=bool), np.inf, 0.0)
    assert 5 <= (distance.min(axis=1) < 50.0).sum() <= 60
    assert tower_clusters(lat, lon, 50.0).max() + 1 >= 40
    assert (lat < 0).sum() >= 5


def test_cells_are_distinct_centres_of_the_grid():
    lat, lon = draw_cells(0, "test", 300, _anywhere)
    assert np.all((lat * 4) % 2 == 1) and np.all((lon * 4) % 2 == 1)
    assert len(set(zip(lat, lon, strict=True))) == 300
    assert np.all(on_land(lat, lon))


@pytest.mark.parametrize("draw", [draw_towers, draw_cells])
def test_a_smaller_draw_begins_a_larger_one(draw):
    small, large = draw(5, "test", 7, _anywhere), draw(5, "test", 30, _anywhere)
    assert np.array_equal(small[0], large[0][:7]) and np.array_equal(small[1], large[1][:7])
    other = draw(6, "test", 7, _anywhere)
    assert not np.array_equal(small[0], other[0])


def test_only_suitable_places_are_drawn_and_too_many_are_refused(monkeypatch):
    monkeypatch.setattr("raciflux.simulation.places.NORTH", -38.0)

    def mild(climate):
        return climate.mean > 9.0

    lat, lon = draw_cells(0, "test", 5, mild)
    assert np.all(normals(0, lat, lon).mean > 9.0)
    with pytest.raises(UserError, match=r"places=2000: .* only [1-9]\d* grid cells .*; ask for fewer"):
        draw_cells(0, "test", 2_000, mild)
