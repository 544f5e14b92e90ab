"""Fields through the years: rotations, planting, growth by warmth, harvest and nitrogen.

Planting waits, within a window set by the normals, for warmth and dry soil; growth runs on degree-days to a maturity
that farmers fit to their season (Bondeau et al. 2007, Global Change Biology 13, 679-706).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .calendar import DAYS_A_YEAR, day_of_year
from .climate import Climate, Sites
from .fields import local_generators, static_field
from .series import Series, lagged


@dataclass(frozen=True)
class Crop:
    """A crop's needs.

    Attributes
    ----------
    plant_at : degC of lagged mean temperature at planting. base : degC below which it does not grow.
    degree_days : warmth to maturity, K d. longest : days after which it is harvested anyway. efficiency : gC MJ-1.
    nitrogen : usual rate, gN m-2 a-1. leaf : leaf area relative to the place's maximum. autumn : planted as days cool.
    """

    name: str
    plant_at: float
    base: float
    degree_days: float
    longest: float
    efficiency: float
    nitrogen: float
    leaf: float
    autumn: bool = False


MAIZE = Crop("maize", 11.0, 8.0, 1800.0, 175.0, 3.8, 17.0, 1.1)
SOYBEAN = Crop("soybean", 13.0, 8.0, 1600.0, 155.0, 2.3, 1.5, 1.15)
WINTER_WHEAT = Crop("winter wheat", 13.0, 0.0, 2300.0, 310.0, 2.8, 14.0, 1.0, autumn=True)
SPRING_WHEAT = Crop("spring wheat", 5.0, 0.0, 1750.0, 145.0, 2.6, 9.0, 0.85)
RICE = Crop("rice", 16.0, 10.0, 1750.0, 155.0, 2.8, 11.0, 1.05)
CROPS = (MAIZE, SOYBEAN, WINTER_WHEAT, SPRING_WHEAT, RICE)

# What the class "crop" of a place says, and the crops that follow one another there.
ROTATIONS: dict[str, tuple[Crop, ...]] = {
    "maize": (MAIZE,),
    "maize-soybean": (MAIZE, SOYBEAN),
    "winter wheat": (WINTER_WHEAT,),
    "spring wheat": (SPRING_WHEAT,),
    "rice": (RICE,),
}
_WINDOW_DAYS = 40.0
_SOGGY = 7.0  # mm d-1 of lagged rain: no planting


@dataclass(frozen=True)
class Season:
    """What stands on the fields; each (site, day).

    Attributes
    ----------
    planted : a crop stands (1) or not (0). lai : leaf area index of the crop, m2 m-2. nitrogen : gN m-2 a-1 of the
    standing crop, else 0. efficiency : gC MJ-1 of the standing crop, 0 without one. harvest : 1 on the day of harvest.
    """

    planted: Series
    lai: Series
    nitrogen: Series
    efficiency: Series
    harvest: Series


def rotation_of(seed: int, lat: Sites, lon: Sites, climate: Climate) -> NDArray[np.str_]:
    """Rotation (site,), a key of ``ROTATIONS``, that fits the climate; regions prefer one."""
    taste = static_field(seed, "crops/rotation", 350.0, lat, lon)
    warmest, coldest = climate.mean + climate.half_range, climate.mean - climate.half_range
    rules = [
        (climate.mean > 17.0) & (climate.rain > 1000.0) & (taste > -0.3),
        warmest < 17.5,
        (coldest < 14.0) & (coldest > -9.0) & (taste < -0.2),
        (taste > 0.2) & (climate.rain > 500.0),
    ]
    cool = np.where(coldest > -6.0, "winter wheat", "spring wheat")
    return np.select(rules, ["rice", cool, "winter wheat", "maize-soybean"], "maize").astype(np.str_)


def grow(
    seed: int,
    lat: Sites,
    lon: Sites,
    climate: Climate,
    lai_max: Sites,
    days: NDArray[np.datetime64],
    ta: Series,
    rain: Series,
    cultivar: Sites,
) -> Season:
    """Plant, grow and harvest over the days of a record.

    Parameters
    ----------
    lai_max : m2 m-2 of the place. ta : degC (site, day). rain : mm d-1 (site, day).
    cultivar : factor (site,) on the degree-days to maturity.
    """
    rotation = rotation_of(seed, lat, lon, climate)
    years = days.astype("datetime64[Y]").astype(np.int64) + 1970
    table, rate = _plan(seed, lat, lon, rotation, int(years[0]), int(years[-1]))
    autumn = np.array([ROTATIONS[name][0].autumn for name in rotation])
    opens = _window_start(climate, np.array([ROTATIONS[name][0].plant_at for name in rotation]), autumn)
    since = (day_of_year(days)[None, :] - opens[:, None]) % DAYS_A_YEAR
    warmth, damp = lagged(ta, 6.0), lagged(rain, 3.0)
    need = {key: np.array([getattr(crop, key) for crop in CROPS]) for key in Crop.__annotations__ if key != "name"}
    fitted = cultivar * np.clip(_available(climate, opens, autumn) / 1900.0, 0.55, 1.15)

    sites = len(lat)
    planted, growth, nitrogen, efficiency, leaf, harvest = (np.zeros(ta.shape) for _ in range(6))
    stands, warm_sum, age = np.zeros(sites, bool), np.zeros(sites), np.zeros(sites)
    resting = np.full(sites, 999.0)  # days since the last planting: one crop a year
    crop, applied = np.zeros(sites, np.int64), np.zeros(sites)
    row = np.arange(sites)
    for day in range(len(days)):
        year = years[day] - years[0]
        upcoming = table[row, year]
        workable = (damp[:, day] < _SOGGY) & ((warmth[:, day] >= need["plant_at"][upcoming]) | autumn)
        open_ = since[:, day] < _WINDOW_DAYS
        last = open_ & (since[:, day] >= _WINDOW_DAYS - 1.0)
        sown = ~stands & (resting > 200.0) & ((open_ & workable) | last)
        crop, applied = np.where(sown, upcoming, crop), np.where(sown, rate[row, year], applied)
        stands, resting = stands | sown, np.where(sown, 0.0, resting + 1.0)
        warm_sum = np.where(sown, 0.0, warm_sum + np.clip(ta[:, day] - need["base"][crop], 0.0, 24.0))
        age = np.where(sown, 0.0, age + 1.0)
        stage = warm_sum / (need["degree_days"][crop] * fitted)
        ripe = stands & ((stage >= 1.0) | (age > need["longest"][crop]))
        harvest[:, day] = ripe
        stands = stands & ~ripe
        planted[:, day], growth[:, day] = stands, np.where(stands, stage, 0.0)
        nitrogen[:, day] = applied * stands
        efficiency[:, day] = need["efficiency"][crop] * stands
        leaf[:, day] = need["leaf"][crop] * stands
    return Season(planted, lai_max[:, None] * leaf * leaf_course(growth), nitrogen, efficiency, harvest)


def leaf_course(stage: Series) -> Series:
    """Leaf area relative to its maximum at a stage of growth, 0 (planted) to 1 (ripe): a double logistic."""
    return 1.0 / (1.0 + np.exp(-(stage - 0.33) / 0.06)) / (1.0 + np.exp((stage - 0.87) / 0.045))


def _plan(
    seed: int, lat: Sites, lon: Sites, rotation: NDArray[np.str_], first: int, last: int
) -> tuple[NDArray[np.int64], Sites]:
    """Crop, as an index of ``CROPS``, and nitrogen rate, gN m-2 a-1; both (site, year of planting)."""
    own = local_generators(seed, "crops/farmer", lat, lon)
    habit = np.array([[rng.random(), rng.standard_normal()] for rng in own])
    noise = np.stack(
        [
            [rng.standard_normal() for rng in local_generators(seed, "crops/rate", lat, lon, year)]
            for year in range(first, last + 1)
        ],
        axis=1,
    )
    table = np.array(
        [
            [
                CROPS.index(ROTATIONS[name][(year + int(2 * start)) % len(ROTATIONS[name])])
                for year in range(first, last + 1)
            ]
            for name, start in zip(rotation, habit[:, 0], strict=True)
        ]
    )
    usual = np.array([crop.nitrogen for crop in CROPS])[table]
    return table, np.clip(usual * np.exp(0.25 * habit[:, 1:] + 0.12 * noise), 0.0, 40.0)


def _window_start(climate: Climate, plant_at: Sites, autumn: NDArray[np.bool_]) -> Sites:
    """Day of the year (site,) on which planting may begin: as normals pass the crop's need, or before the rains."""
    turn = (plant_at - climate.mean) / np.maximum(climate.half_range, 0.1)
    lag = np.arccos(np.clip(turn, -1.0, 0.98)) * DAYS_A_YEAR / (2.0 * np.pi)
    thermal = np.where(autumn, climate.warm_peak + lag, climate.warm_peak - lag) - 12.0
    return np.where(turn < -0.9, climate.wet_peak - 60.0, thermal) % DAYS_A_YEAR


def _available(climate: Climate, opens: Sites, autumn: NDArray[np.bool_]) -> Sites:
    """Degree-days above 8 degC (site,) in the season after planting, by the normals."""
    ahead = np.arange(0.0, 150.0, 5.0)
    start = np.where(autumn, climate.warm_peak - 90.0, opens)
    phase = 2.0 * np.pi * (start[:, None] + ahead[None, :] - climate.warm_peak[:, None]) / DAYS_A_YEAR
    normal = climate.mean[:, None] + climate.half_range[:, None] * np.cos(phase)
    return np.asarray(5.0 * np.clip(normal - 8.0, 0.0, 24.0).sum(axis=1))
