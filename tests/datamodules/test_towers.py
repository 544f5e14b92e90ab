"""What splits know of the towers: how warm a year is, whatever months a record covers."""

import numpy as np
import pytest
import xarray as xr
from raciflux.datamodules.towers import annual_temperature

TIME = np.arange("2001-01-01", "2004-01-01", dtype="datetime64[D]").astype("datetime64[ns]")
MONTH = TIME.astype("datetime64[M]").astype(int) % 12
YEAR = 10.0 - 12.0 * np.cos(2 * np.pi * (MONTH + 0.5) / 12)  # degC; its mean over months is 10


def of_records(*records: np.ndarray, mat: list[float] | None = None) -> np.ndarray:
    cube = xr.Dataset({"TA": (("time", "site"), np.stack(records, axis=1))}, coords={"time": TIME})
    return annual_temperature(cube if mat is None else cube.assign(mat=("site", np.array(mat, np.float32))))


def test_a_record_of_more_summers_than_winters_is_no_warmer():
    summers = np.where((np.datetime64("2002-01-01") > TIME) | np.isin(MONTH, (5, 6, 7)), YEAR, np.nan)
    assert np.nanmean(summers) > 13
    np.testing.assert_allclose(of_records(YEAR, summers), 10.0)


def test_ten_months_are_a_year_and_nine_are_not():
    ten, nine = (np.where(12 - months <= MONTH, YEAR, np.nan) for months in (10, 9))
    monthly = [YEAR[month == MONTH][0] for month in range(12)]
    assert of_records(ten, mat=[3.0]) == pytest.approx(np.mean(monthly[2:]))
    assert of_records(nine, mat=[3.0]) == pytest.approx(3.0)


def test_without_a_year_or_a_mat_the_days_there_are_count():
    summer = np.where(MONTH == 6, YEAR, np.nan)
    nothing = np.full(len(TIME), np.nan)
    np.testing.assert_allclose(of_records(summer, nothing, mat=[np.nan, np.nan]), [np.nanmean(summer), np.nan])
    np.testing.assert_allclose(of_records(summer, nothing, mat=[4.0, 5.0]), [4.0, 5.0])
    np.testing.assert_allclose(of_records(summer, nothing), [np.nanmean(summer), np.nan])


def test_a_cube_without_air_temperature_is_as_warm_as_its_site_table_says():
    cube = xr.Dataset({"mat": ("site", [1.0, np.nan])})
    np.testing.assert_array_equal(annual_temperature(cube), [1.0, np.nan])
