"""The shipped column maps against facts counted from the files by other means."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from raciflux.config.sources import TableSource
from raciflux.datamodules.sources import read

pytestmark = pytest.mark.data


def read_table(root, columns, path, sites):
    return read("any", TableSource(columns=columns, path=path, sites=sites), root)


@pytest.fixture(scope="module")
def fluxnet(data_root):
    return read_table(data_root, "fluxnet2015", "fluxnet2015/daily.parquet", "fluxnet2015/sites.csv")


def test_fluxnet2015_has_every_site_day(fluxnet):
    assert fluxnet.sizes["site"] == 178
    assert int(fluxnet["TA"].notnull().sum()) == 447_067
    assert str(fluxnet["time"].to_numpy()[0])[:10] == "1994-01-01"
    assert str(fluxnet["time"].to_numpy()[-1])[:10] == "2014-12-31"
    assert int(fluxnet["mat"].isnull().sum()) == 45
    assert int(fluxnet["whc"].isnull().sum()) == 51
    assert set(fluxnet["koppen"].to_numpy()) == {"Tropical", "Arid", "Temperate", "Cold", "Polar"}


def test_fluxnet2015_site_equals_its_rows(fluxnet, data_root):
    rows = pl.scan_parquet(data_root / "fluxnet2015" / "daily.parquet").filter(pl.col("site_id") == "FI-Hyy").collect()
    site = fluxnet.isel(site=fluxnet["site_id"].to_numpy().tolist().index("FI-Hyy"))
    site = site.sel(time=rows["date"].to_numpy().astype("datetime64[ns]"))
    np.testing.assert_array_equal(site["TA"], rows["TA_F"])
    np.testing.assert_array_equal(site["NEE_measured"], rows["NEE_MEASURED_FRAC"])
    respiration = rows["NEE_VUT_REF"].to_numpy() + rows["GPP_NT_VUT_REF"].to_numpy()
    np.testing.assert_allclose(site["RECO"], np.where(respiration < -5, np.nan, respiration), rtol=1e-5, atol=1e-5)


def test_fluxnet2015_measured_days_are_as_many_as_published(fluxnet):
    gpp = fluxnet["GPP"].notnull() & (fluxnet["GPP_qc"] >= 0.75) & (fluxnet["GPP_measured"] >= 0.5)
    assert int(gpp.sum()) == pytest.approx(148_000, abs=500)
    assert int((gpp.sum("time") >= 60).sum()) == 175


def test_fluxnet2015_implausible_values_are_masked_and_said(fluxnet):
    assert float(fluxnet["GPP"].max()) <= 35
    assert "GPP: 404 values outside [-5, 35] gC m-2 d-1 were masked" in fluxnet.attrs["reading_notes"]


READ_ALONE = """
import sys, time
from pathlib import Path
from raciflux.config.sources import TableSource
from raciflux.datamodules.sources import read
start = time.perf_counter()
source = TableSource(columns="fluxnet2015", path="fluxnet2015/daily.parquet", sites="fluxnet2015/sites.csv")
read("any", source, Path(sys.argv[1]))
print(time.perf_counter() - start)
print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_fluxnet2015_is_read_in_seconds_and_two_gigabytes(data_root):
    command = [sys.executable, "-c", READ_ALONE, str(data_root)]
    seconds, kilobytes = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert float(seconds) < 10  # 0.7 s on a quiet core
    assert float(kilobytes) < 2 * 1024**2  # 0.7 GB, torch included


def test_fluxnet2015_official_agrees_with_the_rebuilt_days(fluxnet, data_root):
    official = read_table(
        data_root, "fluxnet2015_official", "fluxnet2015/official_daily_4sites.parquet", "fluxnet2015/sites.csv"
    )
    assert official["site_id"].to_numpy().tolist() == ["CH-Dav", "CH-Lae", "FI-Hyy", "FR-Pue"]
    rebuilt = fluxnet.isel(site=np.isin(fluxnet["site_id"], official["site_id"])).sel(time=official["time"])
    assert float(abs(official["TA"] - rebuilt["TA"]).median()) < 1e-3
    assert float(abs(official["GPP"] - rebuilt["GPP"]).median()) < 1e-3
    assert float(official["PA"].mean()) == pytest.approx(93.47, abs=0.01)


def test_peprmt_signs_and_units(data_root):
    cube = read_table(data_root, "peprmt", "peprmt_tidal/daily.parquet", "peprmt_tidal/sites.csv")
    assert float(cube["GPP"].mean()) > 3  # uptake is positive GPP here, negative in the file
    assert float((cube["NEE"] - (cube["RECO"] - cube["GPP"])).median()) == pytest.approx(0, abs=0.1)
    assert float(cube["FCH4"].mean()) == pytest.approx(0.011482668 / 12.011 / 86400 * 1e9, rel=1e-4)
    plum_island = cube.isel(site=cube["site_id"].to_numpy().tolist().index("US-PLM"))
    assert plum_island["NEE"].isnull().all()
    assert plum_island["FCH4"].notnull().any()


def test_peprmt_ensemble_makes_a_site_of_each_member(data_root):
    path = "peprmt_tidal/simulated_ensemble_daily.parquet"
    cube = read_table(data_root, "peprmt_simulated", path, "peprmt_tidal/sites.csv")
    towers = read_table(data_root, "peprmt", "peprmt_tidal/daily.parquet", "peprmt_tidal/sites.csv")
    names = cube["site_id"].to_numpy().tolist()
    assert len(names) == 4 * 36
    member = cube.isel(site=names.index("US-EDN-m07"))
    tower = towers.isel(site=towers["site_id"].to_numpy().tolist().index("US-EDN"))
    assert (float(member["lat"]), float(member["lon"])) == (float(tower["lat"]), float(tower["lon"]))
    fresh = {
        int(name[-2:]) for name, kind in zip(names, cube["wetland"].to_numpy(), strict=True) if kind != "Salt marsh"
    }
    assert len(fresh) == 11
    assert all(number % 3 == 0 for number in fresh)
    published = cube.isel(site=names.index("US-EDN-m00"))
    np.testing.assert_array_equal(published["TA"], tower["TA"])


def test_pmodel_units_calendar_and_two_faces(data_root):
    files = ("pmodel_gpp/daily.parquet", "pmodel_gpp/sites.csv")
    towers, simulation = (read_table(data_root, f"pmodel_{face}", *files) for face in ("observed", "simulated"))
    for cube in (towers, simulation):
        assert cube["time"].attrs["source_calendar"] == "noleap"
        leap = (cube["time"].dt.month == 2) & (cube["time"].dt.day == 29)
        assert int(leap.sum()) == 4
        assert cube["TA"].isel(time=leap).isnull().all()
    assert int(towers["GPP"].notnull().any("time").sum()) == 7
    assert int(simulation["GPP"].notnull().any("time").sum()) == 11
    assert float(towers["P"].mean()) == pytest.approx(3.8077692e-5 * 86400, rel=1e-4)
    assert float(towers["VPD"].mean()) == pytest.approx(7.3837, rel=1e-4)
    assert float(towers["PA"].mean()) == pytest.approx(93.138, rel=1e-4)


def test_pmodel_light_is_shortwave_by_the_declared_factor(data_root):
    towers = read_table(data_root, "pmodel_observed", "pmodel_gpp/daily.parquet", "pmodel_gpp/sites.csv")
    official = read_table(
        data_root, "fluxnet2015_official", "fluxnet2015/official_daily_4sites.parquet", "fluxnet2015/sites.csv"
    )
    puechabon = [
        cube["SW"].isel(site=cube["site_id"].to_numpy().tolist().index("FR-Pue")) for cube in (towers, official)
    ]
    ratio = (puechabon[0] / puechabon[1]).median()  # xarray aligns the days
    assert float(ratio) == pytest.approx(1.0, abs=1e-3)


def test_rice_paddies(data_root):
    cube = read_table(data_root, "rice_ch4", "rice_ch4/daily.parquet", "rice_ch4/sites.csv")
    assert int(cube["FCH4"].notnull().sum()) == 221
    assert cube["wetland"].to_numpy().tolist() == ["Rice", "Rice"]


def test_soil_chambers_mix_fractions_and_per_cent(data_root):
    cube = read_table(data_root, "soil_chamber_ch4", "soil_chamber_ch4/daily.parquet", "soil_chamber_ch4/sites.csv")
    assert cube.sizes["site"] == 37
    hokuroku = np.char.find(cube["site_id"].to_numpy(), "HOKUROKU") >= 0
    assert float(cube["SWC"].isel(site=hokuroku).max()) == pytest.approx(33.631, abs=0.01)
    assert 20 < float(cube["SWC"].isel(site=~hokuroku).median()) < 60
    assert float(cube["FCH4"].isel(site=cube["igbp"] != "WET").median()) < 0
