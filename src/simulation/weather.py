"""Daily weather: seasonal cycles, anomalies that neighbours share, wet and dry spells, and what follows from them.

Occurrence and amount of rain follow the multi-site generator of Wilks (1998, Journal of Hydrology 210, 178-191): at
each place a two-state Markov chain, driven by random numbers that are correlated in space. Random numbers are drawn
year by year, so that a longer record, or one that starts earlier, meets the same weather in the years they share.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from ..sun import extraterrestrial_radiation
from ..vapour import saturation_pressure
from .calendar import day_of_year, days_of, season
from .climate import Climate
from .fields import WAVES, Waves, generator, local_generators

Series = NDArray[np.float64]

SYNOPTIC_RANGE_KM = 900.0
SLOW_RANGE_KM = 2200.0
RAIN_RANGE_KM = 350.0
SYNOPTIC_DAYS = 3.5  # e-folding times of anomalies
SLOW_DAYS = 45.0
SPELL_PERSISTENCE = 0.35  # lag-one correlation of wet and dry
WARMING = 0.02  # K a-1, about the year 2000
LOCAL_SHARE = 0.03  # share of a day's anomaly variance that no neighbour has
_RAIN_SHAPE = 0.75  # Weibull: many small falls, few large
_MEAN_OF_SHAPE = 1.1906  # gamma(1 + 1 / 0.75)


@dataclass(frozen=True)
class Weather:
    """Daily drivers, each (site, day).

    Attributes
    ----------
    ta, ta_min, ta_max : degC. sw : W m-2. vpd : hPa. rain : precipitation, mm d-1. pa : kPa.
    """

    ta: Series
    ta_min: Series
    ta_max: Series
    sw: Series
    vpd: Series
    rain: Series
    pa: Series


@dataclass(frozen=True)
class _World:
    """Where and when weather is asked."""

    seed: int
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    first_year: int
    years: int

    def shared(self, stream: str, range_km: float, memory_days: float) -> Series:
        """Draw standard normal anomalies (site, day): waves whose weights are first-order autoregressions."""
        first = self.first_year - 1  # a year to forget the start
        shocks = np.concatenate(
            [
                generator(self.seed, f"weather/{stream}", first + year).standard_normal(
                    (_length(first + year), 2 * WAVES)
                )
                for year in range(self.years + 1)
            ]
        )
        keep = np.exp(-1.0 / memory_days) if memory_days > 0.0 else 0.0
        for day in range(1, len(shocks)):
            shocks[day] = keep * shocks[day - 1] + np.sqrt(1.0 - keep**2) * shocks[day]
        modes = Waves.draw(self.seed, f"weather/{stream}", range_km).at(self.lat, self.lon)
        common = np.einsum("sw,dw->sd", modes, shocks[_length(first) :])
        return np.asarray(np.sqrt(1.0 - LOCAL_SHARE) * common + np.sqrt(LOCAL_SHARE) * self.local(stream))

    def local(self, stream: str) -> Series:
        """Draw standard normal noise (site, day) of the place alone."""
        years = [
            [
                rng.standard_normal(_length(year))
                for rng in local_generators(self.seed, f"weather/{stream}", self.lat, self.lon, year)
            ]
            for year in range(self.first_year, self.first_year + self.years)
        ]
        return np.concatenate([np.array(year) for year in years], axis=1)


def _length(year: int) -> int:
    """Days of a year."""
    return len(days_of(year, 1))


def daily_weather(
    seed: int, lat: NDArray[np.float64], lon: NDArray[np.float64], climate: Climate, first_year: int, years: int
) -> Weather:
    """Weather of places over whole years.

    Parameters
    ----------
    lat, lon : (site,) degrees.
    climate : normals of the same places.

    Returns
    -------
    Weather with arrays (site, day); TA_MIN <= TA <= TA_MAX, 0 <= SW <= extraterrestrial, VPD >= 0.
    """
    world = _World(seed, lat, lon, first_year, years)
    days = days_of(first_year, years)
    warm = season(days, climate.warm_peak)
    wet_slow = world.shared("wetness", SLOW_RANGE_KM, SLOW_DAYS)
    wet, chance = _occurrence(world, climate, season(days, climate.wet_peak), wet_slow)
    rain = np.where(wet, _amount(world, climate, warm), 0.0)
    clearness = _clearness(world, climate, wet)
    top = extraterrestrial_radiation(lat[:, None], day_of_year(days)[None, :])
    ta = _temperature(world, climate, days, warm, wet - chance)
    swing = (4.0 + 7.0 * climate.aridity[:, None]) * (0.35 + 1.3 * clearness) * np.clip(top / 250.0, 0.25, 1.15)
    lopsided = 0.5 + 0.03 * np.tanh(world.local("lopsided"))
    ta_min, ta_max = ta - lopsided * swing, ta + (1.0 - lopsided) * swing
    dryness = (0.5 + 7.0 * climate.aridity[:, None] ** 1.5 + 1.5 * (1.0 - wet)) * np.exp(
        0.3 * world.shared("humidity", SYNOPTIC_RANGE_KM, SYNOPTIC_DAYS) - 0.15 * wet_slow
    )
    vapour = saturation_pressure(ta_min - np.where(wet, 0.3, 1.0) * dryness)
    return Weather(
        ta=ta,
        ta_min=ta_min,
        ta_max=ta_max,
        sw=top * clearness,
        # FAO-56 eq. 12: the mean of the pressures at the extremes; never negative, as vapour is saturated below TA_MIN
        vpd=0.5 * (saturation_pressure(ta_min) + saturation_pressure(ta_max)) - vapour,
        rain=rain,
        pa=_pressure(world, climate),
    )


def _occurrence(world: _World, climate: Climate, wet_season: Series, wet_slow: Series) -> tuple[Series, Series]:
    """Wet (1) and dry (0) days and the long-run chance of a wet day, both (site, day)."""
    chance = (
        climate.wet_share[:, None] * (1.0 + climate.wet_swing[:, None] * wet_season) * np.exp(0.3 * wet_slow - 0.045)
    )
    chance = np.clip(chance, 0.01, 0.93)
    draw = ndtr(world.shared("spells", RAIN_RANGE_KM, 0.0))
    wet = np.empty_like(draw)
    state = (draw[:, 0] < chance[:, 0]).astype(np.float64)
    for day in range(draw.shape[1]):
        state = (draw[:, day] < chance[:, day] * (1.0 - SPELL_PERSISTENCE) + SPELL_PERSISTENCE * state).astype(
            np.float64
        )
        wet[:, day] = state
    return wet, chance


def _amount(world: _World, climate: Climate, warm: Series) -> Series:
    """Depth (site, day), mm, of a fall if one comes: Weibull, heavier in the warm season."""
    rank = ndtr(world.shared("depth", RAIN_RANGE_KM, 0.0))
    mean = climate.rain[:, None] / (365.25 * climate.wet_share[:, None]) * (1.0 + 0.25 * warm)
    return np.asarray(mean / _MEAN_OF_SHAPE * (-np.log1p(-np.minimum(rank, 1.0 - 1e-9))) ** (1.0 / _RAIN_SHAPE))


def _clearness(world: _World, climate: Climate, wet: Series) -> Series:
    """Share (site, day) of the extraterrestrial radiation that reaches the ground."""
    cloud = world.shared("cloud", SYNOPTIC_RANGE_KM / 2.0, 1.2)
    brightness = ndtr(0.3 + 0.9 * climate.aridity[:, None] - 1.25 * wet + 0.75 * cloud)
    return np.asarray(np.minimum(0.12 + 0.62 * brightness + 2e-5 * climate.elevation[:, None], 0.84))


def _temperature(
    world: _World, climate: Climate, days: NDArray[np.datetime64], warm: Series, wet_excess: Series
) -> Series:
    """Daily mean temperature (site, day), degC; winters swing more than summers, rain cools summers."""
    restless = 1.0 - 0.3 * warm * np.clip(climate.half_range[:, None] / 10.0, 0.0, 1.0)
    synoptic = world.shared("air", SYNOPTIC_RANGE_KM, SYNOPTIC_DAYS) * climate.synoptic[:, None] * restless
    slow = world.shared("season", SLOW_RANGE_KM, SLOW_DAYS) * (0.35 + 0.3 * climate.synoptic[:, None])
    trend = WARMING * (days - np.datetime64("2000-01-01")).astype(np.float64) / 365.25
    rain = -1.2 * wet_excess * (0.3 + 0.7 * warm)
    return climate.mean[:, None] + climate.half_range[:, None] * warm + synoptic + slow + trend[None, :] + rain


def _pressure(world: _World, climate: Climate) -> Series:
    """Air pressure (site, day), kPa: FAO-56 eq. 7 and passing weather."""
    still = 101.3 * ((293.0 - 0.0065 * climate.elevation) / 293.0) ** 5.26
    return still[:, None] + 0.25 * climate.synoptic[:, None] * world.shared(
        "pressure", SYNOPTIC_RANGE_KM, SYNOPTIC_DAYS
    )
