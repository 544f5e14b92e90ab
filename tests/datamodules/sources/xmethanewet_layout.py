"""Writes a small X-MethaneWet: its file names, variables and dimensions, on a coarser grid of a planet it makes up."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import netCDF4
import numpy as np
from numpy.typing import NDArray

ROWS, COLUMNS = 12, 24
MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
SITES = {  # latitudes and longitudes of real towers of the data set, and what land they stand on
    "BW-Gum": (-18.96, 22.37, "WET"), "DE-SfN": (47.81, 11.33, "WET"), "FI-Lom": (68.0, 24.21, "WET"),
    "US-Myb": (38.05, -121.77, "WET"), "US-Los": (46.08, -89.98, "WET"), "JP-BBY": (43.32, 141.81, "WET"),
    "US-LA2": (29.86, -90.29, "WET"), "CA-SCB": (61.31, -121.3, "WET"), "US-NC4": (35.79, -75.9, "WET"),
    "RU-Ch2": (68.62, 161.35, "WET"),
}  # fmt: skip


def latitude(rows: int = ROWS) -> NDArray[np.float64]:
    """Middle of each row, from the south."""
    return (np.arange(rows) + 0.5) * 180 / rows - 90


def is_land(rows: int = ROWS) -> NDArray[np.bool_]:
    """Mask (row, column): every cell but two columns of ocean and the far south."""
    land = np.ones((rows, 2 * rows), bool)
    land[:, :2] = False
    return land & (latitude(rows)[:, None] > -60)


def weather(year: int, rows: int = ROWS, seed: int = 0) -> dict[str, NDArray[np.float64]]:
    """Daily weather (row, column, month, day of the month) and monthly production, NaN over the ocean."""
    rng = np.random.default_rng([seed, year])
    season = -np.cos(2 * np.pi * (np.arange(12)[:, None] * 30.4 + np.arange(31)[None] - 15) / 365)
    half = np.sign(latitude(rows))[:, None, None, None]
    shape = (rows, 2 * rows, 12, 31)
    lat = np.abs(latitude(rows))[:, None, None, None]
    warmth = 28 - 0.5 * lat + 0.25 * lat * half * season + rng.normal(0, 2, shape)
    light = 250 - 2 * lat + 1.5 * lat * half * season + rng.normal(0, 10, shape)
    made = {
        "TAIR": warmth,
        "SOLR": np.maximum(light, 5),
        "PREC": np.where(rng.random(shape) < 0.3, rng.exponential(5, shape), 0),
        "VAPR": 0.7 * 6.108 * np.exp(17.27 * warmth / (warmth + 237.3)),
    }
    beyond = np.arange(31)[None] >= np.array(MONTHS)[:, None]
    sea = ~is_land(rows)
    for values in made.values():
        values[..., beyond] = np.nan
        values[sea] = np.nan
    made["NPP"] = np.maximum(3 * np.nanmean(np.where(sea[..., None, None], 0, warmth), -1, where=~beyond), 0)
    made["NPP"][sea] = np.nan
    return made


def wetland_codes(rows: int = ROWS) -> NDArray[np.int64]:
    """Wetland type (row, column), 1 to 5."""
    return np.random.default_rng(7).integers(1, 6, (rows, 2 * rows))


def emissions(warmth: NDArray[np.float64], codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """mgCH4 m-2 d-1: warm swamps emit most."""
    return np.asarray((4.0 + 6.0 * codes[..., None, None]) * np.exp(0.06 * np.minimum(warmth, 40) - 0.5))


def write_grids(folder: Path, years: Sequence[int], rows: int = ROWS, units: bool = True) -> Path:
    """Write the folder ``TEM-MDM``."""
    folder.mkdir(parents=True, exist_ok=True)
    land = is_land(rows)
    codes, rng = wetland_codes(rows), np.random.default_rng(1)
    statics = {
        "phh2o": rng.uniform(4, 8, land.shape), "topsoil_bulk_density": rng.uniform(0.2, 1.5, land.shape),
        "clelev": rng.uniform(0, 800, land.shape),
    }  # fmt: skip
    classes = {
        "clfaotxt": rng.integers(1, 4, land.shape), "cltveg": rng.integers(1, 9, land.shape),
        "vegetation_type_11": rng.integers(1, 5, land.shape), "wetlandtype": codes,
        "climatetype": 1 + (np.abs(latitude(rows)) // 30).astype(int)[:, None] + np.zeros(land.shape, int),
    }  # fmt: skip
    for name, values in (statics | classes).items():
        _write(folder / f"{name}.nc", name, np.where(land, values, np.nan), ("lat", "lon"))
    every = range(1979, 2019)
    (folder / "ch4-1979-2018.txt").write_text("".join(f"{year} {1550 + 7.5 * (year - 1979):.1f}\n" for year in every))
    (folder / "kco21979-2018.txt").write_text("".join(f"{year} {337 + 1.8 * (year - 1979):.1f}\n" for year in every))
    daily = ("lat", "lon", "month", "day")
    for year in years:
        made = weather(year, rows)
        _write(folder / f"monthly_NPP_{year}.nc", "NPP", made.pop("NPP"), ("lat", "lon", "month"))
        for name, values in made.items():
            unit = {"TAIR": "degC", "SOLR": "W m-2", "PREC": "mm d-1", "VAPR": "hPa"}[name] if units else ""
            _write(folder / f"daily_ecmwf_{name}_{year}.nc", name, values, daily, unit)
        flux = np.where(land[..., None, None], emissions(made["TAIR"], codes), 0.0)
        _write(folder / f"CH4_emission_intensity_{year}.nc", "CH4_emission", flux, daily)
    return folder


def _write(path: Path, name: str, values: NDArray[np.float64], dimensions: tuple[str, ...], unit: str = "") -> None:
    with netCDF4.Dataset(path, "w") as file:
        for dimension, length in zip(dimensions, values.shape, strict=True):
            file.createDimension(dimension, length)
        variable = file.createVariable(name, "f4", dimensions, fill_value=np.float32(-9999))
        variable[:] = np.ma.masked_invalid(values)
        if unit:
            variable.units = unit


def write_towers(
    folder: Path,
    first: int,
    last: int,
    sites: Sequence[str] = tuple(SITES),
    gaps: float = 0.4,
    places: Mapping[str, tuple[float, float, str]] = SITES,
    levels: Mapping[str, float] | None = None,
) -> Path:
    """Write the folder ``FLUXNET-CH4``: sites named with dots, days stacked, some of them filled.

    ``levels`` are the fluxes of the sites in the warmth of 11 degrees; None sets them apart by their number.
    """
    levels = levels or {name: 8.0 + 5.0 * number for number, name in enumerate(sites)}
    folder.mkdir(parents=True, exist_ok=True)
    head = "SITE_ID,LOCATION_LAT,LOCATION_LONG,LOCATION_ELEV,IGBP,MAT,MAP\n"
    rows = [f"{name},{places[name][0]},{places[name][1]},100,{places[name][2]},8.5,700\n" for name in sites]
    (folder / "FLUXNET_CH4_2024.csv").write_text(head + "".join(rows))
    rng = np.random.default_rng(2)
    begin, end = date(first, 1, 1), date(last, 12, 31)
    lines = ["Site,TIMESTAMP,FCH4,FCH4_F,FCH4_F_ANNOPTLM,TA_F,VPD_F,P_F,NEE_F\n"]
    for name in sites:
        lat = places[name][0]
        for day in range((end - begin).days + 1):
            when = begin + timedelta(days=day)
            season = -np.sign(lat) * np.cos(2 * np.pi * (when.timetuple().tm_yday - 15) / 365)
            warmth = 28 - 0.5 * abs(lat) + 0.25 * abs(lat) * season + rng.normal(0, 2)
            flux = levels[name] * np.exp(0.07 * warmth - 0.8) * np.exp(rng.normal(0, 0.15))
            measured = f"{flux:.4f}" if rng.random() >= gaps else "-9999"
            vpd, rain = 2 + 0.1 * max(warmth, 0), 3 * rng.random()
            lines.append(
                f"{name.replace('-', '.')},{when:%Y%m%d},{measured},{flux:.4f},{flux:.4f},{warmth:.3f},{vpd:.3f},"
                f"{rain:.3f},-1.2\n"
            )
    (folder / "FLUXNET_T1_DD.csv").write_text("".join(lines))
    return folder


def write_all(folder: Path, first: int, last: int, rows: int = ROWS) -> Path:
    """Write both folders for the same years."""
    write_grids(folder / "TEM-MDM", range(first, last + 1), rows)
    write_towers(folder / "FLUXNET-CH4", first, last)
    return folder
