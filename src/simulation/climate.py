"""The climate of a place, which its weather varies around: a function of seed and coordinates, not of a record."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..land import on_land
from .fields import local_normal, static_field

LAPSE_RATE = 6.0e-3  # K m-1, mean of the lower troposphere
# Zonal means by distance from the equator, degrees; rough fits to the observed climate, good for looks and no more.
_ZONE = np.array([0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0])
_SEA_LEVEL_MEAN = np.array([26.5, 26.5, 24.5, 20.0, 13.5, 7.0, 0.5, -7.0, -15.0])  # degC
_HALF_RANGE = np.array([0.8, 2.0, 5.0, 8.5, 11.5, 13.0, 15.0, 16.5, 17.0])  # K, at average continentality
_RAIN = np.array([2000.0, 1600.0, 950.0, 680.0, 850.0, 850.0, 620.0, 400.0, 250.0])  # mm a-1
_LAG_DAYS = 28.0  # warmth follows the sun
_NORTHERN_SOLSTICE = 172.0  # day of the year
_RINGS_KM = (100.0, 300.0, 700.0)  # distances at which continentality looks for land
_BEARINGS = np.arange(0.0, 360.0, 22.5)
_KM_A_DEGREE = 111.2

Sites = NDArray[np.float64]


@dataclass(frozen=True)
class Climate:
    """Normals of places; every attribute has shape (site,).

    Attributes
    ----------
    elevation : m. mean : mean annual temperature, degC. half_range : half the annual range of daily means, K.
    warm_peak : day of the year that is warmest. rain : mm a-1. wet_share : mean share of wet days.
    wet_swing : relative seasonal swing of the wet share. wet_peak : day of the year that is wettest.
    aridity : 0 (humid) to 1 (desert). synoptic : standard deviation of day-to-day temperature, K.
    continentality : share of land around, 0 to 1.
    """

    elevation: Sites
    mean: Sites
    half_range: Sites
    warm_peak: Sites
    rain: Sites
    wet_share: Sites
    wet_swing: Sites
    wet_peak: Sites
    aridity: Sites
    synoptic: Sites
    continentality: Sites


def continentality(lat: Sites, lon: Sites) -> Sites:
    """Share of land (site,) on rings around places; upwind (westward) points count double outside the tropics."""
    total, weight = np.zeros(len(lat)), np.zeros(len(lat))
    for ring in _RINGS_KM:
        for bearing in np.deg2rad(_BEARINGS):
            north = lat + ring / _KM_A_DEGREE * np.cos(bearing)
            east = lon + ring / _KM_A_DEGREE * np.sin(bearing) / np.cos(np.deg2rad(lat))
            upwind = np.where((np.abs(lat) > 30.0) & (np.sin(bearing) < 0.0), 2.0, 1.0)
            total += upwind * on_land(np.clip(north, -89.0, 89.0), (east + 180.0) % 360.0 - 180.0)
            weight += upwind
    return total / weight


def normals(seed: int, lat: Sites, lon: Sites) -> Climate:
    """Climate of places in the world of ``seed``.

    Parameters
    ----------
    lat, lon : (site,) degrees.
    """
    zone = np.abs(lat)
    inland = continentality(lat, lon)
    elevation = _elevation(seed, lat, lon, inland)
    maritime = np.clip((zone - 35.0) / 20.0, 0.0, 1.0) * (1.0 - inland)
    mean = (
        np.interp(zone, _ZONE, _SEA_LEVEL_MEAN)
        + 4.0 * maritime
        + 1.2 * static_field(seed, "climate/warmth", 900.0, lat, lon)
        - LAPSE_RATE * elevation
    )
    half_range = np.interp(zone, _ZONE, _HALF_RANGE) * (0.25 + 0.78 * inland)
    # 6 degrees: the hemispheres blend across the equator, where there is hardly a season to blend
    hemisphere = np.tanh(lat / 6.0)
    solstice = np.where(lat >= 0.0, _NORTHERN_SOLSTICE, _NORTHERN_SOLSTICE + 182.6)
    warm_peak = solstice + _LAG_DAYS + 12.0 * (1.0 - inland)
    rain = np.interp(zone, _ZONE, _RAIN) * np.exp(0.5 * static_field(seed, "climate/rain", 1200.0, lat, lon))
    rain = np.clip(rain * (1.5 - 0.5 * inland), 60.0, 4500.0)
    summer_share = _summer_rain(seed, lat, lon, inland)
    demand = np.clip(300.0 + 45.0 * mean, 150.0, None)  # mm a-1, a rough potential evaporation
    return Climate(
        elevation=elevation,
        mean=mean,
        half_range=half_range * np.abs(hemisphere),
        warm_peak=warm_peak,
        rain=rain,
        wet_share=np.clip(0.12 + 0.28 * (rain / 900.0) ** 0.6, 0.06, 0.62),
        wet_swing=np.clip(np.abs(summer_share), 0.0, 0.85),
        wet_peak=warm_peak + np.where(summer_share >= 0.0, 0.0, 182.6),
        aridity=1.0 / (1.0 + (rain / demand) ** 1.5),
        synoptic=np.interp(zone, [0.0, 15.0, 35.0, 55.0, 75.0], [0.9, 1.3, 2.8, 3.6, 3.8]) * (0.75 + 0.4 * inland),
        continentality=inland,
    )


def _elevation(seed: int, lat: Sites, lon: Sites, inland: Sites) -> Sites:
    """Elevation (site,), m: broad uplands, hills on them, and a little of the place's own."""
    upland = static_field(seed, "climate/upland", 700.0, lat, lon)
    hills = static_field(seed, "climate/hills", 120.0, lat, lon)
    own = local_normal(seed, "climate/hillock", lat, lon)
    return np.clip(120.0 * (0.4 + 1.6 * inland) * np.exp(0.9 * upland + 0.5 * hills + 0.1 * own), 1.0, 3200.0)


def _summer_rain(seed: int, lat: Sites, lon: Sites, inland: Sites) -> Sites:
    """Relative swing (site,) of rain toward the warm season: monsoons positive, Mediterranean coasts negative."""
    zone = np.abs(lat)
    monsoon = 0.8 * np.exp(-(((zone - 14.0) / 9.0) ** 2))
    coast = -1.1 * np.exp(-(((zone - 37.0) / 6.0) ** 2)) * (1.0 - inland)
    continent = 0.45 * np.clip((zone - 35.0) / 15.0, 0.0, 1.0) * inland
    return monsoon + coast + continent + 0.12 * static_field(seed, "climate/monsoon", 1500.0, lat, lon)
