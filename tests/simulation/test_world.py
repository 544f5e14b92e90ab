import numpy as np
import pytest
import xarray as xr
from raciflux.config.sources import EmbeddedSource
from raciflux.errors import UserError
from raciflux.simulation.climate import normals
from raciflux.simulation.hidden import Hidden, WorldParameters
from raciflux.simulation.weather import daily_weather
from raciflux.simulation.world import ECOSYSTEMS, embedded_cube
from raciflux.variables import CLASSES, lookup

DRIVERS = ["TA", "TA_MIN", "TA_MAX", "SW", "VPD", "P", "PA"]


def _r2(seen, made):
    return 1.0 - ((seen - made) ** 2).sum() / ((seen - seen.mean()) ** 2).sum()


def _scored(cube, target):
    return (cube[f"{target}_qc"].values >= 0.75) & (cube[f"{target}_measured"].values >= 0.5)


def test_the_cube_is_the_houses_cube(pair, towers, cells):
    target = ECOSYSTEMS[pair].target
    for cube, prefix, years in ((towers, "TW-001", 3), (cells, "SM-0001", 2)):
        assert cube[target].dims == ("site", "time")
        assert cube.sizes["time"] == (np.datetime64(f"{2001 + years}-01-01") - np.datetime64("2001-01-01")).astype(int)
        assert cube["time"].attrs["source_calendar"] == "standard"
        assert cube.site_id.values[0] == prefix and len(set(cube.site_id.values)) == 24
        for name in [*DRIVERS, target]:
            assert cube[name].dtype == np.float32
        for name in [*DRIVERS, target, *ECOSYSTEMS[pair].statics]:
            entry = lookup(name)
            assert cube[name].attrs["units"] == entry.unit and cube[name].attrs["long_name"] == entry.long_name
            low, high = entry.plausible
            values = cube[name].values
            assert np.all(np.isnan(values) | ((values >= low) & (values <= high))), name
        assert all("units" in cube[name].attrs for name in cube.data_vars if name not in CLASSES)
        assert all(np.isfinite(cube[name].values).all() for name in [*DRIVERS, *ECOSYSTEMS[pair].statics])
        classes = [name for name in CLASSES if name in cube]
        assert "koppen" in classes and len(classes) >= 3
        assert all(cube[name].dtype.kind == "U" and cube[name].attrs["long_name"] for name in classes)


def test_rounding_keeps_the_order_of_temperatures(towers):
    assert np.all(towers.TA_MIN <= towers.TA) and np.all(towers.TA <= towers.TA_MAX)


def test_companions_of_the_target(pair, towers, cells):
    target = ECOSYSTEMS[pair].target
    assert np.isfinite(towers[f"{target}_expected"]).all()
    assert np.isnan(towers[target]).any()
    assert np.isfinite(cells[target]).all()
    assert (cells[f"{target}_qc"] == 1).all() and (cells[f"{target}_measured"] == 1).all()
    assert f"{target}_expected" not in cells


def test_fluxes_have_realistic_size(pair, towers):
    truth = towers[f"{ECOSYSTEMS[pair].target}_expected"].values
    low, median_low, median_high, high = {
        "wetland_ch4": (-8.0, 15.0, 110.0, 2000.0),
        "terrestrial_gpp": (0.0, 0.8, 5.0, 45.0),
        "cropland_gpp": (0.0, 0.8, 4.0, 45.0),
        "cropland_co2": (-30.0, -1.5, 1.0, 20.0),
        "carbon_balance": (-30.0, -1.5, 1.0, 20.0),
    }[pair]
    assert low <= truth.min() and truth.max() <= high
    assert median_low < np.median(truth.mean(axis=1)) < median_high


def test_noise_ceiling(pair):
    target = ECOSYSTEMS[pair].target
    cube = embedded_cube(pair, EmbeddedSource(places=60, years=4, seed=1))
    seen, truth, scored = cube[target].values, cube[f"{target}_expected"].values, _scored(cube, target)
    ceilings = [_r2(seen[i][m], truth[i][m]) for i, m in enumerate(scored) if m.sum() >= 180]
    assert len(ceilings) >= 45
    assert 0.8 < np.median(ceilings) < 0.97
    assert 0.25 < scored.mean() < 0.65


def test_a_seed_is_a_world_to_the_bit():
    source = EmbeddedSource(places=6, years=1, seed=7)
    once, again = embedded_cube("wetland_ch4", source), embedded_cube("wetland_ch4", source)
    xr.testing.assert_identical(once, again)
    other = embedded_cube("wetland_ch4", EmbeddedSource(places=6, years=1, seed=8))
    assert not np.allclose(once.TA, other.TA)


def test_the_years_run_to_settle_are_cut_off():
    cube = embedded_cube("wetland_ch4", EmbeddedSource(places=3, years=1, start=2001))
    lat, lon = cube.lat.values, cube.lon.values
    weather = daily_weather(0, lat, lon, normals(0, lat, lon), 2001, 1)
    assert np.mean(np.isclose(cube.TA, weather.ta, atol=0.02)) > 0.99
    # and the soils have settled: the same year after a longer run
    later = embedded_cube("wetland_ch4", EmbeddedSource(places=3, years=3, start=1999)).sel(time="2001")
    np.testing.assert_allclose(cube.FCH4_expected.mean("time"), later.FCH4_expected.mean("time"), rtol=0.05)


def test_fewer_places_and_years_are_the_start_of_more():
    large = embedded_cube("cropland_co2", EmbeddedSource(places=8, years=2))
    small = embedded_cube("cropland_co2", EmbeddedSource(places=3, years=1))
    part = large.isel(site=slice(0, 3), time=slice(0, 365))
    for name in ("TA", "P", "PLANTED", "N_RATE", "NEE_expected"):
        np.testing.assert_allclose(small[name], part[name], rtol=1e-5, atol=1e-5)


def test_both_faces_share_weather_and_land(monkeypatch):
    places = np.array([52.25, 42.25, -33.75]), np.array([10.25, -93.25, 146.75])
    for draw in ("draw_towers", "draw_cells"):
        monkeypatch.setattr(f"raciflux.simulation.world.{draw}", lambda *_: places)
    tower, cell = (
        embedded_cube("cropland_gpp", EmbeddedSource(face=face, places=3, years=2)) for face in ("towers", "simulation")
    )
    for name in [*DRIVERS, *ECOSYSTEMS["cropland_gpp"].statics, "koppen", "crop"]:
        assert np.array_equal(tower[name], cell[name]), name
    # but the simulation is another model: alike in season, wrong in size
    truth, made = tower.GPP_expected.values, cell.GPP.values
    assert np.corrcoef(truth.ravel(), made.ravel())[0, 1] > 0.5
    assert np.abs(made - truth).mean() > 0.2 * truth.mean()


def test_net_exchange_is_respiration_less_production_at_the_same_towers():
    source = EmbeddedSource(places=6, years=2)
    exchange, production = embedded_cube("cropland_co2", source), embedded_cube("cropland_gpp", source)
    assert np.array_equal(exchange.lat, production.lat) and np.array_equal(exchange.PLANTED, production.PLANTED)
    respiration = exchange.NEE_expected + production.GPP_expected
    assert respiration.min() >= -1e-4
    assert respiration.mean() > 0.3


@pytest.mark.parametrize("face", ["towers", "simulation"])
def test_the_balance_holds_as_seen_and_in_truth(face):
    """NEE is what `cropland_co2` sees; what it is made of comes out of it, on the same days and of the same quality."""
    source = EmbeddedSource(places=12, years=2, face=face)
    cube, net = embedded_cube("carbon_balance", source), embedded_cube("cropland_co2", source)
    for name in net.data_vars:
        xr.testing.assert_identical(cube[name], net[name])
    production = embedded_cube("cropland_gpp", source)
    true = "_expected" if face == "towers" else ""
    np.testing.assert_array_equal(cube[f"GPP{true}"], production[f"GPP{true}"])
    for suffix in {"", true}:
        difference = cube[f"RECO{suffix}"] - cube[f"GPP{suffix}"] - cube[f"NEE{suffix}"]
        assert abs(difference).max() < 1e-5
    for name in ("GPP", "RECO"):
        np.testing.assert_array_equal(np.isnan(cube[name]), np.isnan(cube.NEE))
        for companion in ("_qc", "_measured"):
            np.testing.assert_array_equal(cube[name + companion], cube["NEE" + companion])
    if face == "towers":
        scored = _scored(cube, "NEE")
        noise = {name: (cube[name] - cube[f"{name}_expected"]).values[scored] for name in ("GPP", "RECO", "NEE")}
        assert 0.02 < noise["RECO"].std() < noise["NEE"].std() < noise["GPP"].std()


def test_hidden_properties_are_half_shared_with_neighbours():
    rng = np.random.default_rng(0)
    lat = np.concatenate([rng.uniform(-40, 60, 400)] * 2)
    lon = np.concatenate([rng.uniform(-180, 180, 400)] * 2)
    lat[400:] += 0.05
    world = WorldParameters()
    pairs = np.stack([Hidden(seed, lat, lon, world).normal("production").reshape(2, 400) for seed in range(8)])
    correlation = np.corrcoef(pairs[:, 0].ravel(), pairs[:, 1].ravel())[0, 1]
    assert correlation == pytest.approx(world.hidden_share, abs=0.1)
    assert pairs.std() == pytest.approx(1.0, abs=0.12)


def test_hidden_properties_matter_and_can_be_switched_off():
    source = EmbeddedSource(places=12, years=1)
    plain = WorldParameters(level=0.0, water=0.0, response=0.0, vigour=0.0)
    with_, without = embedded_cube("wetland_ch4", source), embedded_cube("wetland_ch4", source, plain)
    change = np.log(with_.FCH4_expected.mean("time") / without.FCH4_expected.mean("time"))
    assert 0.1 < float(change.std()) < 1.2
    assert np.array_equal(with_.TA, without.TA)


def test_places_beyond_one_chunk_are_joined(monkeypatch):
    source = EmbeddedSource(face="simulation", places=9, years=1)
    whole = embedded_cube("cropland_gpp", source)
    monkeypatch.setattr("raciflux.simulation.world._CHUNK", 4)
    joined = embedded_cube("cropland_gpp", source)
    assert joined["time"].attrs == whole["time"].attrs and set(joined.data_vars) == set(whole.data_vars)
    assert joined.crop.dims == ("site",) and joined.elevation.dims == ("site",)
    np.testing.assert_allclose(joined.GPP, whole.GPP, rtol=1e-4, atol=1e-4)


def test_a_pair_it_has_not_is_refused():
    with pytest.raises(UserError, match="terrestrial_co2 is not in the embedded world, which has wetland_ch4"):
        embedded_cube("terrestrial_co2", EmbeddedSource())
