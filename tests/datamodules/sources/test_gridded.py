"""Gridded products, whatever way round: cells, days, units, areas and totals come back."""

from itertools import product
from pathlib import Path

import cftime
import numpy as np
import pytest
import xarray as xr
from gridded_layout import COLUMNS, ROWS, days, months, truth, write_page, write_product
from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.config.sources import GridSource
from raciflux.datamodules.sources import read
from raciflux.datamodules.sources.gridded.page import SHIPPED, load_page, load_weather
from raciflux.datamodules.sources.gridded.regrid import Overlap, regular
from raciflux.errors import UserError

TO_NMOL = 1 / 16.043 / 86400 * 1e6  # nmol m-2 s-1 in a mgCH4 m-2 d-1
FLUX = "  FCH4: {name: ch4}"


def source(root: Path, page: Path, **options: object) -> xr.Dataset:
    given_ = {"page": str(page), "path": "product", "first_year": 2003, "last_year": 2003, **options}
    return read("wetland_ch4", GridSource(**given_), root)


@pytest.fixture
def page(tmp_path) -> Path:
    return write_page(tmp_path / "page.yaml", FLUX)


@pytest.mark.parametrize(
    ("north_first", "from_greenwich", "kind", "names"),
    list(
        product((False, True), (False, True), ("nc", "zarr"), (("time", "lat", "lon"), ("t", "latitude", "longitude")))
    ),
)
def test_whatever_way_round_cells_are_the_same(tmp_path, page, north_first, from_greenwich, kind, names):
    field = truth(12)
    write_product(
        tmp_path / "product" / f"a.{kind}", field, months(2003, 1, "standard"), north_first=north_first,
        from_greenwich=from_greenwich, names=names,
    )  # fmt: skip
    if kind == "zarr":
        page = write_page(tmp_path / "page.yaml", "  FCH4: {name: ch4, files: '*.zarr'}")
    cube = source(tmp_path, page)
    known = np.isfinite(field[0])
    assert cube.sizes["site"] == known.sum() and cube.sizes["time"] == 365 and cube.attrs["places"] == "cells"
    np.testing.assert_allclose(cube["FCH4"].sel(time="2003-08-20"), field[7][known] * TO_NMOL, rtol=1e-5)
    row, column = np.nonzero(known)
    np.testing.assert_allclose(cube["lat"], -85 + 10 * row)
    np.testing.assert_allclose(cube["lon"], -175 + 10 * column)


@pytest.mark.parametrize("calendar", ["standard", "noleap"])
def test_days_stand_where_the_calendar_has_them(tmp_path, page, calendar):
    dates = days(2003, 2, calendar)
    field = truth(len(dates))
    write_product(tmp_path / "product" / "a.nc", field, dates, calendar=calendar)
    cube = source(tmp_path, page, last_year=2004)
    values = cube["FCH4"].isel(site=5).to_numpy()
    known = np.isfinite(field[0])
    expected = field[:, known][:, 5] * TO_NMOL
    assert cube["time"].attrs["source_calendar"] == calendar
    if calendar == "noleap":
        leap = int((np.datetime64("2004-02-29") - np.datetime64("2003-01-01")).astype(int))
        assert np.isnan(values[leap])
        values = np.delete(values, leap)
    np.testing.assert_allclose(values, expected, rtol=1e-5)


@pytest.mark.parametrize("step", ["month", "day"])
def test_a_step_stamped_at_its_end_is_dated_by_its_bounds(tmp_path, page, step):
    if step == "month":
        edges = [cftime.datetime(2003 + m // 12, m % 12 + 1, 1, calendar="noleap") for m in range(13)]
    else:
        edges = [cftime.datetime(2003, 1, 30 + d) if d < 2 else cftime.datetime(2003, 2, d - 1) for d in range(5)]
    calendar = edges[0].calendar
    field = truth(len(edges) - 1)
    write_product(tmp_path / "product" / "a.nc", field, edges[1:], calendar=calendar, bounds=edges)
    values, known = source(tmp_path, page)["FCH4"], np.isfinite(field[0])
    first = "2003-01-17" if step == "month" else "2003-01-30"
    np.testing.assert_allclose(values.sel(time=first), field[0][known] * TO_NMOL, rtol=1e-5)
    last = "2003-12-31" if step == "month" else "2003-02-02"
    np.testing.assert_allclose(values.sel(time=last), field[-1][known] * TO_NMOL, rtol=1e-5)
    assert np.isfinite(values).any("site").sum() == (365 if step == "month" else 4)


def test_files_of_years_are_one_series_and_other_years_are_missing(tmp_path, page):
    field = truth(24)
    for year in (2003, 2004):
        part = field[12 * (year - 2003) :][:12]
        write_product(tmp_path / "product" / f"ch4_{year}.nc", part, months(year, 1, "standard"))
    cube = source(tmp_path, page, last_year=2005)
    known = np.isfinite(field[0])
    np.testing.assert_allclose(cube["FCH4"].sel(time="2004-05-01"), field[16][known] * TO_NMOL, rtol=1e-5)
    assert cube["FCH4"].sel(time="2005-05-01").isnull().all()


def test_a_file_a_day_is_days_and_a_file_a_month_is_months(tmp_path, page):
    field = truth(4)
    for number, date in enumerate(days(2003, 1, "standard")[13:17]):  # the middle of a month among them
        write_product(tmp_path / "product" / f"ch4_{number}.nc", field[number : number + 1], [date])
    known = np.isfinite(field[0])
    cube = source(tmp_path, page)
    for number, day in enumerate(("2003-01-14", "2003-01-15", "2003-01-16", "2003-01-17")):
        np.testing.assert_allclose(cube["FCH4"].sel(time=day), field[number][known] * TO_NMOL, rtol=1e-5)
    assert cube["FCH4"].sel(time="2003-01-18").isnull().all()
    (tmp_path / "product" / "ch4_0.nc").rename(tmp_path / "one.nc")
    for path in (tmp_path / "product").glob("*.nc"):
        path.unlink()
    for number, date in enumerate(months(2003, 1, "standard")[:2]):
        write_product(tmp_path / "product" / f"ch4_{number}.nc", field[number : number + 1], [date])
    np.testing.assert_allclose(
        source(tmp_path, page)["FCH4"].sel(time="2003-02-27"), field[1][known] * TO_NMOL, rtol=1e-5
    )


def test_steps_that_are_neither_months_nor_days_are_said(tmp_path, page):
    twice = days(2003, 1, "standard")[:2] * 2
    write_product(tmp_path / "product" / "a.nc", truth(4), twice)
    with pytest.raises(UserError, match="several steps a day, or a day in several files"):
        source(tmp_path, page)
    write_product(tmp_path / "product" / "a.nc", truth(3), days(2003, 1, "360_day")[:3], calendar="360_day")
    with pytest.raises(UserError, match="days of a 360-day calendar are no real days"):
        source(tmp_path, page)
    write_product(tmp_path / "product" / "a.nc", truth(5), days(2003, 1, "standard")[:40:8])
    with pytest.raises(UserError, match="its steps are 8 days apart; give means of days or of months"):
        source(tmp_path, page)
    write_product(tmp_path / "product" / "a.nc", truth(3), months(2003, 3, "standard")[6::12])
    with pytest.raises(UserError, match="its steps are 12 months apart"):
        source(tmp_path, page)


def test_sums_over_the_month_and_a_time_axis_that_must_be_declared(tmp_path):
    field = truth(12)
    write_product(tmp_path / "product" / "a.nc", field, months(2003, 1, "360_day"), calendar="360_day", unit="")
    monthly = "  FCH4: {name: ch4, unit: 'gCH4 m-2 month-1', first: {day: '2003-01-01', step: month}}"
    cube = source(tmp_path, write_page(tmp_path / "page.yaml", monthly))
    known = np.isfinite(field[0])
    expected = field[1][known] * 1000 / 28 * TO_NMOL
    np.testing.assert_allclose(cube["FCH4"].sel(time="2003-02-10"), expected, rtol=1e-5)


def test_a_flux_of_the_cell_is_divided_by_its_wetland(tmp_path):
    field, share = truth(12), np.linspace(0, 1, ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    write_product(tmp_path / "product" / "flux.nc", field, months(2003, 1, "standard"))
    write_product(tmp_path / "product" / "wet.nc", share, None, name="fw", unit="1")
    wet = "wetland_fraction: {name: fw, files: wet.nc}"
    page = write_page(tmp_path / "page.yaml", "  FCH4: {name: ch4, files: flux.nc}", wet)
    cube = source(tmp_path, page).sel(time="2003-04-04")
    known = np.isfinite(field[0])
    expected = np.where(share >= 0.01, field[3] / np.maximum(share, 0.01), np.nan)[known] * TO_NMOL
    np.testing.assert_allclose(cube["FCH4"], np.where(expected > 5000, np.nan, expected), rtol=1e-4)
    assert "per area of wetland" in cube.attrs["reading_notes"]


def test_weather_on_another_grid_comes_to_the_fluxs_cells(tmp_path):
    field, warmth = truth(12), np.full((12, 2 * ROWS, 2 * COLUMNS), 285.0)
    write_product(tmp_path / "product" / "flux.nc", field, months(2003, 1, "standard"))
    write_product(tmp_path / "product" / "t2m.nc", warmth, months(2003, 1, "standard"), name="t2m", unit="K")
    both = "  FCH4: {name: ch4, files: flux.nc}\n  TA: {name: t2m, files: t2m.nc}"
    cube = source(tmp_path, write_page(tmp_path / "page.yaml", both))
    np.testing.assert_allclose(cube["TA"], 285 - 273.15, rtol=1e-4)


def test_places_of_a_site_table_take_the_cell_that_holds_them(tmp_path, page):
    field = truth(12)
    write_product(tmp_path / "product" / "a.nc", field, months(2003, 1, "standard"), from_greenwich=True)
    (tmp_path / "sites.csv").write_text("site_id,lat,lon\nUS-Myb,38.05,-121.77\nFI-Lom,68.0,24.2\nXX-Rim,90,180\n")
    cube = source(tmp_path, page, sites="sites.csv").sel(time="2003-01-01")
    expected = [
        field[0, int((lat + 90) // 10), int((lon + 180) // 10)] for lat, lon in ((38.05, -121.77), (68.0, 24.2))
    ]
    np.testing.assert_allclose(cube["FCH4"][:2], np.array(expected) * TO_NMOL, rtol=1e-5)
    assert cube["site_id"].to_numpy().tolist() == ["US-Myb", "FI-Lom", "XX-Rim"] and "places" not in cube.attrs


def test_a_place_beyond_the_last_column_is_in_the_cell_across_the_180th_meridian(tmp_path, page):
    field = truth(12)
    path = write_product(tmp_path / "half.nc", field, months(2003, 1, "standard"))
    (tmp_path / "product").mkdir()
    with xr.open_dataset(path, decode_times=False) as half:  # columns around -170, -160, ..., 180
        half.assign_coords(lon=("lon", half["lon"].to_numpy() + 5, half["lon"].attrs)).to_netcdf(
            tmp_path / "product" / "a.nc"
        )
    (tmp_path / "sites.csv").write_text("site_id,lat,lon\nFJ-A,68,178\nFJ-B,68,-178\nFJ-C,68,174\n")
    cube = source(tmp_path, page, sites="sites.csv").sel(time="2003-01-01")
    np.testing.assert_allclose(cube["FCH4"], field[0, 15, [35, 35, 34]] * TO_NMOL, rtol=1e-5)


def cell_area(lat, lon):
    """Area (row, column) of the cells between these edges on a sphere of radius 1."""
    return np.diff(np.sin(np.radians(lat)))[:, None] * np.radians(np.diff(lon))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 24), st.integers(1, 24), st.integers(0, 9999), st.booleans())
def test_totals_are_conserved_from_any_grid_to_any_other(rows, others, seed, gaps):
    rng = np.random.default_rng(seed)
    lat, lon = regular(180 / rows)
    shift = rng.uniform(0, 360 / rows)
    source_lon = np.linspace(-180, 180, 2 * others + 1) + (shift if shift < 180 else 0.0)
    source_lat = np.linspace(-90, 90, others + 1)
    values = rng.uniform(0, 9, (2, others, 2 * others))
    if gaps:
        values[:, rng.random((others, 2 * others)) < 0.3] = np.nan
    coarse = Overlap.of(lat, lon, source_lat, source_lon).density(values)
    total = np.nansum(values * cell_area(source_lat, source_lon), (1, 2))
    np.testing.assert_allclose(np.nansum(coarse * cell_area(lat, lon), (1, 2)), total, rtol=1e-9)


def test_regridding_to_the_same_grid_changes_nothing_and_means_stay_means():
    lat, lon = regular(10.0)
    values = truth(3)
    overlap = Overlap.of(lat, lon, lat, lon)
    np.testing.assert_allclose(overlap.density(values), values, rtol=1e-9)
    np.testing.assert_allclose(overlap.mean(values), values, rtol=1e-9)
    halves = Overlap.of(*regular(20.0), lat, lon).mean(
        np.where(np.arange(COLUMNS) % 2, 1.0, np.full((1, ROWS, 1), 3.0))
    )
    np.testing.assert_allclose(halves, 2.0)


def test_a_coarser_resolution_keeps_the_total(tmp_path, page):
    field = np.nan_to_num(truth(12)) + 1.0
    write_product(tmp_path / "product" / "a.nc", field, months(2003, 1, "standard"), north_first=True)
    fine, coarse = source(tmp_path, page), source(tmp_path, page, resolution=20)
    assert coarse.sizes["site"] == fine.sizes["site"] / 4
    total = []
    for cube, step in ((fine, 10), (coarse, 20)):
        area = np.sin(np.radians(cube["lat"] + step / 2)) - np.sin(np.radians(cube["lat"] - step / 2))
        total.append(float((cube["FCH4"].sel(time="2003-06-06") * area * step).sum()))
    assert total[0] == pytest.approx(total[1], rel=1e-5)


@pytest.mark.parametrize(
    ("written", "page_lines", "said"),
    [
        ({"name": "ch5"}, FLUX, r"a.nc: no variable 'ch4'; did you mean 'ch5'"),
        ({"unit": "kg m-2 s-1"}, FLUX, "unit 'kg m-2 s-1' cannot become 'nmol m-2 s-1' of FCH4"),
        ({"unit": ""}, FLUX, "the file states no unit; give 'unit' of FCH4 in the product's page"),
        ({"names": ("time", "j", "i")}, FLUX, None),
        ({}, "  FCH4: {name: ch4, files: '../*.nc'}", "'../\\*.nc' leaves the folder"),
        ({}, "  FCH5: {name: ch4}", "declares no flux"),
        ({}, "  FCH4: {name: ch4, per: swamp}", "per: known: cell, wetland"),
        ({}, "  FCH4: {name: ch4, files: 'b*.nc'}", r"no file 'b\*.nc'; did you mean 'a.nc'"),
        ({}, "  FCH4: {name: ch4, first: {day: soon, step: month}}", "'soon' is no day such as"),
        ({}, FLUX + "\n  elevation: {name: ch4}", "has a time axis, but elevation is a property of the place"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(tmp_path, written, page_lines, said):
    write_product(tmp_path / "product" / "a.nc", truth(12), months(2003, 1, "standard"), **written)
    page = write_page(tmp_path / "page.yaml", page_lines)
    if said is None:  # names of no meaning, but units that tell
        assert source(tmp_path, page).sizes["site"] == np.isfinite(truth(1)).sum()
        return
    with pytest.raises(UserError, match=said):
        source(tmp_path, page)


def test_years_without_a_flux_and_resolutions_that_do_not_fit_are_said(tmp_path, page):
    write_product(tmp_path / "product" / "a.nc", truth(12), months(2003, 1, "standard"))
    with pytest.raises(UserError, match="no cell has a flux other than zero in 1999"):
        source(tmp_path, page, first_year=1999, last_year=2000)
    with pytest.raises(UserError, match="does not divide 180"):
        source(tmp_path, page, resolution=7)
    with pytest.raises(UserError, match="first_year=2004 is after last_year=2003"):
        source(tmp_path, page, first_year=2004)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_pages_that_ship_can_be_read_and_say_what_they_are(path):
    load = load_weather if path.stem == "weather" else load_page
    page = load(path.stem)
    assert path.read_text().startswith("# ") and page.citation
    assert path.stem == "weather" or page.flux == "FCH4"
