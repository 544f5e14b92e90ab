"""What a faulty file gets: one line that names the place and says what to do."""

import re

import polars as pl
import pytest
from raciflux.config.sources import TableSource
from raciflux.datamodules.sources import read
from raciflux.errors import UserError


def refusal(product, *only):
    with pytest.raises(UserError) as caught:
        product.read(*only)
    message = str(caught.value)
    assert "\n" not in message
    return message


def assert_words(message, *patterns):
    for pattern in patterns:
        assert re.search(pattern, message), message


def test_missing_data_folder(tmp_path):
    with pytest.raises(UserError, match=r"gone: the data folder is missing; set data\.root"):
        read("terrestrial_gpp", TableSource(columns="fluxnet2015", path="a.csv", sites="b.csv"), tmp_path / "gone")


def test_missing_file_and_folder(product):
    source = product.write()
    source.path = source.path.replace("daily", "dayly")
    with pytest.raises(UserError, match=r"dayly\.\w+: no such file; did you mean 'daily"):
        read("terrestrial_co2", source, product.folder)
    source.path = f"gone/daily.{product.ending}"
    with pytest.raises(UserError, match="its folder is missing"):
        read("terrestrial_co2", source, product.folder)


def test_file_of_another_kind(product):
    (product.folder / "daily.xlsx").write_bytes(b"PK")
    source = product.write()
    source.path = "daily.xlsx"
    with pytest.raises(UserError, match=r"\.parquet or \.csv, not '\.xlsx'"):
        read("terrestrial_co2", source, product.folder)


@pytest.mark.parametrize(("mark", "said"), [(";", "';'"), ("\t", r"'\\t'")])
def test_columns_that_are_not_separated_by_commas(csv_product, mark, said):
    source = csv_product.write()
    path = csv_product.folder / source.path
    path.write_text(path.read_text().replace(",", mark).replace(".", ","))
    with pytest.raises(UserError, match=rf"daily\.csv: its columns are separated by {said}; write it with commas"):
        read("terrestrial_co2", source, csv_product.folder)


@pytest.mark.parametrize("keep", [0, 3, 200])
def test_damaged_parquet(csv_product, keep):
    csv_product.ending = "parquet"
    source = csv_product.write()
    path = csv_product.folder / source.path
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"daily\.parquet: cannot be read as \.parquet \(.*fetch or write it again"):
        read("terrestrial_co2", source, csv_product.folder)


def test_damaged_parquet_page(csv_product):
    csv_product.ending = "parquet"
    source = csv_product.write()
    path = csv_product.folder / source.path
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + b"\xff" * 80 + whole[84:])
    with pytest.raises(UserError, match=r"daily\.parquet"):
        read("terrestrial_co2", source, csv_product.folder)


@pytest.mark.parametrize("text", ["", "site_id,date\nAA-One,2001-01-01,7,8,9\n", "\xff\xfe"])
def test_damaged_csv(csv_product, text):
    source = csv_product.write()
    (csv_product.folder / source.path).write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"daily\.csv"):
        read("terrestrial_co2", source, csv_product.folder)


def test_missing_column(product):
    product.daily = product.daily.rename({"temp": "Temp"})
    assert_words(refusal(product), r"daily\.\w+: no column 'temp'; did you mean 'Temp'\?")


def test_column_twice(csv_product):
    source = csv_product.write()
    path = csv_product.folder / source.path
    path.write_text(path.read_text().replace("gpp", "temp"))
    with pytest.raises(UserError, match="column 'temp' is there twice"):
        read("terrestrial_co2", source, csv_product.folder)


def test_empty_table(product):
    product.daily = product.daily.clear()
    assert_words(refusal(product), r"daily\.\w+: has no rows")


def test_duplicate_site_day(product):
    product.daily = pl.concat([product.daily, product.daily[1:3]])
    assert_words(
        refusal(product), r"row 7 \(site BB-Two, 2003-12-31\): this site-day stands there already \(2 such rows\)"
    )


def test_half_hours_are_not_days(product):
    product.columns["date"]["format"] = "%Y-%m-%d %H:%M"
    product.daily = product.daily[:2].with_columns(date=pl.Series(["2003-12-30 00:30", "2003-12-30 01:00"]))
    assert_words(refusal(product), "row 2 .*keep one row a day")


@pytest.mark.parametrize("column", ["temp", "nee"])
def test_infinite_value(product, column):
    product.daily = product.daily.with_columns(
        pl.when(pl.int_range(pl.len()) == 2).then(float("-inf")).otherwise(pl.col(column)).alias(column)
    )
    assert_words(refusal(product), rf"row 3 \(site BB-Two, 2004-01-01\), column '{column}': is infinite")


def test_text_in_a_numeric_column(product):
    product.set_daily("temp", 4, "cold")
    assert_words(refusal(product), r"daily\.\w+, row 5, column 'temp': 'cold' is not a number; .*'missing'")
    product.set_daily("temp", 4, "NA")
    assert product.read()["TA"].isnull().sum() == 3


def test_numeric_column_of_dates(csv_product):
    csv_product.ending = "parquet"
    csv_product.daily = csv_product.daily.with_columns(temp=pl.Series([True] * 6))
    assert_words(refusal(csv_product), "column 'temp' holds Boolean, expected numbers")


def test_rows_keep_their_number_when_sites_are_chosen(product):
    product.set_daily("temp", 4, "cold")
    assert_words(refusal(product, "AA-One"), "row 5")
    assert product.read("BB-Two").sizes["site"] == 1


def test_unreadable_date(product):
    product.set_daily("date", 3, "2004-02-30")
    assert_words(refusal(product), r"row 4, column 'date': '2004-02-30' is not a date in the form '%Y-%m-%d'")


def test_number_as_date_needs_a_format(csv_product):
    csv_product.ending = "parquet"
    csv_product.daily = csv_product.daily.with_columns(date=pl.Series(range(20040101, 20040107)))
    assert_words(refusal(csv_product), r"row 1, column 'date': 20040101 .*date\.format")


def test_date_out_of_range(product):
    product.set_daily("date", 0, "0203-12-30")
    assert_words(refusal(product), "row 1, column 'date': '0203-12-30' lies outside 1678-2261")


@pytest.mark.parametrize("day_of_year", [0, 366, None])
def test_day_of_year_out_of_its_year(product, day_of_year):
    product.columns["date"] = {"year": "y", "day_of_year": "n"}
    product.daily = product.daily[:2].with_columns(y=pl.Series([2003, 2003]), n=pl.Series([1, day_of_year]))
    assert_words(refusal(product), "row 2, column 'n': .* is not a date of its year")


def test_leap_day_in_a_365_day_calendar(product):
    product.columns["calendar"] = "noleap"
    product.set_daily("date", 0, "2004-02-29")
    assert_words(refusal(product), "row 1, column 'date': '2004-02-29' is a leap day")


def test_quality_flag_is_no_share(product):
    product.set_daily("nee_qc", 1, "3")
    assert_words(refusal(product), r"row 2 \(site BB-Two, 2003-12-31\), column 'nee_qc': 3 is no share of the day")


def test_class_that_changes_at_a_site(product):
    product.daily = product.daily.with_columns(soil=pl.Series(["a", "a", "b", "a", "c", "c"]))
    product.columns["site_table"]["classes"]["wetland"] = {"column": "soil", "daily": True}
    assert_words(refusal(product), "row 3, column 'soil': the class changes from 'a' to 'b' at BB-Two")


@pytest.mark.parametrize("column", ["lat", "lon"])
def test_site_without_coordinates(product, column):
    product.sites = product.sites.with_columns(
        pl.when(pl.col("site_id") == "BB-Two").then(None).otherwise(pl.col(column)).alias(column)
    )
    assert_words(refusal(product), rf"sites\.\w+: the site 'BB-Two' has no coordinates \(column '{column}'\)")


def test_missing_code_is_no_coordinate(product):
    product.sites = product.sites.with_columns(lat=pl.Series([-9999.0, 45.5, 0.0]))
    assert_words(refusal(product), "'AA-One' has no coordinates")


@pytest.mark.parametrize(("column", "value"), [("lat", 91.0), ("lon", 361.0), ("lon", -181.0)])
def test_impossible_coordinates(product, column, value):
    product.sites = product.sites.with_columns(pl.Series(column, [value, 1.0, 1.0]))
    assert_words(refusal(product), rf"{column} of the site 'AA-One' is {value:g}, expected")


def test_site_that_the_site_table_lacks(product):
    product.sites = product.sites.with_columns(site_id=pl.Series(["AA-One", "BB_Two", "CC-Idle"]))
    message = refusal(product)
    assert_words(
        message, r"sites\.\w+: no row for the site 'BB-Two' of daily\.\w+ \(1 such sites\)", "did you mean 'BB_Two'"
    )


def test_site_twice_in_the_site_table(product):
    product.sites = pl.concat([product.sites, product.sites[:1]])
    assert_words(refusal(product), r"sites\.\w+: the site 'AA-One' has 2 rows")


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "-x", "a b", "C:x"])
def test_site_that_would_leave_its_folder(product, name):
    product.daily = product.daily.with_columns(site_id=pl.lit(name))
    product.sites = product.sites.with_columns(site_id=pl.Series([name, "BB-Two", "CC-Idle"]))
    assert_words(refusal(product), re.escape(repr(name)), "is no site id")


def test_row_without_a_site(product):
    product.daily = product.daily.with_columns(
        site_id=pl.when(pl.int_range(pl.len()) == 1).then(pl.lit("")).otherwise(pl.col("site_id"))
    )
    assert_words(refusal(product), "row 2, column 'site_id': names no site")


def test_chosen_site_that_is_not_there(product):
    assert_words(refusal(product, "BB-two"), r"data\.sites: 'BB-two' is not in .*daily\.\w+; did you mean 'BB-Two'\?")


def test_unit_of_a_site_that_is_not_there(product):
    product.columns["variables"]["TA"]["unit_at"] = {"AA-Oen": "K"}
    assert_words(refusal(product), r"variables\.TA\.unit_at: no site 'AA-Oen' in .*did you mean 'AA-One'\?")
