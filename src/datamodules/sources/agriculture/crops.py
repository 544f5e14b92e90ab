"""From features of the agricultural data sets to variables of the house."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ....vapour import saturation_pressure
from ....variables import CLASSES
from ...cube import UNKNOWN, attributes
from ..assemble import plausible, plausible_days
from ..real_days import days_of_year, is_leap_day
from ..units import to_canonical

Numbers = NDArray[np.float64]
DAYS_OF_A_YEAR = 365
NOTHING = 1e-3  # mm, gN m-2: rounding of standardised single precision

# Ecosys' variables, as AgroFlux and PyKGML name them, and the units of its files.
DRIVERS = {
    "TMAX": ("TA_MAX", "degC"),
    "TMIN": ("TA_MIN", "degC"),
    "TMAX_AIR": ("TA_MAX", "degC"),
    "RADN": ("SW", "MJ m-2 d-1"),
    "PRECN": ("P", "mm d-1"),
    "WIND": ("WS", "m s-1"),
}
STATICS = {
    "TBKDS": ("bulk_density", "g cm-3"),
    "TSAND": ("sand", "g kg-1"),
    "TSILT": ("silt", "g kg-1"),
    "TPH": ("soil_ph", "1"),
    "TSOC": ("soc", "g kg-1"),
}
FLUXES = {"GPP": "GPP", "Reco": "RECO", "CO2_FLUX": "NEE", "NEE": "NEE"}


def days_from(first_year: int, count: int) -> NDArray[np.datetime64]:
    """Return the real day (day,) of each of ``count`` days of years of 365 days."""
    years = range(first_year, first_year + count // DAYS_OF_A_YEAR)
    days = np.concatenate([days_of_year(year) for year in years])
    return days[~is_leap_day(days)]


def spread(values: Numbers, days: NDArray[np.datetime64], begin: np.datetime64, length: int) -> Numbers:
    """Put values (site, step) on the days of the cube (site, day); days without a step are NaN."""
    made = np.full((len(values), length), np.nan)
    made[:, (days - begin).astype(int)] = values
    return made


def drivers_of(features: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """Return drivers (site, step) in units of the house from raw features (site, step)."""
    made = {}
    for feature, (name, unit) in DRIVERS.items():
        if feature in features:
            made[name] = to_canonical(name, unit, feature)(features[feature])
    if "P" in made:
        made["P"] = _none_or_more(made["P"])
    if "TDIF_AIR" in features:
        made["TA_MIN"] = made["TA_MAX"] - features["TDIF_AIR"]
    if {"TA_MAX", "TA_MIN"} <= set(made):
        made["TA"] = (made["TA_MAX"] + made["TA_MIN"]) / 2
    if {"HMAX_AIR", "HDIF_AIR"} <= set(features) and "TA" in made:  # vapour pressure, kPa
        mean = 10.0 * (features["HMAX_AIR"] - features["HDIF_AIR"] / 2)
        made["VPD"] = np.maximum(saturation_pressure(made["TA"]) - mean, 0.0)
    if "FERTZR_N" in features:
        made["N_RATE"] = _applied(features["FERTZR_N"])
    if "PLANTT" in features:
        made["PLANTED"] = (features["PLANTT"] > 0.5).astype(np.float64)
    return made


def statics_of(features: Mapping[str, Numbers], notes: list[str]) -> dict[str, xr.DataArray]:
    """Return properties (site,) of the soil, and the crops of a rotation as a class."""
    made = {}
    for feature, (name, unit) in STATICS.items():
        if feature in features:
            value = to_canonical(name, unit, feature)(np.nanmedian(features[feature], axis=1))
            masked = plausible(name, value, notes).astype(np.float32)
            made[name] = xr.DataArray(masked, dims="site", attrs=attributes(name))
    if "Crop_Type" in features:
        names = [_rotation(row) for row in features["Crop_Type"]]
        made["crop"] = xr.DataArray(np.array(names), dims="site", attrs={"long_name": CLASSES["crop"]})
    return made


def balanced(fluxes: Mapping[str, Numbers], notes: list[str]) -> dict[str, Numbers]:
    """Return fluxes in the house's signs: respiration and GPP positive, NEE = RECO - GPP.

    Ecosys counts what the ecosystem loses as negative; GPP + Ra + Rh + NEE = 0 in PyKGML. A flux that comes with the
    other sign is turned, and the notes say so.
    """
    made = dict(fluxes)
    for name in ("GPP", "RECO"):
        if name in made and np.nanmedian(made[name]) < 0:
            made[name] = -made[name]
            notes.append(f"{name}: negative in the files, turned")
    if {"GPP", "NEE"} <= set(made):
        net = made.get("RECO", 0.0) - made["GPP"]  # without respiration, uptake goes with photosynthesis all the same
        known = np.isfinite(net) & np.isfinite(made["NEE"])
        if known.sum() > 1 and _correlation(net[known], made["NEE"][known]) < 0:
            made["NEE"] = -made["NEE"]
            notes.append("NEE: uptake is positive in the files, turned")
    return made


def _correlation(one: Numbers, other: Numbers) -> float:
    with np.errstate(all="ignore"):  # absurd values of a damaged file overflow; they are masked later
        return float(np.corrcoef(one, other)[0, 1])


def variables_of(
    values: Mapping[str, Numbers],
    days: NDArray[np.datetime64],
    begin: np.datetime64,
    length: int,
    notes: list[str],
) -> dict[str, xr.DataArray]:
    """Return variables (site, day) of a cube, implausible values masked."""
    return {name: plausible_days(name, spread(each, days, begin, length), notes) for name, each in values.items()}


def named(names: Sequence[str], values: Numbers) -> dict[str, Numbers]:
    """Return features by name from values (site, step, feature)."""
    return {name: values[..., place] for place, name in enumerate(names)}


def _applied(amount: Numbers) -> Numbers:
    """Return what was applied at once at most since the year began, gN m-2: known on the day, not before."""
    sites, steps = amount.shape
    years = _none_or_more(np.nan_to_num(amount)).reshape(sites, steps // DAYS_OF_A_YEAR, DAYS_OF_A_YEAR)
    return np.maximum.accumulate(years, axis=2).reshape(sites, steps)


def _none_or_more(values: Numbers) -> Numbers:
    """Return zero for what single precision left a little below or above it."""
    return np.where(np.abs(values) < NOTHING, 0.0, values)


def _rotation(codes: Numbers) -> str:
    known = np.unique(np.round(codes[np.isfinite(codes)])).astype(int).tolist()
    return "-".join(str(code) for code in known) if known else UNKNOWN
