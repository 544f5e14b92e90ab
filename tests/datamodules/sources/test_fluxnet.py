"""FLUXNET-standard downloads: days as a loop makes them, the right file of several, real files there and back."""

import zipfile
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fluxnet_layout import FACTS, csv_text, half_hours, write_facts, write_site, write_zip
from raciflux.config.sources import FluxnetSource
from raciflux.datamodules.sources import read
from raciflux.datamodules.sources.fluxnet.file_names import parse
from raciflux.errors import UserError

FROM_MOLES = 12.011e-6 * 86400  # gC m-2 d-1 in a umol m-2 s-1
PAIR = "terrestrial_carbon"


def cube_of(folder: Path, **keys):
    return read(PAIR, FluxnetSource(path=".", **keys), folder)


@pytest.mark.parametrize("minutes", [30, 60])
def test_days_are_what_a_loop_over_the_steps_makes_of_them(tmp_path, minutes):
    columns = half_hours(days=4, minutes=minutes)
    columns["TA_F"][0 : len(columns["TA_F"]) // 4 // 2] = ["-9999"] * (
        len(columns["TA_F"]) // 4 // 2
    )  # half of the first day
    columns["P_F"][-1] = "-9999"
    write_site(tmp_path, columns=columns, resolution="HH" if minutes == 30 else "HR")
    write_facts(tmp_path, ["FI-Hyy"])
    cube = cube_of(tmp_path)
    steps = 1440 // minutes
    assert cube["time"].dt.strftime("%Y-%m-%d").to_numpy().tolist() == [
        "2004-02-28",
        "2004-02-29",
        "2004-03-01",
        "2004-03-02",
    ]
    for day in range(4):
        rows = range(day * steps, (day + 1) * steps)
        number = {
            name: [float(columns[name][row]) for row in rows if str(columns[name][row]) != "-9999"] for name in columns
        }
        flags = [columns["NEE_VUT_REF_QC"][row] for row in rows]
        expected = {
            "TA": np.mean(number["TA_F"]) if len(number["TA_F"]) >= 0.8 * steps else np.nan,
            "TA_MAX": np.max(number["TA_F"]) if len(number["TA_F"]) >= 0.8 * steps else np.nan,
            "SW": np.mean(number["SW_IN_F"]),
            "VPD_MAX": np.max(number["VPD_F"]),
            "P": np.mean(number["P_F"]) * steps,
            "NEE": np.mean(number["NEE_VUT_REF"]) * FROM_MOLES,
            "GPP": np.mean(number["GPP_NT_VUT_REF"]) * FROM_MOLES,
            "RECO": 2.0 * FROM_MOLES,
            "NEE_qc": np.mean([flag <= 1 for flag in flags]),
            "NEE_measured": np.mean([flag == 0 for flag in flags]),
        }
        for name, value in expected.items():
            np.testing.assert_allclose(
                cube[name].to_numpy()[0, day], value, rtol=1e-5, atol=1e-6, err_msg=f"{name} {day}"
            )
    assert np.isnan(cube["TA"].to_numpy()[0, 0]) and cube["NEE"].attrs["units"] == "gC m-2 d-1"
    assert (float(cube["lat"][0]), str(cube["igbp"][0].item()), str(cube["koppen"][0].item())) == (61.85, "ENF", "D")


def test_archives_folders_and_bare_files_say_the_same(tmp_path):
    columns = half_hours()
    archive = write_site(tmp_path / "zip", columns=columns)
    with zipfile.ZipFile(archive) as opened:
        name = opened.namelist()[0]
        opened.extractall(tmp_path / "folder" / "deep")
    (tmp_path / "bom").mkdir()
    text = csv_text(columns).replace("\n", "\r\n")
    (tmp_path / "bom" / name).write_text("\ufeff" + text, encoding="utf-8", newline="")
    cubes = []
    for folder in ("zip", "folder", "bom"):
        write_facts(tmp_path / folder, ["FI-Hyy"])
        cubes.append(cube_of(tmp_path / folder))
    assert cubes[0].equals(cubes[1]) and cubes[0].equals(cubes[2])
    one = read(PAIR, FluxnetSource(path=f"bom/{name}"), tmp_path)
    assert one.equals(cubes[0])


NAMES = {
    "FLX_FI-Hyy_FLUXNET2015_FULLSET_DD_1996-2014_1-4.csv": (
        "FI-Hyy",
        "FLUXNET2015",
        "FULLSET",
        "DD",
        (1996, 2014),
        "1-4",
    ),
    "FLX_BE-Bra_FLUXNET2015_FULLSET_HH_1996-2020_beta-3.csv": (
        "BE-Bra",
        "FLUXNET2015",
        "FULLSET",
        "HH",
        (1996, 2020),
        "beta-3",
    ),
    "FLX_US-Myb_FLUXNET-CH4_DD_2010-2018_1-1.csv": ("US-Myb", "FLUXNET-CH4", "", "DD", (2010, 2018), "1-1"),
    "AMF_US-Ha1_FLUXNET_SUBSET_HR_1991-2020_3-5.csv": ("US-Ha1", "FLUXNET", "SUBSET", "HR", (1991, 2020), "3-5"),
    "AMF_AR-TF1_FLUXNET_FLUXMET_DD_2016-2018_v1.3_r1.csv": (
        "AR-TF1",
        "FLUXNET",
        "FLUXMET",
        "DD",
        (2016, 2018),
        "v1.3_r1",
    ),
    "ICOSETC_SE-Svb_FLUXNET_DD_INTERIM_L2.csv": ("SE-Svb", "FLUXNET", "", "DD", (0, 0), "INTERIM_L2"),
    "AMF_US-Myb_BASE_HH_12-5.csv": ("US-Myb", "BASE", "", "HH", (0, 0), "12-5"),
}


@pytest.mark.parametrize("name", NAMES)
def test_names_are_read_as_the_networks_write_them(name):
    found = parse(name)
    assert found is not None
    assert (found.site, found.product, found.subset, found.resolution, found.years, found.version) == NAMES[name]


@pytest.mark.parametrize(
    "name",
    [
        "FLX_FI-Hyy_FLUXNET2015_FULLSET_MM_1996-2014_1-4.csv",
        "FLX_FI-Hyy_FLUXNET2015_AUXNEE_1996-2014_1-4.csv",
        "FLX_FI-Hyy_FLUXNET2015_ERAI_DD_1989-2014_1-4.csv",
        "readme.csv",
    ],
)
def test_other_tables_are_left_alone(name):
    assert parse(name) is None


def test_the_release_that_ends_last_is_read_and_the_others_are_reported(tmp_path):
    write_site(tmp_path / "old", columns=half_hours(seed=1), years="2004-2004")
    newer = half_hours(seed=2)
    write_site(tmp_path / "new", columns=newer, years="2004-2006")
    write_facts(tmp_path, ["FI-Hyy"])
    cube = cube_of(tmp_path)
    values = np.array([float(value) for value in newer["NEE_VUT_REF"]]).reshape(3, 48).mean(1) * FROM_MOLES
    np.testing.assert_allclose(cube["NEE"].to_numpy()[0], values, rtol=1e-5)
    notes = cube.attrs["reading_notes"]
    assert "older or shorter: FLX_FI-Hyy_FLUXNET2015_FULLSET_HH_2004-2004_1-4.csv" in notes


def daily_of(columns):
    """The daily table that a network would add to these half-hours; twice the flux, to see which is read."""
    table = pl.DataFrame(
        {name: values for name, values in columns.items() if name not in ("TIMESTAMP_END",)}, strict=False
    )
    table = table.with_columns(pl.col("TIMESTAMP_START").str.slice(0, 8).alias("TIMESTAMP")).drop("TIMESTAMP_START")
    days = table.group_by("TIMESTAMP", maintain_order=True).agg(pl.all().cast(pl.Float64).mean())
    days = days.with_columns(pl.col("NEE_VUT_REF") * 2, pl.col("NEE_VUT_REF_QC") / 4)
    return {name: days[name].to_list() for name in days.columns}


@pytest.mark.parametrize(("steps", "factor"), [("auto", FROM_MOLES), ("half_hours", FROM_MOLES), ("days", 2.0)])
def test_half_hours_go_before_days_unless_days_are_asked_for(tmp_path, steps, factor):
    columns = half_hours()
    stem = "FLX_FI-Hyy_FLUXNET2015_FULLSET_{}_2004-2004_1-4.csv"
    tables = {stem.format("DD"): csv_text(daily_of(columns)), stem.format("HH"): csv_text(columns)}
    write_zip(tmp_path / "FLX_FI-Hyy_FLUXNET2015_FULLSET_2004-2004_1-4.zip", tables)
    write_facts(tmp_path, ["FI-Hyy"])
    cube = cube_of(tmp_path, steps=steps)
    mean = np.array([float(value) for value in columns["NEE_VUT_REF"]]).reshape(3, 48).mean(1)
    np.testing.assert_allclose(cube["NEE"].to_numpy()[0], mean * factor, rtol=1e-5)
    assert ("NEE_measured" in cube) == (steps != "days")


def test_methane_towers_and_ameriflux_base(tmp_path):
    columns = half_hours()
    stamps = {name: columns[name] for name in ("TIMESTAMP_START", "TIMESTAMP_END")}
    ch4 = stamps | {"FCH4_F_ANNOPTLM": ["35.5"] * 144, "FCH4_F_ANNOPTLM_QC": [0, 3] * 72, "TA_F": columns["TA_F"]}
    write_zip(
        tmp_path / "m" / "FLX_US-Myb_FLUXNET-CH4_2004-2004_1-1.zip",
        {"FLX_US-Myb_FLUXNET-CH4_HH_2004-2004_1-1.csv": csv_text(ch4)},
    )
    write_facts(tmp_path / "m", ["US-Myb"])
    cube = read("wetland_ch4", FluxnetSource(path="m"), tmp_path)
    np.testing.assert_allclose(cube["FCH4"].to_numpy(), 35.5, rtol=1e-6)
    np.testing.assert_allclose(cube["FCH4_measured"].to_numpy(), 0.5)
    base = stamps | {
        "FC_1_1_1": ["1.5"] * 144,
        "TA_1_1_1": columns["TA_F"],
        "TA_1_2_1": ["99"] * 144,
        "SWC_1_1_A": ["30"] * 144,
    }
    base["FC_1_1_1"][:60] = ["-9999"] * 60
    header = "# Site: US-Myb\n# Version: 12-5\n"
    write_zip(tmp_path / "b" / "AMF_US-Myb_BASE-BADM_12-5.zip", {"AMF_US-Myb_BASE_HH_12-5.csv": csv_text(base, header)})
    write_facts(tmp_path / "b", ["US-Myb"])
    cube = read(PAIR, FluxnetSource(path="b"), tmp_path)
    np.testing.assert_allclose(cube["NEE_measured"].to_numpy()[0], [0, 36 / 48, 1], atol=1e-6)
    assert np.isnan(cube["NEE"].to_numpy()[0, :2]).all()
    np.testing.assert_allclose(cube["NEE"].to_numpy()[0, 2], 1.5 * FROM_MOLES, rtol=1e-6)
    assert float(cube["TA"].max()) < 20 and float(cube["SWC"].max()) == 30


@pytest.mark.data
def test_real_half_hours_in_the_official_layout_come_back_as_the_days_of_the_table(data_root, tmp_path):
    table = pl.read_parquet(data_root / "fluxnet2015" / "halfhourly_5sites.parquet")
    places = pl.read_csv(data_root / "fluxnet2015" / "sites.csv", infer_schema_length=None).rows_by_key(
        "site_id", named=True, unique=True
    )
    facts = []
    for (site,), rows in table.group_by("site_id", maintain_order=True):
        minutes = int(rows["timestamp_end_local"].diff().drop_nulls().min().total_seconds() // 60)
        ends = rows["timestamp_end_local"]
        official = rows.select(
            ends.dt.offset_by(f"-{minutes}m").dt.strftime("%Y%m%d%H%M").alias("TIMESTAMP_START"),
            ends.dt.strftime("%Y%m%d%H%M").alias("TIMESTAMP_END"),
            pl.exclude("site_id", "timestamp_end_local").fill_null(-9999),
        )
        years = f"{ends.dt.year().min()}-{ends.dt.year().max()}"
        name = f"FLX_{site}_FLUXNET2015_FULLSET_{'HH' if minutes == 30 else 'HR'}_{years}_1-4.csv"
        write_zip(tmp_path / f"FLX_{site}_FLUXNET2015_FULLSET_{years}_1-4.zip", {name: official.write_csv()})
        facts.append(
            (site, {**FACTS, "LOCATION_LAT": str(places[site]["lat"]), "LOCATION_LONG": str(places[site]["lon"])})
        )
    for site, told in facts:
        write_facts(tmp_path / str(site), [str(site)], told)
    cube = cube_of(tmp_path)
    daily = pl.read_parquet(data_root / "fluxnet2015" / "daily.parquet")
    pairs = {
        "TA": "TA_F", "TA_MIN": "TA_F_MIN", "TA_MAX": "TA_F_MAX", "SW": "SW_IN_F", "VPD": "VPD_F",
        "VPD_MAX": "VPD_F_MAX",
        "NEE": "NEE_VUT_REF", "GPP": "GPP_NT_VUT_REF",
        "NEE_qc": "NEE_VUT_REF_QC", "NEE_measured": "NEE_MEASURED_FRAC",
    }  # fmt: skip
    assert len(facts) == 5
    for site in cube["site_id"].to_numpy().tolist():
        known = daily.filter(pl.col("site_id") == site)
        mine = cube.isel(site=cube["site_id"].to_numpy().tolist().index(site)).sel(
            time=known["date"].to_numpy().astype("datetime64[ns]")
        )
        for name, column in pairs.items():
            ours, theirs = mine[name].to_numpy().astype(np.float64), known[column].to_numpy().astype(np.float64)
            both = np.isfinite(ours) & np.isfinite(theirs)
            assert both.sum() >= 0.99 * np.isfinite(theirs).sum(), (site, name)
            assert np.corrcoef(ours[both], theirs[both])[0, 1] > 0.9999, (site, name)
            assert abs((ours - theirs)[both].mean()) < 1e-3, (site, name)


@pytest.mark.data
def test_official_days_in_the_official_layout_come_back_to_single_precision(data_root, tmp_path):
    table = pl.read_parquet(data_root / "fluxnet2015" / "official_daily_4sites.parquet")
    sites = table["site_id"].unique().sort().to_list()
    for site in sites:
        rows = table.filter(pl.col("site_id") == site)
        stamp = rows["date"].dt.strftime("%Y%m%d").alias("TIMESTAMP")
        official = rows.select(stamp, pl.exclude("site_id", "date").fill_null(-9999))
        years = f"{rows['date'].dt.year().min()}-{rows['date'].dt.year().max()}"
        name = f"FLX_{site}_FLUXNET2015_FULLSET_DD_{years}_1-4.csv"
        write_zip(tmp_path / name.replace("_DD", "").replace(".csv", ".zip"), {name: official.write_csv()})
    write_facts(tmp_path, sites)
    cube = cube_of(tmp_path)
    daily = pl.read_parquet(data_root / "fluxnet2015" / "daily.parquet")
    pairs = {
        "TA": "TA_F",
        "SW": "SW_IN_F",
        "VPD": "VPD_F",
        "P": "P_F",
        "PA": "PA_F",
        "WS": "WS_F",
        "GPP": "GPP_NT_VUT_REF",
        "GPP_qc": "NEE_VUT_REF_QC",
    }
    for place, site in enumerate(sites):
        rows = table.filter(pl.col("site_id") == site)
        mine = cube.isel(site=place).sel(time=rows["date"].to_numpy().astype("datetime64[ns]"))
        for name, column in pairs.items():
            ours, theirs = mine[name].to_numpy(), rows[column].to_numpy().astype(np.float32)
            kept = np.isfinite(ours)
            assert kept.sum() > 0.98 * np.isfinite(theirs).sum(), (site, name)
            np.testing.assert_array_equal(ours[kept], theirs[kept], err_msg=f"{site} {name}")
        shared = daily.filter(pl.col("site_id") == site)
        compared = ["TA", "SW", "VPD"] + (["GPP"] if site != "CH-Dav" else [])  # CH-Dav is another release
        there = cube.isel(site=place)["time"].to_numpy()
        days = shared["date"].to_numpy().astype("datetime64[ns]")
        shared, days = shared.filter(pl.Series(np.isin(days, there))), days[np.isin(days, there)]
        for name in compared:
            ours = cube[name].isel(site=place).sel(time=days).to_numpy().astype(np.float64)
            theirs = shared[pairs[name]].to_numpy().astype(np.float64)
            both = np.isfinite(ours) & np.isfinite(theirs)
            assert np.corrcoef(ours[both], theirs[both])[0, 1] > 0.9999, (site, name)
            assert abs((ours - theirs)[both].mean()) < 1e-3, (site, name)


def test_sites_can_be_chosen_and_typos_are_told(tmp_path):
    for site in ("FI-Hyy", "DE-Tha"):
        write_site(tmp_path, site)
    write_facts(tmp_path, ["FI-Hyy", "DE-Tha"])
    cube = read(PAIR, FluxnetSource(path="."), tmp_path, ["DE-Tha"])
    assert cube["site_id"].to_numpy().tolist() == ["DE-Tha"]
    with pytest.raises(UserError, match="did you mean"):
        read(PAIR, FluxnetSource(path="."), tmp_path, ["DE-Thx"])


def test_a_record_over_new_year_and_leap_day_has_every_day(tmp_path):
    write_site(tmp_path, columns=half_hours(days=70, first=datetime(2003, 12, 30)))
    write_facts(tmp_path, ["FI-Hyy"])
    days = cube_of(tmp_path)["time"].to_numpy().astype("datetime64[D]")
    assert len(days) == 70 and np.datetime64("2004-02-29") in days
