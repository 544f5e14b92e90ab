"""X-MethaneWet in its published layout: what goes in comes back, on the right cell, day and unit."""

from pathlib import Path

import netCDF4
import numpy as np
import polars as pl
import pytest
import xarray as xr
from raciflux.config.sources import XMethaneWetSource
from raciflux.datamodules.sources import read
from raciflux.datamodules.sources.real_days import days_of_year
from raciflux.datamodules.sources.xmethanewet import months
from raciflux.datamodules.sources.xmethanewet.places import cell_of, nearest_with_data, positions
from raciflux.errors import UserError
from xmethanewet_layout import COLUMNS, MONTHS, ROWS, SITES, is_land, weather, write_all

FIRST, LAST = 2003, 2004  # 2004 has a 29 February
TO_NMOL = 1 / 16.043 / 86400 * 1e6  # nmol m-2 s-1 in a mgCH4 m-2 d-1


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_all(folder / "X-MethaneWet", FIRST, LAST)
    return folder


@pytest.fixture
def own(root, tmp_path) -> Path:
    """A copy that a test may damage."""
    import shutil

    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    return tmp_path


def cells(root: Path, **options: object) -> xr.Dataset:
    source = XMethaneWetSource(**{"face": "cells", "first_year": FIRST, "last_year": LAST, **options})
    return read("wetland_ch4", source, root)


def towers(root: Path, **options: object) -> xr.Dataset:
    return read("wetland_ch4", XMethaneWetSource(**options), root)


def grid(root: Path, name: str, variable: str) -> np.ndarray:
    with netCDF4.Dataset(root / "X-MethaneWet" / "TEM-MDM" / name) as file:
        return np.ma.filled(file.variables[variable][:].astype(float), np.nan)


def day_by_day(padded: np.ndarray, year: int) -> np.ndarray:
    """A naive second reading: walk the months, skip padding, put a gap on a 29 February."""
    days = []
    for month, length in enumerate(MONTHS):
        days += [padded[..., month, day] for day in range(length)]
        if month == 1 and year % 4 == 0:
            days.append(np.full(padded.shape[:-2], np.nan))
    return np.stack(days, -1)


def test_cells_come_back_where_and_when_they_were_written(root):
    cube = cells(root)
    assert cube.sizes["site"] == is_land().sum() and cube.sizes["time"] == 365 + 366
    assert cube["time"].attrs["source_calendar"] == "noleap" and cube.attrs["places"] == "cells"
    for variable, file, name, factor in (
        ("TA", "daily_ecmwf_TAIR_{}.nc", "TAIR", 1),
        ("P", "daily_ecmwf_PREC_{}.nc", "PREC", 1),
        ("FCH4", "CH4_emission_intensity_{}.nc", "CH4_emission", TO_NMOL),
    ):
        whole = np.concatenate(
            [day_by_day(grid(root, file.format(year), name), year) for year in (FIRST, LAST)], axis=-1
        )
        np.testing.assert_allclose(cube[variable], whole[is_land()] * factor, rtol=1e-5)
    row, column = np.nonzero(is_land())
    np.testing.assert_allclose(cube["lat"], -90 + (row + 0.5) * 15)
    np.testing.assert_allclose(cube["lon"], -180 + (column + 0.5) * 15)
    np.testing.assert_allclose(cube["elevation"], grid(root, "clelev.nc", "clelev")[is_land()])


def test_vapour_becomes_its_deficit_and_production_a_mean_a_day(root):
    cube = cells(root).sel(time="2003-03-17")
    place = (8, 5)
    warm, moist = (grid(root, f"daily_ecmwf_{name}_2003.nc", name)[(*place, 2, 16)] for name in ("TAIR", "VAPR"))
    cell = cube.isel(site=list(cube["site_id"].to_numpy()).index(f"C{place[0]:03d}-{place[1]:03d}"))
    expected = 6.108 * np.exp(17.27 * warm / (warm + 237.3)) - moist
    np.testing.assert_allclose(cell["VPD"], expected, rtol=1e-4)
    np.testing.assert_allclose(cell["NPP"], grid(root, "monthly_NPP_2003.nc", "NPP")[(*place, 2)] / 31, rtol=1e-5)
    np.testing.assert_allclose([cell["CO2"], cell["CH4_AIR"]], [337 + 1.8 * 24, 1550 + 7.5 * 24])


def test_classes_have_names_and_unknown_units_are_said(root):
    cube = cells(root)
    assert set(cube["wetland"].to_numpy()) == {
        "forested bog", "unforested bog", "forested swamp", "unforested swamp", "alluvial",
    }  # fmt: skip
    assert "CH4_emission: the files state no unit, mgCH4 m-2 d-1 is assumed" in cube.attrs["reading_notes"]
    assert "TAIR" not in cube.attrs["reading_notes"]


def test_a_draw_of_cells_is_seeded_and_part_of_all(root):
    some, again, other = (cells(root, cells=9, seed=seed)["site_id"].to_numpy() for seed in (3, 3, 4))
    assert len(some) == 9 and (some == again).all() and (some != other).any()
    assert set(some) <= set(cells(root)["site_id"].to_numpy())


def test_towers_bring_their_own_weather_and_their_cells_radiation(root):
    cube = towers(root)
    assert cube["site_id"].to_numpy().tolist() == list(SITES)
    table = pl.read_csv(root / "X-MethaneWet" / "FLUXNET-CH4" / "FLUXNET_T1_DD.csv").filter(pl.col("Site") == "US.Myb")
    myb = cube.isel(site=list(SITES).index("US-Myb"))
    for variable, column in (("TA", "TA_F"), ("FCH4", "FCH4_F_ANNOPTLM"), ("P", "P_F")):
        np.testing.assert_allclose(myb[variable], table[column], rtol=1e-5)
    measured = table["FCH4"].to_numpy() != -9999
    np.testing.assert_array_equal(myb["FCH4_measured"], measured)
    row, column = int((38.05 + 90) // 15), int((-121.77 + 180) // 15)
    light = day_by_day(grid(root, "daily_ecmwf_SOLR_2003.nc", "SOLR")[row, column], 2003)
    np.testing.assert_allclose(myb["SW"][:365], light, rtol=1e-5)
    leap = myb["SW"].sel(time=["2004-02-28", "2004-02-29", "2004-03-01"]).to_numpy()
    np.testing.assert_allclose(leap[1], (leap[0] + leap[2]) / 2, rtol=1e-5)


def test_the_papers_reading_is_another_cell_calendar_and_scale(root):
    corrected, paper = cells(root), cells(root, paper_compat=True)
    np.testing.assert_allclose(paper["FCH4"], corrected["FCH4"] / 23, rtol=1e-5)
    assert "VP" in paper and "VPD" not in paper
    seen = towers(root, paper_compat=True).isel(site=list(SITES).index("US-Myb"))
    assert np.isnan(seen["FCH4"].sel(time="2004-02-29")) and np.isnan(seen["SW"].sel(time="2004-02-29"))
    row, column = round((38.05 + 90) / 15), round((-121.77 + 180) / 15)
    assert row == int((38.05 + 90) // 15) + 1  # the next cell
    light = day_by_day(grid(root, "daily_ecmwf_SOLR_2003.nc", "SOLR")[row, column], 2003)
    np.testing.assert_allclose(seen["SW"][:365], light, rtol=1e-5)


def test_the_cell_of_a_place_holds_it():
    rng = np.random.default_rng(0)
    lat, lon = np.append(rng.uniform(-90, 90, 500), 90.0), np.append(rng.uniform(-180, 180, 500), 180.0)
    cell = cell_of(lat, lon, (360, 720), paper=False)
    middle_lat, middle_lon = positions(cell, (360, 720))
    assert (np.abs(lat - middle_lat) <= 0.25 + 1e-9).all()
    assert (np.abs((lon - middle_lon + 180) % 360 - 180) <= 0.25 + 1e-9).all()


def test_a_tower_on_a_coast_takes_the_nearest_cell_with_data():
    there = np.zeros(ROWS * COLUMNS, bool)
    there[5 * COLUMNS + 23] = there[9 * COLUMNS + 2] = True
    lat, lon = np.array([-7.0, 80.0, -7.0]), np.array([-179.0, 0.0, 90.0])
    assert nearest_with_data(lat, lon, (ROWS, COLUMNS), there).tolist() == [5 * COLUMNS + 23, -1, -1]


def test_padding_never_becomes_a_day():
    padded = np.where(np.arange(31)[None] < np.array(MONTHS)[:, None], 1.0, 999.0)[None]
    for year in (2003, 2004):
        days = days_of_year(year)
        values = months.on_days(padded, days)[0]
        assert np.nanmax(values) == 1.0 and np.isnan(values).sum() == (year == 2004)


def test_latitudes_that_fall_are_turned_round(own):
    path = own / "X-MethaneWet" / "TEM-MDM" / "clelev.nc"
    with netCDF4.Dataset(path, "a") as file:
        file.createVariable("lat", "f8", ("lat",))[:] = 90 - (np.arange(ROWS) + 0.5) * 15
        file.variables["clelev"][:] = file.variables["clelev"][:][::-1]
    np.testing.assert_array_equal(cells(own)["elevation"], cells(own)["elevation"])
    assert "turned round" in cells(own).attrs["reading_notes"]


def _remove(folder: Path) -> None:
    (folder / "TEM-MDM" / "daily_ecmwf_SOLR_2003.nc").unlink()


def _other_shape(folder: Path) -> None:
    with netCDF4.Dataset(folder / "TEM-MDM" / "clelev.nc", "w") as file:
        file.createDimension("a", 10), file.createDimension("b", 20)
        file.createVariable("clelev", "f4", ("a", "b"))[:] = 1


def _other_dimensions(folder: Path) -> None:
    with netCDF4.Dataset(folder / "TEM-MDM" / "monthly_NPP_2003.nc", "w") as file:
        file.createDimension("a", ROWS), file.createDimension("b", COLUMNS)
        file.createVariable("NPP", "f4", ("a", "b"))[:] = 1


def _other_unit(folder: Path) -> None:
    with netCDF4.Dataset(folder / "TEM-MDM" / "daily_ecmwf_TAIR_2003.nc", "a") as file:
        file.variables["TAIR"].units = "furlong"


def _other_name(folder: Path) -> None:
    with netCDF4.Dataset(folder / "TEM-MDM" / "daily_ecmwf_TAIR_2003.nc", "a") as file:
        file.renameVariable("TAIR", "TAIRE")


def _cut_off(folder: Path) -> None:
    path = folder / "TEM-MDM" / "CH4_emission_intensity_2003.nc"
    path.write_bytes(path.read_bytes()[:3000])


def _annual(folder: Path) -> None:
    (folder / "TEM-MDM" / "ch4-1979-2018.txt").write_text("1979 1550\n1980 many\n")


def _fractions(folder: Path) -> None:
    with netCDF4.Dataset(folder / "TEM-MDM" / "wetlandtype.nc", "a") as file:
        file.variables["wetlandtype"][:] = 1.5


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_remove, "daily_ecmwf_SOLR_2003.nc: no such file; did you mean"),
        (_other_shape, "clelev.nc: has 10 x 20 cells, other grids beside it"),
        (_other_dimensions, r"monthly_NPP_2003.nc: NPP has the shape \(12, 24\), expected \(n, 2n, 12\)"),
        (_other_unit, "daily_ecmwf_TAIR_2003.nc: TAIR: unit 'furlong' cannot become 'degC'"),
        (_other_name, "no variable 'TAIR'; did you mean 'TAIRE'"),
        (_cut_off, "CH4_emission_intensity_2003.nc: cannot be read as NetCDF"),
        (_annual, "ch4-1979-2018.txt, line 2: '1980 many' is not 'year value'"),
        (_fractions, "wetlandtype.nc: wetlandtype is 1.5 in a cell, expected whole codes"),
    ],
)
def test_damaged_grids_are_said_in_one_line(own, damage, said):
    damage(own / "X-MethaneWet")
    with pytest.raises(UserError, match=said):
        cells(own)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("US.Myb,20030105", "US.Myb,20030104", "2003-01-04 of US-Myb is there twice"),
        ("US.Myb,20030105", "US.Myb,2003W105", "row .*, column 'TIMESTAMP': '2003W105' is no day such as 20110131"),
        ("US.Myb,20030105,", "US.Myb,20030105,x", "column 'FCH4': 'x.* is not a number"),
        ("TA_F", "TAF", "no column 'TA_F'; did you mean 'TAF'"),
        ("US.Myb,20030105", "US.Mxx,20030105", "the site 'US-Mxx' is not there; did you mean"),
    ],
)
def test_damaged_tables_are_said_in_one_line(own, old, new, said):
    path = own / "X-MethaneWet" / "FLUXNET-CH4" / "FLUXNET_T1_DD.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match=said):
        towers(own)


def test_wrong_options_are_said(root):
    with pytest.raises(UserError, match="first_year=2004 is after last_year=2003"):
        cells(root, first_year=2004, last_year=2003)
    with pytest.raises(UserError, match="'TAIRR' is no variable of the grids; did you mean 'TAIR'"):
        cells(root, units=["TAIRR=K"])
    with pytest.raises(UserError, match="TEM-MDM: no such folder"):
        cells(root, path="elsewhere")
    absurd = cells(root, units=["CH4_emission=kgCH4 m-2 s-1"])
    assert absurd["FCH4"].isnull().all() and "values outside [-500, 5000]" in absurd.attrs["reading_notes"]


def test_weather_is_made_up_alike():
    np.testing.assert_array_equal(weather(2003)["TAIR"], weather(2003)["TAIR"])
