"""Tables with several rows a day: means of the day, midnight on the right side, nothing twice."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import xarray as xr
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.config.sources import TableSource
from raciflux.datamodules.sources import read
from raciflux.datamodules.sources.account import account_of
from raciflux.errors import UserError

TIMES = "%Y-%m-%d %H:%M"
MAP = {
    "product": "half-hours", "licence": "CC0-1.0", "citation": "nobody", "site": "site", "missing": [-9999],
    "date": {"column": "time", "format": TIMES}, "steps": {"per_day": 48, "least": 24},
    "variables": {
        "TA": {"column": "temp", "unit": "degC"}, "SW": {"column": "light", "unit": "W m-2"},
        "NEE": {"column": "nee", "unit": "umol m-2 s-1", "measured": "real"},
    },
    "site_table": {"site": "site", "lat": "lat", "lon": "lon"},
}  # fmt: skip


def half_hours(days: int = 3, ends: bool = False) -> pl.DataFrame:
    """A site whose light passes 500 W m-2 at noon, as a mean of a day may not."""
    count = 48 * days
    begins = [datetime(2004, 2, 28) + timedelta(minutes=30 * step) for step in range(count)]
    sun = np.maximum(np.sin(2 * np.pi * (np.arange(count) / 48 - 0.25)), 0)
    return pl.DataFrame(
        {
            "site": "A",
            "time": [f"{time + timedelta(minutes=30 if ends else 0):{TIMES}}" for time in begins],
            "temp": np.arange(count) / 10,
            "light": 1000 * sun,
            "nee": 2 - 9 * sun,
            "real": np.tile([1.0, 0.0], count // 2),
        }
    )


def cube(folder: Path, table: pl.DataFrame, **changed: object) -> xr.Dataset:
    (folder / "map.yaml").write_text(yaml.safe_dump({**MAP, **changed}))
    table.write_csv(folder / "table.csv")
    (folder / "sites.csv").write_text("site,lat,lon\nA,50,8\n")
    return read("x", TableSource(columns=str(folder / "map.yaml"), path="table.csv", sites="sites.csv"), folder)


def test_a_day_is_the_mean_of_its_steps_and_is_judged_as_a_day(tmp_path):
    table = half_hours()
    made = cube(tmp_path, table)
    by_day = table["temp"].to_numpy().reshape(3, 48).mean(1)
    np.testing.assert_allclose(made["TA"].to_numpy()[0], by_day, rtol=1e-6)
    np.testing.assert_allclose(made["SW"].to_numpy()[0], [318] * 3, atol=1)
    assert "masked" not in made.attrs["reading_notes"]  # 1000 W m-2 at noon is no implausible day
    np.testing.assert_allclose(made["NEE_measured"].to_numpy()[0], 0.5)


def test_midnight_belongs_to_the_day_that_ends(tmp_path):
    starts = cube(tmp_path, half_hours())
    ends = cube(tmp_path, half_hours(ends=True), steps={"per_day": 48, "least": 24, "stamp": "end"})
    xr.testing.assert_allclose(starts, ends)
    wrong = cube(tmp_path, half_hours(ends=True))
    assert not np.allclose(starts["TA"].to_numpy()[0, 0], wrong["TA"].to_numpy()[0, 0])


def test_a_day_of_too_few_steps_is_missing_and_the_account_says_so(tmp_path):
    table = half_hours().with_columns(
        pl.when(pl.int_range(pl.len()) < 25).then(-9999.0).otherwise(pl.col("temp")).alias("temp")
    )
    made = cube(tmp_path, table)
    assert np.isnan(made["TA"].to_numpy()[0, 0]) and np.isfinite(made["NEE"].to_numpy()).all()
    assert account_of(made["TA"]) == {"given": 144, "with a number": 119, "days of enough steps": 2, "plausible": 2}
    assert account_of(made["NEE"])["days of enough steps"] == 3


def test_a_sum_is_of_steps_that_have_all_of_it(tmp_path):
    night = np.tile(np.arange(48) < 24, 3)
    table = half_hours().with_columns(
        reco=pl.Series(np.where(night, 2.0, np.nan)).fill_nan(None), gpp=pl.Series(np.where(night, 0.5, 20.0))
    )
    variables = {"NEE": {"sum": ["reco", "-gpp"], "unit": "gC m-2 d-1"}, "TA": {"column": "temp", "unit": "degC"}}
    made = cube(tmp_path, table, variables=variables)
    np.testing.assert_allclose(made["NEE"].to_numpy()[0], 1.5)
    assert account_of(made["NEE"])["with a number"] == 72
    by_day = table.with_columns(gpp=pl.Series(np.where(night, np.nan, 20.0)).fill_nan(None))
    assert np.isnan(cube(tmp_path, by_day, variables=variables)["NEE"].to_numpy()).all()


def test_a_share_is_of_the_whole_day_and_of_steps_with_a_flux(tmp_path):
    table = half_hours().with_columns(real=pl.lit(1.0))
    gone = table.filter(pl.int_range(pl.len()) % 48 < 30)  # 30 of 48 steps stand there
    np.testing.assert_allclose(cube(tmp_path, gone)["NEE_measured"].to_numpy()[0], 30 / 48, rtol=1e-6)
    missing = table.with_columns(nee=pl.when(pl.int_range(pl.len()) % 48 < 12).then(-9999.0).otherwise(pl.col("nee")))
    np.testing.assert_allclose(cube(tmp_path, missing)["NEE_measured"].to_numpy()[0], 36 / 48, rtol=1e-6)


def test_extremes_and_amounts_are_taken_as_such(tmp_path):
    variables = {
        "TA": {"column": "temp", "unit": "degC"}, "TA_MAX": {"column": "temp", "unit": "degC"},
        "TA_MIN": {"column": "temp", "unit": "degC"}, "P": {"column": "rain", "unit": "mm"},
    }  # fmt: skip
    table = half_hours().with_columns(rain=pl.lit(0.5))
    made = cube(tmp_path, table, variables=variables)
    np.testing.assert_allclose(made["TA_MAX"].to_numpy()[0], [4.7, 9.5, 14.3], rtol=1e-6)
    np.testing.assert_allclose(made["TA_MIN"].to_numpy()[0], [0.0, 4.8, 9.6], atol=1e-6)
    np.testing.assert_allclose(made["P"].to_numpy()[0], 24.0)


def test_the_day_before_march_of_a_365_day_year_ends_in_february(tmp_path):
    table = half_hours(2, ends=True)
    times = [time.replace("2004-02-29", "2004-03-01").replace("2004-03-01 00:00", "X") for time in table["time"]]
    first, last = times.index("X"), len(times) - 1
    times[first], times[last] = "2004-03-01 00:00", "2004-03-02 00:00"
    made = cube(
        tmp_path, table.with_columns(time=pl.Series(times)), calendar="noleap",
        steps={"per_day": 48, "least": 48, "stamp": "end"},
    )  # fmt: skip
    days = made["time"].to_numpy().astype("datetime64[D]").astype(str).tolist()
    assert days == ["2004-02-28", "2004-02-29", "2004-03-01"]
    assert np.isfinite(made["TA"].to_numpy()[0]).tolist() == [True, False, True]


@settings(max_examples=15)
@given(st.permutations(range(96)))
def test_the_order_of_rows_does_not_matter(tmp_path_factory, order):
    table = half_hours(2)
    expected = cube(tmp_path_factory.mktemp("sorted"), table)
    shuffled = cube(tmp_path_factory.mktemp("shuffled"), table[list(order)])
    for name in expected.data_vars:
        np.testing.assert_allclose(shuffled[name], expected[name], rtol=1e-6)


@pytest.mark.parametrize(
    ("table", "changed", "said"),
    [
        (half_hours().vstack(half_hours()[3:4]), {}, r"row 145 \(site A, 2004-02-28\): this step stands there already"),
        (
            half_hours(),
            {"date": {"column": "time", "format": "%Y-%m-%d"}},
            "has no hours and minutes; 'steps' needs them",
        ),
        (half_hours(), {"date": {"column": "time", "format": "%Y-%m-%d %H"}}, "has no hours and minutes"),
        (
            half_hours(),
            {"date": {"column": "time", "format": "%Y-%m-%d %H:%M%z"}},
            "has a time zone; days are of local",
        ),
        (half_hours(), {"date": {"column": "time"}}, "is not a date in the form"),
        (
            half_hours(),
            {"steps": {"per_day": 24, "least": 24}},
            "this day has 48 steps; the map says steps.per_day: 24",
        ),
        (half_hours(), {"steps": {"per_day": 12, "least": 24}}, "steps.per_day is 12; give a whole number"),
        (half_hours().with_columns(real=pl.lit(3.0)), {}, "row 1 .* 3 is no share of the day"),
        (half_hours(), {"steps": {"per_day": 48, "least": 0}}, "steps.least is 0; give a whole number from 1"),
        (
            half_hours(),
            {"steps": {"per_day": 48, "least": 24, "stamp": "ende"}},
            "steps.stamp 'ende'; did you mean 'end'",
        ),
        (half_hours(), {"ports": {"column": "site"}}, "'steps' does not go with ports"),
        (half_hours(), {"date": {"year": "site", "day_of_year": "temp"}}, "does not go with year and day_of_year"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, table, changed, said):
    with pytest.raises(UserError, match=said):
        cube(tmp_path, table, **changed)


def test_dates_without_times_are_said(tmp_path):
    path = tmp_path / "table.parquet"
    half_hours().with_columns(pl.col("time").str.to_date(TIMES)).write_parquet(path)
    (tmp_path / "map.yaml").write_text(yaml.safe_dump({**MAP, "date": {"column": "time"}}))
    (tmp_path / "sites.csv").write_text("site,lat,lon\nA,50,8\n")
    source = TableSource(columns=str(tmp_path / "map.yaml"), path="table.parquet", sites="sites.csv")
    with pytest.raises(UserError, match="holds dates without times; 'steps' needs the time of each row"):
        read("x", source, tmp_path)


@pytest.mark.data
@pytest.mark.parametrize(
    ("half_hourly", "path", "days", "places"),
    [
        ("rice_half_hours", "rice_ch4/halfhourly.parquet", "rice_ch4", "rice_ch4"),
        ("fluxnet2015_half_hours", "fluxnet2015/halfhourly_5sites.parquet", "fluxnet2015", "fluxnet2015"),
    ],
)
def test_real_half_hours_are_the_days_of_the_daily_table(data_root, half_hourly, path, days, places):
    sites = f"{places}/sites.csv"
    steps = read("x", TableSource(columns=half_hourly, path=path, sites=sites), data_root)
    whole = TableSource(columns=days, path=f"{places}/daily.parquet", sites=sites)
    daily = read("x", whole, data_root, [str(site) for site in steps["site_id"].to_numpy()])
    shared = np.intersect1d(steps["time"], daily["time"])
    for name in ("TA", "SW", "FCH4", "NEE", "GPP", "RECO"):
        if name in steps:
            one, other = (each[name].sel(time=shared).to_numpy() for each in (steps, daily))
            np.testing.assert_array_equal(np.isfinite(one), np.isfinite(other))
            np.testing.assert_allclose(one, other, atol=1e-3)
