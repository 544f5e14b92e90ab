"""AI for Natural Methane: grids, towers and chambers in their own layouts become a pool, and a model learns from it."""

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import xarray as xr
from fluxnet_layout import csv_text, write_facts, write_zip
from gridded_layout import days, months, write_product
from numpy.typing import NDArray
from raciflux.errors import UserError

from .conftest import load_script

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "configs" / "pool" / "recipes" / "ai4nm.yaml"
FIRST, LAST, ROWS = 2010, 2011, 18
TOWERS = {"US-Myb": (38.05, -121.77), "FI-Lom": (68.0, 24.2), "SE-Deg": (64.2, 19.6), "BW-Gum": (-18.9, 22.4)}
PLOTS = {"Abisko": (68.4, 19.0), "Mer Bleue": (45.4, -75.5), "Siikaneva": (61.8, 24.2)}
SOILS = {
    "d20190610_SIHI_H2": (45.2, -68.7), "d20200328_UEYAMA_FAIRBANKS": (64.9, -147.9),
    "d20200328_UEYAMA_HOKUROKU": (35.4, 138.8), "d20200328_UEYAMA_TESHIO": (45.1, 142.1),
    "d20200328_UEYAMA_YAMASHIRO": (34.8, 135.8),
}  # fmt: skip
SMALL = [
    "model=lightgbm", "model.rounds=10", "compare=[site_mean]", "data.split.min_scored_days=30",
    "trainer.progress=false", "logger.wandb=disabled",
]  # fmt: skip
NETWORK = [
    "model=lstm", "model.hidden=8", "compare=[]", *SMALL[3:], "transfer.pretrain.steps=4",
    "transfer.pretrain.check_every=2", "transfer.finetune.steps=4", "transfer.finetune.check_every=2",
]  # fmt: skip
DAYS = np.arange(np.datetime64(f"{FIRST}-01-01"), np.datetime64(f"{LAST + 1}-01-01"))


def warmth(lat: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Air temperature (day, ...), degC: warm in the summer of either half of the world."""
    season = np.cos(2 * np.pi * (DAYS.astype("datetime64[D]").astype(int) % 365.25 / 365.25 - 0.54))
    place = np.asarray(lat, float)
    return np.asarray(25 - 0.4 * np.abs(place) + 12 * np.multiply.outer(season, np.sign(place)))


def write_grids(folder: Path) -> None:
    """Weather a day, emissions a month, wetlands as a map, as the pages declare them."""
    lat = -90 + (np.arange(ROWS) + 0.5) * 180 / ROWS
    air = np.repeat(warmth(lat)[..., None], 2 * ROWS, -1)
    each = days(FIRST, LAST - FIRST + 1, "standard")
    for name, file, values, unit in (
        ("t2m", "2m_temperature", air + 273.15, "K"),
        ("avg_sdswrf", "mean_surface_downward_short_wave", np.clip(150 + 8 * air, 0, 400), "W m-2"),
        ("tp", "total_precipitation", np.full_like(air, 0.002), "m"),
        ("stl1", "soil_temperature_level_1", air + 274.15, "K"),
        ("swvl1", "volumetric_soil_water", np.full_like(air, 0.3), "m3 m-3"),
    ):
        write_product(folder / "weather" / f"era5_{file}.nc", values, each, name=name, unit=unit)
    steps = months(FIRST, LAST - FIRST + 1, "standard")
    month = DAYS.astype("datetime64[M]")
    monthly = np.stack([air[month == each].mean(0) for each in np.unique(month)])
    emission = 2.0 * np.exp(0.08 * monthly)  # gCH4 m-2 of wetland a month
    share = np.full(emission.shape[1:], 0.25)
    write_product(folder / "bottom_up" / "lpj_ch4.nc", emission * share, steps, name="ch4_wetland", unit="")
    write_product(folder / "bottom_up" / "fraction.nc", share, None, name="wetland_fraction", unit="1")
    seconds = 30.4 * 86400
    fluxes = {"EmisCH4_Wetlands": 1.3 * emission * share, "EmisCH4_SoilAbsorb": -0.02 * emission}
    parts = [
        write_product(folder / f"{name}.nc", values * 1e-3 / seconds, steps, name=name, unit="kg m-2 s-1")
        for name, values in fluxes.items()
    ]
    (folder / "top_down").mkdir()
    merged = xr.merge([xr.open_dataset(path, decode_times=False) for path in parts])
    merged.to_netcdf(folder / "top_down" / "posterior_emissions.nc")
    write_product(folder / "top_down" / "wad2m_fraction.nc", share, None, name="Fw", unit="1")
    write_product(folder / "soil_sink" / "memo_uptake.nc", 0.5 + 0.02 * monthly, steps, name="CH4_uptake", unit="")


def write_observed(root: Path) -> None:
    rng = np.random.default_rng(0)
    hours = np.arange(DAYS[0], DAYS[-1] + 1, np.timedelta64(1, "h"))
    starts, ends = ([f"{hour.astype(datetime):%Y%m%d%H%M}" for hour in hours + after] for after in (0, 1))
    for site, (lat, _) in TOWERS.items():
        air = np.repeat(warmth(lat), 24) + rng.normal(0, 1, len(hours))
        columns = {
            "TIMESTAMP_START": starts,
            "TIMESTAMP_END": ends,
            "TA_F": air.round(3).tolist(),
            "FCH4_F_ANNOPTLM": (40 * np.exp(0.08 * air)).round(3).tolist(),
            "FCH4_F_ANNOPTLM_QC": np.where(rng.random(len(hours)) < 0.8, 0, 3).tolist(),
        }
        name, folder = f"FLX_{site}_FLUXNET-CH4_HR_{FIRST}-{LAST}_1-1.csv", root / "ai4nm" / "towers"
        write_zip(folder / name.replace("_HR", "").replace(".csv", ".zip"), {name: csv_text(columns)})
        write_facts(folder / site, [site], {"LOCATION_LAT": str(lat), "LOCATION_LONG": str(TOWERS[site][1])})
    rows = [
        (site.replace(" ", ""), plot, str(day), round(20 * np.exp(0.08 * air), 3), round(float(air), 3))
        for site, (lat, _) in PLOTS.items()
        for day, air in zip(DAYS, warmth(lat), strict=True)
        for plot in ("hollow", "lawn")
    ]
    chambers = root / "ai4nm" / "chambers"
    chambers.mkdir(parents=True)
    table = pl.DataFrame(rows, ["Site", "Plot", "Date", "CH4Flux", "AirTemp"], orient="row")
    table.with_columns(SoilTemp=pl.col("AirTemp"), WaterTable=pl.lit(-10.0)).write_csv(
        root / "ai4nm" / "chambers" / "plots.csv"
    )
    places = [(site.replace(" ", ""), *where, 3.0, 600.0, "Fen") for site, where in PLOTS.items()]
    names = ["Site", "Lat", "Long", "MAT", "MAP", "Class"]
    pl.DataFrame(places, names, orient="row").write_csv(chambers / "sites.csv")
    ports = [
        (site, day.astype(datetime), port, float(-1 - 0.05 * max(air, 0)), 1.0, float(air), 0.3)
        for site, (lat, _) in SOILS.items()
        for day, air in zip(DAYS, warmth(lat), strict=True)
        for port in ("1", "2")
    ]
    names = ["dataset", "date", "port", "CH4_nmol_m2_s", "CO2_umol_m2_s", "soil_temp_c", "soil_moisture"]
    (root / "soil_chamber_ch4").mkdir()
    pl.DataFrame(ports, names, orient="row").write_parquet(root / "soil_chamber_ch4" / "daily.parquet")
    places = [(site, *where, 100.0, "Wetland") for site, where in SOILS.items()]
    names = ["dataset", "CSR_LATITUDE", "CSR_LONGITUDE", "CSR_ELEVATION", "CSR_IGBP"]
    pl.DataFrame(places, names, orient="row").write_csv(root / "soil_chamber_ch4" / "sites.csv")


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Data in the layouts that docs/ai4nm.md names, and the pool of the page that ships, of two years."""
    folder = tmp_path_factory.mktemp("data")
    write_grids(folder / "ai4nm")
    write_observed(folder)
    page = folder / "page.yaml"
    text = (
        PAGE.read_text().replace("last_year: 2018", f"last_year: {LAST}").replace("resolution: 1,", "resolution: 10,")
    )
    page.write_text(f"root: {folder}\n{text.replace('cells: 3000', 'cells: 40')}")
    load_script("harmonise").main([str(page), f"output={folder / 'ai4nm_pool'}", "jobs=1"])
    return folder


def trained(root: Path, output: Path, arguments: list[str]) -> Path:
    load_script("train").main([*arguments, f"data.root={root}", f"output={output}"])
    (run,) = output.glob("*/*-s[0-9]*")
    return run


def test_grids_bring_their_weather_and_agree_on_the_area(root):
    audit = json.loads((root / "ai4nm_pool" / "current" / "audit.json").read_text())
    of = {each["source"]: each for each in audit}
    for name in ("bottom_up", "top_down", "soil_sink", "top_down_soils"):
        assert {"FCH4", "TA", "SW", "P", "TS", "SWC"} <= set(of[name]["variables"]), name
        assert "Hersbach" in of[name]["citation"]
    assert (
        "FCH4: per area of wetland" in of["bottom_up"]["notes"]
        and "FCH4: per area of wetland" in of["top_down"]["notes"]
    )
    catalogue = pl.read_parquet(root / "ai4nm_pool" / "current" / "catalogue.parquet")
    assert catalogue.group_by("source").len().height == 7


@pytest.mark.parametrize(("recipe", "sign"), [("ai4nm_ch4", 1), ("ai4nm_ch4_soils", -1)])
def test_a_recipe_learns_from_the_pool(root, tmp_path, recipe, sign):
    run = trained(root, tmp_path, [f"experiment={recipe}", "transfer=scratch", "data.split.fold=0", *SMALL])
    scores = json.loads((run / "metrics.json").read_text())["scores"]
    assert scores["measured"]["sites"] > 0 and (run / "report.html").is_file()
    predicted = xr.open_zarr(run / "predictions.zarr")["prediction"]
    assert sign * float(predicted.mean()) > 0


@pytest.mark.parametrize(
    ("recipe", "grids"),
    [("ai4nm_ch4", ("bottom_up", "top_down")), ("ai4nm_ch4_soils", ("soil_sink", "top_down_soils"))],
)
def test_a_network_pretrains_on_both_grids_and_learns_from_what_was_observed(root, tmp_path, capsys, recipe, grids):
    run = trained(root, tmp_path, [f"experiment={recipe}", "data.split.fold=0", *NETWORK])
    said = capsys.readouterr().err
    assert all(f"simulation: {grid}: FCH4: per area of" in said for grid in grids)
    assert "lstm pretrain: 4 steps" in said and "lstm towers: 4 steps" in said
    assert (run / "report.html").is_file()


def test_grids_of_different_areas_are_not_taken_together(root, tmp_path):
    take = "data.simulation.take=[bottom_up,soil_sink]"
    with pytest.raises(UserError, match="per area of wetland in bottom_up, per area of the whole cell in soil_sink"):
        trained(root, tmp_path, ["experiment=ai4nm_ch4", "data.split.fold=0", take, *NETWORK])
