import random

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raciflux.datamodules.sources import read
from raciflux.errors import UserError


def values(cube, name):
    return cube[name].to_numpy().tolist()


def test_numbers_land_at_their_site_and_day(product):
    cube = product.read()
    nan = pytest.approx(float("nan"), nan_ok=True)
    assert cube["site_id"].to_numpy().tolist() == ["AA-One", "BB-Two"]
    assert cube["time"].to_numpy().astype("datetime64[D]").astype(str).tolist() == [
        "2003-12-30", "2003-12-31", "2004-01-01", "2004-01-02"
    ]  # fmt: skip
    assert values(cube, "TA") == [[nan, 5.0, 6.0, nan], [1.0, 2.0, 3.0, 4.0]]
    assert values(cube, "NEE") == [[nan, 2.0, nan, nan], [-1.0, -2.0, 0.5, 1.0]]
    assert values(cube, "RECO") == [[nan, 9.0, nan, nan], [2.0, 2.0, 5.5, 7.0]]
    assert values(cube, "NEE_qc") == [[nan, 1.0, 0.25, nan], [1.0, 0.75, 0.5, 0.0]]
    assert values(cube, "NEE_measured") == [[nan, 1.0, 0.0, nan], [0.5, 0.25, 0.0, 0.0]]
    assert "RECO_measured" not in cube
    assert cube["TA"].dtype == np.float32
    assert cube["TA"].attrs["units"] == "degC"


def test_places_follow_the_site_table_whatever_its_order(product):
    product.sites = product.sites.reverse()
    cube = product.read()
    assert cube["lat"].to_numpy().tolist() == [-10.0, 45.5]
    assert cube["lon"].to_numpy().tolist() == [-160.0, -3.25]
    assert values(cube, "abs_lat") == [10.0, 45.5]
    assert values(cube, "elevation") == [100.0, pytest.approx(float("nan"), nan_ok=True)]
    assert values(cube, "igbp") == ["CRO", "unknown"]


def test_statics_in_a_wrong_unit_are_masked_and_counted_as_drivers_are(product):
    product.columns["site_table"]["statics"]["elevation"]["unit"] = "km"
    cube = product.read()
    assert np.isnan(cube["elevation"]).all()  # 100 km
    assert "elevation: 1 values outside [-500, 6000] m were masked" in cube.attrs["reading_notes"]
    product.columns["site_table"]["statics"]["elevation"]["unit"] = "m"
    assert "elevation" not in product.read().attrs["reading_notes"]


def test_signs_units_and_exceptions(product):
    product.columns["variables"] = {
        "TA": {"column": "temp", "unit": "K"},
        "GPP": {"column": "gpp", "unit": "umol m-2 s-1", "negate": True, "unit_at": {"AA-One": "gC m-2 d-1"}},
        "NEE": {"sum": ["-gpp", "+temp"], "unit": "gC m-2 d-1"},
    }
    cube = product.read()
    assert np.isnan(cube["TA"]).all()  # 1-6 K are implausible
    assert "TA: 6 values outside [-80, 60] degC were masked" in cube.attrs["reading_notes"]
    assert cube["GPP"].to_numpy()[1, 0] == pytest.approx(-3 * 1.0377, rel=1e-4)
    assert cube["GPP"].to_numpy()[0, 2] == pytest.approx(float("nan"), nan_ok=True)  # -8 is below -5
    assert "GPP: 4 values" in cube.attrs["reading_notes"]
    nan = pytest.approx(float("nan"), nan_ok=True)
    assert cube["NEE"].to_numpy()[1].tolist() == [-2.0, -2.0, nan, nan]  # made of a GPP that is implausible itself
    assert "NEE: 4 values made of an implausible one were masked" in cube.attrs["reading_notes"]


def test_respiration_declared_as_a_sum_keeps_the_balance_and_its_range(product):
    product.columns["variables"]["GPP"] = {"column": "gpp", "unit": "gC m-2 d-1"}
    product.daily = product.daily.with_columns(
        nee=pl.Series([-1.0, -2.0, 0.5, -70.0, 20.0, -9999.0]), gpp=pl.Series([3.0, 4.0, None, 76.0, 20.0, 8.0])
    )
    cube = product.read()
    nan = pytest.approx(float("nan"), nan_ok=True)
    assert cube["RECO"].to_numpy()[1].tolist() == [2.0, 2.0, nan, nan]  # missing in one; 6 of two that are implausible
    assert np.isnan(cube["RECO"].to_numpy()[0]).all()  # 40 is above 35
    assert "RECO: 1 values outside [-5, 35] gC m-2 d-1 were masked" in cube.attrs["reading_notes"]
    assert "RECO: 1 values made of an implausible one were masked" in cube.attrs["reading_notes"]
    known = np.isfinite(cube["RECO"])
    np.testing.assert_array_equal(cube["NEE"].where(known), (cube["RECO"] - cube["GPP"]).where(known))


@pytest.mark.parametrize(
    ("terms", "said"),
    [(["nee", "-"], "a term names no column"), (["nee", "-nee"], "the column 'nee' stands twice")],
)
def test_a_sum_of_nothing_or_of_one_column_twice_is_refused(csv_product, terms, said):
    csv_product.columns["variables"]["RECO"]["sum"] = terms
    with pytest.raises(UserError, match=rf"columns.yaml: variables.RECO.sum: {said}"):
        csv_product.read()


def test_replicates_become_sites_and_daily_classes_belong_to_them(product):
    product.daily = product.daily.with_columns(
        member=pl.Series([7, 7, 12, 12, 7, 7]), fresh=pl.Series([1, 1, 2, 2, 1, 1])
    )
    product.columns["replicate"] = {"column": "member", "tag": "m"}
    product.columns["site_table"]["classes"]["wetland"] = {
        "column": "fresh", "daily": True, "values": {"1": "Marsh", "2": "Bog"}
    }  # fmt: skip
    cube = product.read()
    assert cube["site_id"].to_numpy().tolist() == ["AA-One-m07", "BB-Two-m07", "BB-Two-m12"]
    assert cube["lat"].to_numpy().tolist() == [-10.0, 45.5, 45.5]
    assert values(cube, "wetland") == ["Marsh", "Marsh", "Bog"]
    assert cube["TA"].to_numpy()[1, :2].tolist() == [1.0, 2.0]
    assert product.read("BB-Two")["site_id"].to_numpy().tolist() == ["BB-Two-m07", "BB-Two-m12"]
    assert product.read("BB-Two-m12")["site_id"].to_numpy().tolist() == ["BB-Two-m12"]


def test_koppen_main_group(product):
    product.sites = product.sites.with_columns(koppen=pl.Series(["Cfb", "BSk", None]))
    entry = {"column": "koppen", "first_letter": True, "values": {"B": "Arid", "C": "Temperate"}}
    product.columns["site_table"]["classes"]["koppen"] = entry
    assert values(product.read(), "koppen") == ["Temperate", "Arid"]


def test_sites_are_chosen_by_name(product):
    cube = product.read("BB-Two")
    assert cube["site_id"].to_numpy().tolist() == ["BB-Two"]
    assert cube.sizes["time"] == 4


@pytest.mark.parametrize(
    ("declared", "cells"),
    [
        ({"column": "d", "format": "%Y%m%d"}, {"d": [20040228, 20040229, 20040301]}),
        (
            {"column": "d", "format": "%d/%m/%Y %H:%M"},
            {"d": ["28/02/2004 00:00", "29/02/2004 00:00", "01/03/2004 00:00"]},
        ),
        ({"column": "d"}, {"d": ["2004-02-28", "2004-02-29", "2004-03-01"]}),
        ({"year": "y", "day_of_year": "n"}, {"y": [2004, 2004, 2004], "n": [59, 60, 61]}),
    ],
)
def test_dates_in_many_forms(product, declared, cells):
    product.columns["date"] = declared
    product.daily = product.daily[:3].with_columns(**{name: pl.Series(column) for name, column in cells.items()})
    time = product.read()["time"].to_numpy().astype("datetime64[D]").astype(str).tolist()
    assert time == ["2004-02-28", "2004-02-29", "2004-03-01"]


def test_parquet_time_stamps_are_dates(csv_product):
    csv_product.ending = "parquet"
    for dtype in (pl.Date, pl.Datetime("us")):
        csv_product.daily = csv_product.daily.with_columns(
            pl.col("date").cast(pl.String).str.slice(0, 10).str.to_datetime()
        )
        csv_product.daily = csv_product.daily.with_columns(pl.col("date").cast(dtype))
        assert str(csv_product.read()["time"].to_numpy()[0])[:10] == "2003-12-30"


def test_a_365_day_calendar_keeps_its_missing_day_and_says_so(product):
    product.columns["calendar"] = "noleap"
    product.columns["date"] = {"year": "y", "day_of_year": "n"}
    product.daily = product.daily[:2].with_columns(y=pl.Series([2004, 2004]), n=pl.Series([59, 60]))
    cube = product.read()
    time = cube["time"].to_numpy().astype("datetime64[D]").astype(str).tolist()
    assert time == ["2004-02-28", "2004-02-29", "2004-03-01"]
    assert values(cube, "TA") == [[1.0, pytest.approx(float("nan"), nan_ok=True), 2.0]]
    assert cube["time"].attrs["source_calendar"] == "noleap"
    assert "29 February" in cube.attrs["reading_notes"]


def test_unsorted_rows_are_sorted_and_noted(product):
    in_order = product.read()
    product.daily = product.daily[[3, 0, 5, 1, 4, 2]]
    shuffled = product.read()
    assert shuffled.drop_attrs().equals(in_order.drop_attrs())
    assert "rows of 2 sites were not in the order of their dates and were sorted" in shuffled.attrs["reading_notes"]
    assert "sorted" not in in_order.attrs["reading_notes"]


def test_sites_that_take_turns_are_not_called_unsorted(product):
    product.daily = product.daily[[0, 4, 1, 5, 2, 3]]
    assert "sorted" not in product.read().attrs["reading_notes"]


def test_missing_codes_in_single_precision(csv_product):
    csv_product.ending = "parquet"
    csv_product.columns["missing"] = [-999.9]
    csv_product.columns["variables"] = {"WTD": {"column": "temp", "unit": "mm"}}
    csv_product.daily = csv_product.daily.with_columns(temp=pl.Series([-999.9, 1, 2, 3, 4, 5], dtype=pl.Float32))
    assert np.isnan(csv_product.read()["WTD"].to_numpy()[1, 0])


@st.composite
def rows(draw):
    """A table of a few sites: unique site-days with numbers or gaps."""
    keys = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), min_size=1, max_size=30, unique=True))
    number = st.none() | st.floats(-24, 19, width=32)
    return [(site, day, draw(number), draw(number)) for site, day in keys]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows(), shuffle=st.randoms(use_true_random=False), ending=st.sampled_from(["csv", "parquet"]))
def test_any_table_comes_back(csv_product, rows, shuffle: random.Random, ending):
    product = csv_product
    product.columns["variables"] = {
        "TA": {"column": "temp", "unit": "degC"},
        "NEE": {"column": "nee", "unit": "gC m-2 d-1"},
    }
    names = ["AA-One", "BB-Two", "CC-Idle", "DD"]
    product.sites = pl.DataFrame({"site_id": names, "lat": 1.0, "lon": 2.0, "elevation_m": 3.0, "IGBP": "WET"})
    source = product.write()
    source.path = f"daily.{ending}"
    shuffle.shuffle(rows)
    start = np.datetime64("2000-02-20")
    written = pa.table(
        {
            "site_id": [names[row[0]] for row in rows],
            "date": pa.array([(start + row[1]).item() for row in rows], pa.date32()),
            "temp": pa.array([row[2] for row in rows], pa.float32()),
            "nee": pa.array([row[3] for row in rows], pa.float32()),
        }
    )
    path = product.folder / source.path
    pyarrow.csv.write_csv(written, path) if ending == "csv" else pyarrow.parquet.write_table(written, path)

    cube = read("terrestrial_co2", source, product.folder)
    first = start + min(row[1] for row in rows)
    there = {str(name): index for index, name in enumerate(cube["site_id"].to_numpy())}
    assert sorted(there) == sorted({names[row[0]] for row in rows})
    assert cube.sizes["time"] == max(row[1] for row in rows) - min(row[1] for row in rows) + 1
    for column, name in ((2, "TA"), (3, "NEE")):
        expected = np.full((len(there), cube.sizes["time"]), np.nan, np.float32)
        for row in rows:
            if row[column] is not None:
                expected[there[names[row[0]]], (start + row[1] - first).astype(int)] = row[column]
        np.testing.assert_array_equal(cube[name].to_numpy(), expected)


def test_spreadsheet_habits_of_csv(csv_product):
    """A byte order mark, Windows line ends, quoted cells and blanks around values."""
    expected = csv_product.read()
    source = csv_product.write()
    path = csv_product.folder / source.path
    head, *lines = path.read_text().splitlines()
    quoted = [f'"{site}",{date}, {rest}' for site, date, rest in (line.split(",", 2) for line in lines)]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([head, *quoted, ""]).encode())
    assert read("terrestrial_co2", source, csv_product.folder).identical(expected)
