"""Writes AgroFlux's arrays and PyKGML's dictionaries, standardised as their makers do."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

DAYS, RATES = 365, 20
INPUTS = ("TMAX", "TMIN", "PRECN", "FERTZR_N", "PLANTT", "Crop_Type", "TBKDS", "TSAND", "TSILT", "TPH", "TSOC")
KGML = (
    "RADN", "TMAX_AIR", "TDIF_AIR", "HMAX_AIR", "HDIF_AIR", "WIND", "PRECN", "Crop_Type", "GPP", "Year",
    "TBKDS", "TSAND", "TSILT", "TFC", "TWP", "TKSat", "TSOC", "TPH", "TCEC",
)  # fmt: skip


def weather(places: int, years: int, seed: int = 0) -> dict[str, NDArray[np.float64]]:
    """Weather and fluxes (day, place) of a made-up corn belt."""
    rng = np.random.default_rng(seed)
    season = -np.cos(2 * np.pi * np.arange(years * DAYS) / DAYS)[:, None]
    warm = 10 + 14 * season + rng.normal(0, 3, (years * DAYS, places))
    light = np.maximum(14 + 9 * season + rng.normal(0, 1, warm.shape), 1)
    gpp = np.maximum(0.4 * light + 0.3 * warm - 3, 0) * (1 + 0.02 * (np.arange(places) % RATES))
    reco = 1 + 0.08 * np.maximum(warm, 0) + 0.3 * gpp
    return {"warm": warm, "light": light, "gpp": gpp, "reco": reco, "rain": rng.exponential(2, warm.shape)}


def physical_agroflux(places: int, years: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Inputs (day, place, 11) and outputs Reco, GPP, CO2_FLUX (day, place, 3); Ecosys' signs: losses are negative."""
    made = weather(places, years, seed)
    day = np.arange(years * DAYS) % DAYS
    amount = np.where(day[:, None] == 119, 1.0, 0.0) * (np.arange(places) % RATES) * 1.7
    stands = ((day > 120) & (day < 280)).astype(float)[:, None] + np.zeros(places)
    crop = 1.0 + 4 * (np.arange(years * DAYS) // DAYS % 2)[:, None] + np.zeros(places)
    soil = [np.full(made["warm"].shape, value) for value in (1.3, 250.0, 480.0, 6.4, 18.0)]
    inputs = [made["warm"] + 6, made["warm"] - 6, made["rain"], amount, stands, crop, *soil]
    outputs = [-made["reco"], made["gpp"], made["gpp"] - made["reco"]]
    return np.stack(inputs, -1), np.stack(outputs, -1)


def scaled(values: NDArray[np.float64], scaler: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = np.where(scaler[:, 1] == 0, 1.0, scaler[:, 1])
    return (values - scaler[:, 0]) / spread


def scaler_of(values: NDArray[np.float64]) -> NDArray[np.float64]:
    flat = values.reshape(-1, values.shape[-1])
    spread = flat.std(0)
    return np.stack([flat.mean(0), np.where(spread == 0, 1.0, spread)], -1)


def write_agroflux(folder: Path, counties: int = 6, years: int = 2, towers: int = 3) -> Path:
    """Write the folders ``data_files`` and ``county_metrics``, and the table of towers that a user adds."""
    data = folder / "data_files"
    for name in ("t0_mw", "t0_scalers", "t1_co2"):
        (data / name).mkdir(parents=True, exist_ok=True)
    inputs, outputs = physical_agroflux(counties * RATES, years)
    x_scaler, y_scaler = scaler_of(inputs), scaler_of(outputs)
    np.save(data / "t0_scalers" / "X_scaler.npy", x_scaler)
    np.save(data / "t0_scalers" / "Y_scaler_Carbon.npy", y_scaler)
    np.save(data / "t0_mw" / "X_mw_scaled.npy", scaled(inputs, x_scaler).astype(np.float32))
    np.save(data / "t0_mw" / "Y_mw_scaled_Carbon.npy", scaled(outputs, y_scaler).astype(np.float32))
    (folder / "county_metrics").mkdir(exist_ok=True)
    rows = [f"{17001 + 2 * n},Illinois,{-100 + 3.0 * (n % 6)},{33.5 + 3.0 * (n // 6)}\n" for n in range(counties)]
    (folder / "county_metrics" / "Ecosys_99points.csv").write_text("FIPS,STATE_NAME,Lon,Lat\n" + "".join(rows))
    lines = ["number,site_id,lat,lon,first_year\n"]
    for number in range(towers):
        inputs, outputs = physical_agroflux(1, years + number % 2, seed=number + 1)
        observed = outputs[..., [1, 2]].copy()
        observed[np.random.default_rng(number).random(observed.shape[:2]) < 0.2] = np.nan
        np.save(data / "t1_co2" / f"X_real_scaled_ECfluxnet_{number}.npy", scaled(inputs, x_scaler))
        np.save(data / "t1_co2" / f"Y_real_scaled_ECfluxnet_Combined_{number}.npy", scaled(observed, y_scaler[[1, 2]]))
        lines.append(f"{number},US-T{number:02d},{40.5 + 1.3 * number},{-92 + 1.5 * number},{2003 + number}\n")
    (folder / "towers.csv").write_text("".join(lines))
    return folder


def physical_pykgml(sites: int, years: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Inputs (site, day, 19) and Ra, Rh, NEE (site, day, 3), with GPP + Ra + Rh + NEE = 0."""
    made = weather(sites, years, seed=5)
    shape = made["warm"].shape
    vapour = 0.06108 * 10 * np.exp(17.27 * made["warm"] / (made["warm"] + 237.3)) * 0.7  # kPa
    year = 2001.0 + (np.arange(shape[0]) // DAYS)[:, None] + np.zeros(sites)
    constant = {"TBKDS": 1.3, "TSAND": 250.0, "TSILT": 480.0, "TFC": 0.3, "TWP": 0.1, "TKSat": 9.0}
    constant |= {"TSOC": 18.0, "TPH": 6.4, "TCEC": 20.0}
    known = {
        "RADN": made["light"], "TMAX_AIR": made["warm"] + 6, "TDIF_AIR": np.full(shape, 12.0), "HMAX_AIR": vapour + 0.1,
        "HDIF_AIR": np.full(shape, 0.2), "WIND": np.full(shape, 3.0), "PRECN": made["rain"],
        "Crop_Type": np.full(shape, 1.0), "GPP": made["gpp"], "Year": year,
        **{name: np.full(shape, value) for name, value in constant.items()},
    }  # fmt: skip
    inputs = np.stack([known[name] for name in KGML], -1)
    ra, rh = -0.6 * made["reco"], -0.4 * made["reco"]
    outputs = np.stack([ra, rh, -(made["gpp"] + ra + rh)], -1)
    return inputs.transpose(1, 0, 2), outputs.transpose(1, 0, 2)


def write_pykgml(folder: Path, sites: int = 5, years: int = 2) -> Path:
    """Write the file, and the table of sites that a user adds."""
    folder.mkdir(parents=True, exist_ok=True)
    inputs, outputs = physical_pykgml(sites, years)
    x_scaler, y_scaler = scaler_of(inputs), scaler_of(outputs)
    x, y = (torch.tensor(scaled(v, s), dtype=torch.float32) for v, s in ((inputs, x_scaler), (outputs, y_scaler)))
    content = {
        "X_train": x[:-1], "X_test": x[-1:], "Y_train": y[:-1], "Y_test": y[-1:], "x_scaler": x_scaler,
        "y_scaler": y_scaler, "input_features": list(KGML), "output_features": ["Ra", "Rh", "NEE"],
    }  # fmt: skip
    torch.save(content, folder / "co2_pretrain_data.sav")
    rows = [f"S{n:03d},{40 + n},{-95 + 1.5 * n}\n" for n in range(sites)]
    (folder / "sites.csv").write_text("site_id,lat,lon\n" + "".join(rows))
    return folder
