"""Weather of one product beside the flux of another, and a grid a year at a time."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from gridded_layout import days, months, truth, write_page, write_product
from raciflux.config.sources import GridSource
from raciflux.datamodules.sources import read
from raciflux.datamodules.sources.account import account_of, together
from raciflux.datamodules.sources.gridded.read import cells_by_year
from raciflux.datamodules.sources.inputs import input_files
from raciflux.errors import UserError

FLUX = "  FCH4: {name: ch4, files: '*.nc'}\n"
WEATHER = "  TA: {name: t2m, files: '*.zarr', unit: K}\n"


@pytest.fixture
def source(tmp_path) -> GridSource:
    """Two years of monthly emissions on cells of 10 degrees, and of daily weather on cells of 5."""
    write_product(tmp_path / "flux" / "ch4.nc", truth(24), months(2003, 2, "standard"))
    each = days(2003, 2, "standard")
    warmth = 280 + np.arange(len(each))[:, None, None] / 100 + np.zeros((1, 36, 72))
    write_product(tmp_path / "era5" / "t2m.zarr", warmth, each, name="t2m", unit="K")
    return GridSource(
        page=str(write_page(tmp_path / "flux.yaml", FLUX)), path="flux", first_year=2003, last_year=2004,
        weather=str(write_page(tmp_path / "weather.yaml", WEATHER)), weather_path="era5",
    )  # fmt: skip


def test_weather_comes_to_the_cells_of_the_flux_and_is_cited(tmp_path, source):
    cube = read("wetland_ch4", source, tmp_path)
    expected = 280 - 273.15 + np.arange(731) / 100
    np.testing.assert_allclose(cube["TA"].to_numpy(), np.broadcast_to(expected, cube["TA"].shape), atol=1e-4)
    assert cube.sizes["site"] > 100 and cube.attrs["citation"] == "nobody; nobody"
    assert (cube["cell_height"] == 10).all() and (cube["cell_width"] == 10).all()
    assert {"ch4.nc", "flux.yaml", "weather.yaml", "zarr.json"} <= {path.name for path in input_files(source, tmp_path)}


def test_year_by_year_is_the_same_as_all_at_once(tmp_path, source):
    field = truth(24)
    field[20, 9, 9] = 1e9  # a month of the second year that is implausible
    write_product(tmp_path / "flux" / "ch4.nc", field, months(2003, 2, "standard"))
    whole = read("wetland_ch4", source, tmp_path).drop_vars("abs_lat")
    years = list(cells_by_year(source, tmp_path))
    assert [year.sizes["time"] for year in years] == [365, 366]
    xr.testing.assert_equal(xr.concat(years, "time", data_vars="minimal", coords="minimal"), whole)
    assert together([account_of(year["FCH4"]) for year in years]) == account_of(whole["FCH4"])
    assert "2004: FCH4: 30 values outside" in years[1].attrs["reading_notes"]
    assert "masked" not in years[0].attrs["reading_notes"]


def test_a_file_that_was_replaced_in_place_is_read_anew(tmp_path, source):
    before = read("wetland_ch4", source, tmp_path)
    path = tmp_path / "flux" / "ch4.nc"
    doubled = write_product(tmp_path / "more.nc", 2 * truth(24), months(2003, 2, "standard"))
    path.write_bytes(doubled.read_bytes())
    np.testing.assert_allclose(read("wetland_ch4", source, tmp_path)["FCH4"], 2 * before["FCH4"], rtol=1e-5)
    path.write_bytes(b"")
    with pytest.raises(UserError, match="cannot be read"):
        read("wetland_ch4", source, tmp_path)


def test_years_without_a_flux_are_said_after_the_last(tmp_path, source):
    (tmp_path / "sites.csv").write_text("site_id,lat,lon\nA,1,1\n")
    source.sites, source.first_year, source.last_year = "sites.csv", 1990, 1991
    with pytest.raises(UserError, match="no cell has a FCH4 between 1990 and 1991"):
        list(cells_by_year(source, tmp_path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FLUX, "FCH4 does not go with weather; it belongs to the page of the flux"),
        (WEATHER + "wetland_fraction: {name: fw}\n", "wetland_fraction does not go with weather"),
        ("  TAIR: {name: t2m}\n", "'TAIR' is no variable here; did you mean 'TA'"),
    ],
)
def test_a_page_that_is_no_weather_is_refused(tmp_path, source, text, said):
    write_page(tmp_path / "weather.yaml", text)
    with pytest.raises(UserError, match=said):
        read("wetland_ch4", source, tmp_path)


def test_weather_needs_its_folder_and_no_variable_stands_twice(tmp_path, source):
    write_page(Path(source.page), FLUX + "  TA: {name: ch4, unit: K}\n")
    with pytest.raises(UserError, match="TA stands in the page of the flux too"):
        read("wetland_ch4", source, tmp_path)
    source.weather_path = ""
    with pytest.raises(UserError, match=r"data\.\*\.weather and data\.\*\.weather_path go together"):
        read("wetland_ch4", source, tmp_path)
