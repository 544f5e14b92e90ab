import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from raciflux.geography import EARTH_RADIUS_KM, haversine_km, touching_cells, tower_clusters, unit_vectors

HALF_WAY_ROUND = np.pi * EARTH_RADIUS_KM
place = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@pytest.mark.parametrize(
    ("a", "b", "km"),
    [
        ((0, 0), (0, 180), HALF_WAY_ROUND),
        ((90, 0), (-90, 77), HALF_WAY_ROUND),
        ((90, -120), (90, 60), 0.0),
        ((0, 179.5), (0, -179.5), HALF_WAY_ROUND / 180),
        ((60, 10), (60, 370), 0.0),
        ((36.12, -86.67), (33.94, -118.40), 2886.45),  # Nashville - Los Angeles, the textbook example
    ],
)
def test_known_distances(a, b, km):
    assert haversine_km(*a, *b) == pytest.approx(km, rel=1e-5, abs=1e-9)


@given(place, place)
def test_agrees_with_the_chord(a, b):
    chord = np.linalg.norm(unit_vectors(*a) - unit_vectors(*b))
    by_chord = 2 * EARTH_RADIUS_KM * np.arcsin(min(chord / 2, 1.0))
    # near the antipode the arc's slope against chord is infinite: sqrt(eps) radians is all a float knows
    assert haversine_km(*a, *b) == pytest.approx(by_chord, abs=0.5)
    assert haversine_km(*a, *b) == haversine_km(*b, *a)


def test_near_points_keep_their_precision():
    metre = 1 / (1000 * np.radians(1) * EARTH_RADIUS_KM)
    assert haversine_km(45, 7, 45 + metre, 7) == pytest.approx(1e-3, rel=1e-6)


@given(
    spacing=st.sampled_from([0.25, 0.5, 1.0, 2.0]),
    west=st.sampled_from([-180.0, -0.5, 359.0]),
    kept=st.lists(st.booleans(), min_size=60, max_size=60),
)
def test_cells_touch_that_are_within_one_cell_round_the_globe(spacing, west, kept):
    rows, columns = np.meshgrid(np.arange(6), np.arange(-5, 5), indexing="ij")
    lat, lon = 88.0 - spacing * rows.ravel()[kept], west + spacing * (columns.ravel()[kept] + 0.5)
    pairs = {tuple(pair) for pair in np.sort(touching_cells(lat, lon), axis=1).tolist()}
    north = np.abs(lat[:, None] - lat)
    east = np.abs((lon[:, None] - lon + 180.0) % 360.0 - 180.0)
    found = [np.diff(np.unique(degrees)) for degrees in (lat, lon)]
    height, width = (max(0.5, steps.min() if len(steps) else 0.0) for steps in found)
    near = np.triu((north < height + 0.01) & (east < width + 0.01), 1)
    assert pairs == {tuple(pair) for pair in np.argwhere(near).tolist()}


def test_clusters_chain_cross_the_antimeridian_and_count_by_first_appearance():
    step = 0.4  # degrees on the equator, 44.5 km
    lon = [10.0, 180 - step / 2, 10 + step, -180 + step / 2, 10 + 2 * step, 50.0]
    assert tower_clusters(np.zeros(6), lon, 50.0).tolist() == [0, 1, 0, 1, 0, 2]


def test_cluster_distance_is_strict():
    assert tower_clusters([0, 0], [0, 0], 0.0).tolist() == [0, 1]
    assert tower_clusters([0, 90], [0, 0], 20_100.0).tolist() == [0, 0]


@given(st.lists(place, min_size=1, max_size=25), st.floats(0, 20_000))
def test_clusters_agree_with_brute_force(places, km):
    lat, lon = np.array(places).T
    linked = haversine_km(lat[:, None], lon[:, None], lat, lon) < km
    np.fill_diagonal(linked, True)
    for _ in places:
        linked = linked @ linked
    code = tower_clusters(lat, lon, km)
    assert (linked == (code[:, None] == code)).all()
    assert list(dict.fromkeys(code.tolist())) == list(range(code.max() + 1))
