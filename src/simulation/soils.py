"""Soils and vegetation of places: the mapped properties that towers and simulations share, and that models may read."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .climate import Climate, Sites
from .fields import static_field
from .light_use import BIOMES

WETLANDS = ("forested bog", "unforested bog", "forested swamp", "unforested swamp", "alluvial")


@dataclass(frozen=True)
class Land:
    """Mapped properties; every attribute has shape (site,).

    Attributes
    ----------
    soil_ph : 1. soil_carbon : kg m-2 in the top metre. clay : percent. whc : mm. lai_max : m2 m-2.
    koppen : main group of the Koeppen-Geiger climate. kind : wetland type, or the land cover of uplands.
    """

    soil_ph: Sites
    soil_carbon: Sites
    clay: Sites
    whc: Sites
    lai_max: Sites
    koppen: NDArray[np.str_]
    kind: NDArray[np.str_]


def koppen_group(climate: Climate) -> NDArray[np.str_]:
    """Return the main group A to E (site,) after Koeppen and Geiger (Peel et al. 2007, HESS 11, 1633-1644, table 1)."""
    warmest, coldest = climate.mean + climate.half_range, climate.mean - climate.half_range
    summer_rain = climate.wet_swing * np.cos(2.0 * np.pi * (climate.wet_peak - climate.warm_peak) / 365.25)
    # their 70 % of rain in one half-year is a relative swing of about 0.6
    dry_below = 20.0 * climate.mean + np.where(summer_rain > 0.6, 280.0, np.where(summer_rain < -0.6, 0.0, 140.0))
    rules = [warmest < 10.0, climate.rain < dry_below, coldest >= 18.0, coldest > 0.0]
    return np.select(rules, ["E", "B", "A", "C"], "D").astype(np.str_)


def wetland_land(seed: int, lat: Sites, lon: Sites, climate: Climate) -> Land:
    """Properties of wetlands at places (site,)."""

    def field(name: str, range_km: float) -> Sites:
        return static_field(seed, f"wetland/{name}", range_km, lat, lon)

    acid, river, trees = field("acid", 400.0), field("river", 250.0), field("trees", 300.0)
    bog = (climate.mean < 9.0) & (acid > -0.5)
    forested = trees + 0.5 * np.tanh((climate.mean + climate.half_range - 14.0) / 4.0) > 0.3
    names = np.where(bog, np.where(forested, *WETLANDS[:2]), np.where(forested, *WETLANDS[2:4]))
    kind = np.where(~bog & (river > 0.6), WETLANDS[4], names)
    alluvial = kind == WETLANDS[4]
    warmth = np.clip((climate.mean + climate.half_range) / 25.0, 0.3, 1.1)
    wet = 1.0 - 0.5 * climate.aridity
    return Land(
        soil_ph=np.clip(np.where(bog, 4.4, np.where(alluvial, 6.6, 5.8)) - 0.45 * acid, 3.5, 8.0),
        soil_carbon=np.where(bog, 70.0, np.where(alluvial, 16.0, 38.0)) * np.exp(0.35 * field("peat", 250.0)),
        clay=np.clip(np.where(bog, 10.0, 28.0) + 9.0 * field("clay", 300.0), 2.0, 65.0),
        whc=np.clip(260.0 + 50.0 * field("whc", 250.0), 100.0, 450.0),
        lai_max=np.clip(
            4.2 * warmth * wet * np.where(forested, 1.25, 0.9) * np.exp(0.2 * field("lai", 200.0)), 0.6, 7.5
        ),
        koppen=koppen_group(climate),
        kind=kind.astype(np.str_),
    )


def cropland_land(seed: int, lat: Sites, lon: Sites, climate: Climate) -> Land:
    """Properties of croplands at places (site,)."""

    def field(name: str, range_km: float) -> Sites:
        return static_field(seed, f"cropland/{name}", range_km, lat, lon)

    clay = np.clip(24.0 + 10.0 * field("clay", 250.0), 4.0, 65.0)
    cool_humid = np.clip((14.0 - climate.mean) / 20.0, -0.4, 0.6) + 0.5 * (0.5 - climate.aridity)
    return Land(
        soil_ph=np.clip(5.6 + 2.2 * climate.aridity + 0.5 * field("acid", 400.0), 4.3, 8.6),
        soil_carbon=np.clip(10.0 * np.exp(cool_humid + 0.35 * field("humus", 300.0)), 2.5, 60.0),
        clay=clay,
        whc=np.clip(75.0 + 2.6 * clay + 30.0 * field("whc", 200.0), 40.0, 330.0),
        lai_max=np.clip(4.3 * np.exp(0.2 * field("lai", 250.0)) * (1.15 - 0.4 * climate.aridity), 1.5, 7.5),
        koppen=koppen_group(climate),
        kind=np.full(len(lat), "CRO"),
    )


def upland_land(seed: int, lat: Sites, lon: Sites, climate: Climate) -> Land:
    """Properties of uplands under natural vegetation at places (site,); ``kind`` is their IGBP class."""

    def field(name: str, range_km: float) -> Sites:
        return static_field(seed, f"upland/{name}", range_km, lat, lon)

    koppen, trees = koppen_group(climate), field("trees", 400.0)
    kind = np.select(
        [koppen == "E", koppen == "B", koppen == "A", (koppen == "D") & (climate.mean < 2.0), trees < -0.5],
        ["OSH", np.where(trees > 0.5, "SAV", "GRA"), np.where(climate.rain > 1600.0, "EBF", "WSA"), "ENF", "GRA"],
        np.where(trees > 0.7, "ENF", np.where(trees > 0.1, "MF", "DBF")),
    )
    clay = np.clip(24.0 + 10.0 * field("clay", 250.0), 4.0, 65.0)
    leaves = np.array([BIOMES[name].lai_max for name in kind.tolist()])
    return Land(
        soil_ph=np.clip(5.4 + 2.2 * climate.aridity + 0.5 * field("acid", 400.0), 4.0, 8.6),
        soil_carbon=np.clip(12.0 * np.exp(0.4 * field("humus", 300.0)), 2.5, 60.0),
        clay=clay,
        whc=np.clip(75.0 + 2.6 * clay + 30.0 * field("whc", 200.0), 40.0, 330.0),
        lai_max=np.clip(leaves * np.exp(0.2 * field("lai", 250.0)), 0.5, 7.5),
        koppen=koppen,
        kind=kind.astype(np.str_),
    )
