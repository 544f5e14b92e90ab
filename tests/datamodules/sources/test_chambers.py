"""Chambers of one place as one site: medians of ports, their mean, spread and number."""

import statistics
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from raciflux.config.sources import TableSource
from raciflux.datamodules.sources import read
from raciflux.datamodules.sources.chambers import over_ports
from raciflux.errors import UserError

MAP = {
    "product": "chambers", "licence": "CC0-1.0", "citation": "nobody", "site": "place",
    "date": {"column": "time", "format": "%Y-%m-%d %H:%M"}, "ports": {"column": "port"},
    "variables": {"FCH4": {"column": "flux", "unit": "nmol m-2 s-1"}, "TS": {"column": "soil", "unit": "degC"}},
    "site_table": {"site": "place", "lat": "lat", "lon": "lon"},
}  # fmt: skip
ROWS = """place,time,port,flux,soil
A,2004-05-01 01:00,1,-1.0,5
A,2004-05-01 02:00,1,-3.0,5
A,2004-05-01 03:00,1,-2.0,5
A,2004-05-01 01:00,2,-6.0,7
A,2004-05-02 01:00,2,-4.0,
A,2004-05-02 02:00,2,99999,
B,2004-05-01 05:00,x,2.0,9
"""


def product(folder: Path, rows: str = ROWS, **changed: object) -> TableSource:
    (folder / "map.yaml").write_text(yaml.safe_dump({**MAP, **changed}))
    (folder / "daily.csv").write_text(rows)
    (folder / "sites.csv").write_text("place,lat,lon\nA,50,8\nB,51,9\n")
    return TableSource(columns=str(folder / "map.yaml"), path="daily.csv", sites="sites.csv")


def test_a_day_is_the_mean_over_ports_of_their_medians(tmp_path):
    cube = read("soil_sink_ch4", product(tmp_path), tmp_path)
    assert cube["site_id"].to_numpy().tolist() == ["A", "B"]
    np.testing.assert_allclose(cube["FCH4"], [[-4.0, -4.0], [2.0, np.nan]])
    np.testing.assert_allclose(cube["FCH4_spread"], [[statistics.stdev([-2.0, -6.0]), np.nan], [np.nan, np.nan]])
    np.testing.assert_allclose(cube["FCH4_ports"], [[2, 1], [1, np.nan]])
    np.testing.assert_allclose(cube["TS"], [[6.0, np.nan], [9.0, np.nan]])
    assert "TS_spread" not in cube and "FCH4: 1 values outside" in cube.attrs["reading_notes"]


def test_a_day_may_need_several_ports(tmp_path):
    cube = read("soil_sink_ch4", product(tmp_path, ports={"column": "port", "least": 2}), tmp_path)
    np.testing.assert_allclose(cube["FCH4"].isel(site=0), [-4.0, np.nan])
    assert cube["FCH4"].isel(site=1).isnull().all()


@pytest.mark.parametrize(
    ("rows", "changed", "said"),
    [
        (ROWS.replace("02:00,1,", "02:00,,"), {}, "daily.csv, row 2, column 'port': names no port"),
        (ROWS, {"ports": {"column": "prt"}}, "no column 'prt'; did you mean 'port'"),
        (ROWS, {"ports": {"column": "port", "least": 0}}, "ports.least is 0; give a whole number from 1"),
        (ROWS, {"replicate": {"column": "port", "tag": "p"}}, "keep one of the two"),
        (ROWS.replace("-6.0", "inf"), {}, "is infinite"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, rows, changed, said):
    with pytest.raises(UserError, match=said):
        read("soil_sink_ch4", product(tmp_path, rows, **changed), tmp_path)


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 3), st.floats(-50, 50) | st.just(np.nan)),
        min_size=1,
        max_size=60,
    ),
    st.integers(1, 3),
)
def test_any_measurements_are_put_together_as_a_plain_loop_would(rows, least):
    site, day, port, values = (np.array(column) for column in zip(*rows, strict=True))
    made = over_ports(values.astype(float), site, day, port, least)
    got = {(s, d): (m, n) for s, d, m, n in zip(made.site, made.day, made.mean, made.ports, strict=True)}
    expected = {}
    for place in {(s, d) for s, d, *_ in rows}:
        medians = []
        for chamber in range(4):
            seen = [v for s, d, p, v in rows if (s, d) == place and p == chamber and np.isfinite(v)]
            medians += [statistics.median(seen)] if seen else []
        if len(medians) >= least:
            expected[place] = (statistics.fmean(medians), len(medians))
    assert got.keys() == expected.keys()
    for place, (mean, ports) in expected.items():
        assert got[place][0] == pytest.approx(mean, abs=1e-9) and got[place][1] == ports


@pytest.mark.data
def test_the_chambers_of_cosore_are_six_places(data_root):
    source = TableSource(
        columns="soil_chambers", path="soil_chamber_ch4/daily.parquet", sites="soil_chamber_ch4/sites.csv"
    )
    cube = read("soil_sink_ch4", source, data_root)
    table = pl.read_parquet(data_root / "soil_chamber_ch4" / "daily.parquet")
    assert cube.sizes["site"] == table["dataset"].n_unique() == 6
    days = table.select("dataset", "date").unique().height
    assert 0.99 * days <= int(cube["FCH4"].notnull().sum()) <= days
    howland = cube.isel(site=cube["site_id"].to_numpy().tolist().index("d20190610_SIHI_H2"))
    day = table.filter(pl.col("dataset") == "d20190610_SIHI_H2").group_by("date").agg(pl.col("CH4_nmol_m2_s").mean())
    one = day.sort("date").row(100)
    np.testing.assert_allclose(howland["FCH4"].sel(time=np.datetime64(str(one[0]), "ns")), one[1], rtol=1e-5)
    assert float(howland["FCH4"].mean()) < 0 and float(howland["FCH4_ports"].max()) > 1
