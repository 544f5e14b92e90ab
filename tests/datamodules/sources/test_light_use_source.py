"""The light-use-efficiency run on towers: their weather, marked sites, and not a bit of their fluxes."""

import numpy as np
import pytest
import xarray as xr
from raciflux.config.checks import LIGHT_USE_PAIRS
from raciflux.config.sources import SIMULATIONS, SOURCES, LightUseSource, TableSource
from raciflux.datamodules import PAIRS
from raciflux.datamodules.cube import attributes, validate
from raciflux.datamodules.roles import scored_days
from raciflux.datamodules.sources import read, read_simulation
from raciflux.datamodules.sources.light_use import run_on
from raciflux.errors import UserError
from raciflux.evaluation.metrics import Sums, pearson_r, r2
from raciflux.simulation.light_use import light_use_gpp

from worlds import balance_cube, poisoned

FLUXES = [f"{flux}{suffix}" for flux in ("GPP", "NEE", "RECO") for suffix in ("", "_qc", "_measured")]


def towers() -> xr.Dataset:
    """The tiny cube with three fluxes, and the night's temperature."""
    cube = balance_cube(sites=6, days=400)
    lowest = (cube["TA"] - 4.0).assign_attrs(attributes("TA_MIN"))
    return cube.assign(TA_MIN=lowest).assign_attrs(title="Tiny towers", licence="CC0", citation="Nobody 2024")


def other(cube: xr.Dataset, name: str, values: np.ndarray) -> xr.Dataset:
    return cube.assign({name: (("site", "time"), values.astype(np.float32), attributes(name))})


def flux_of(cube: xr.Dataset) -> np.ndarray:
    return run_on(cube)["GPP"].to_numpy()


def test_it_is_a_cube_of_the_same_places_and_weather_under_other_names():
    cube = towers()
    simulated = read_simulation("terrestrial_gpp", LightUseSource(), None, cube)
    validate(simulated)
    assert simulated["site_id"].to_numpy().tolist() == [f"lue.{name}" for name in cube["site_id"].to_numpy()]
    assert set(simulated.data_vars) == (set(cube.data_vars) - set(FLUXES)) | {"GPP"}
    for name in ("lat", "lon", "time", *(set(cube.data_vars) - set(FLUXES))):
        xr.testing.assert_identical(
            simulated[name].drop_vars("site_id", errors="ignore"), cube[name].drop_vars("site_id", errors="ignore")
        )
    assert simulated["GPP"].attrs["units"] == "gC m-2 d-1"
    assert "simulated" in simulated["GPP"].attrs["long_name"]
    assert simulated.attrs["title"] == "light-use-efficiency simulation on the weather of Tiny towers"
    assert simulated.attrs["licence"] == "CC0"
    assert "10.2307/2401901" in simulated.attrs["citation"] and "Nobody 2024" in simulated.attrs["citation"]
    known = np.isfinite(cube[["TA_MIN", "SW", "VPD"]].to_array().to_numpy()).all(0)
    np.testing.assert_array_equal(np.isfinite(simulated["GPP"].to_numpy()), known)
    assert simulated["GPP"].std() > 1


def test_no_flux_and_nothing_said_of_fluxes_moves_a_bit():
    cube = towers()
    everywhere = np.ones((cube.sizes["site"], cube.sizes["time"]), bool)
    spoilt = poisoned(cube, everywhere, FLUXES).assign_attrs(reading_notes="GPP: 7 values were masked")
    assert spoilt["GPP"].mean() > 100
    before = run_on(cube)
    assert before.identical(run_on(spoilt))
    assert before.identical(run_on(cube.drop_vars(FLUXES)))
    assert not before.identical(run_on(cube.assign(SW=cube["SW"] * 1.1)))


def test_photons_come_before_shortwave_day_by_day():
    cube = towers()
    photons = np.full((6, 400), 300.0)
    photons[:, 200:] = np.nan
    both = flux_of(other(cube, "PPFD", photons))
    np.testing.assert_array_equal(both[:, 200:], flux_of(cube)[:, 200:])
    alone = flux_of(other(cube, "PPFD", photons).drop_vars("SW"))
    np.testing.assert_array_equal(both[:, :200], alone[:, :200])
    assert np.isnan(alone[:, 200:]).all() and np.nanmax(np.abs(both - flux_of(cube))[:, :200]) > 1


def test_measured_absorption_comes_before_leaves_of_the_weather():
    cube = towers()
    measured = np.full((6, 400), 0.25)
    measured[:, 100:] = np.nan
    flux = flux_of(other(cube, "FAPAR", measured))
    np.testing.assert_array_equal(flux[:, 100:], flux_of(cube)[:, 100:])
    ta_min, vpd, sw = (cube[name].to_numpy()[:, :100].astype(float) for name in ("TA_MIN", "VPD", "SW"))
    expected = light_use_gpp(0.45 * 0.0864 * sw, np.full_like(sw, 0.25), ta_min, vpd, cube["igbp"].to_numpy())
    np.testing.assert_allclose(flux[:, :100], expected, rtol=1e-6)


def test_classes_without_parameters_are_said_and_take_those_of_unknown():
    cube = towers()
    assert "took the medians: unknown (2)" in run_on(cube).attrs["reading_notes"]
    nowhere = flux_of(cube.drop_vars("igbp"))
    unknown = cube["igbp"].to_numpy() == "unknown"
    np.testing.assert_array_equal(nowhere[unknown], flux_of(cube)[unknown])
    assert not np.array_equal(nowhere[~unknown], flux_of(cube)[~unknown], equal_nan=True)


def test_a_site_without_a_day_of_all_drivers_is_left_out_and_said():
    cube = towers()
    cube["VPD"][{"site": 2}] = np.nan
    simulated = run_on(cube)
    assert simulated.sizes["site"] == 5 and "lue.XX-T02" not in simulated["site_id"].to_numpy()
    assert "left out for want of a day with all drivers: XX-T02" in simulated.attrs["reading_notes"]


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (["SW"], "neither SW nor PPFD; map a column to one of them"),
        (["TA_MIN"], "runs on TA_MIN, which data.source does not have; map a column to it"),
        (["VPD"], "runs on VPD, which data.source does not have; map a column to it"),
    ],
)
def test_missing_drivers_are_one_line(gone, said):
    with pytest.raises(UserError, match=r"data\.simulation\.kind=light_use_efficiency") as caught:
        run_on(towers().drop_vars(gone))
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_drivers_that_are_never_known_together_are_one_line():
    cube = towers()
    cube["SW"][:] = np.nan
    with pytest.raises(UserError, match="no site has a day with TA_MIN, VPD and light"):
        run_on(cube)


def test_it_is_a_simulation_only_and_for_pairs_of_gpp_alone():
    assert set(SIMULATIONS) - set(SOURCES) == {LightUseSource().kind}
    assert set(LIGHT_USE_PAIRS) == {name for name, build in PAIRS.items() if build.pair.targets == ("GPP",)}


@pytest.mark.data
def test_on_fluxnet2015_it_goes_with_the_measured_flux(data_root):
    source = TableSource(columns="fluxnet2015", path="fluxnet2015/daily.parquet", sites="fluxnet2015/sites.csv")
    cube = read("terrestrial_gpp", source, data_root)
    simulated = read_simulation("terrestrial_gpp", LightUseSource(), data_root, cube)["GPP"].to_numpy()
    counted = scored_days(cube, ("GPP",), "measured")[0][..., 0] & np.isfinite(simulated)
    scored = counted.sum(1) >= 180
    sums = Sums.of(cube["GPP"].to_numpy()[scored], simulated[scored], counted[scored])
    r, explained, level = pearson_r(sums), r2(sums), sums.mean_p / sums.mean_o
    climate = cube["koppen"].to_numpy()[scored]
    for name, here in {"all": climate != "", **{each: climate == each for each in np.unique(climate)}}.items():
        found = [np.quantile(each[here], [0.25, 0.5, 0.75]).round(2).tolist() for each in (r, explained, level)]
        print(f"{name}, {here.sum()} towers: quartiles of r {found[0]}, R2 {found[1]}, mean over measured {found[2]}")
    assert scored.sum() == 150
    assert np.median(r) > 0.65
    assert (r > 0).mean() > 0.9
    assert 0.7 < np.median(level) < 1.4
