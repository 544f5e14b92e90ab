"""The two faces of each flux: the truth at towers, and the simpler model with its own wrong parameters.

Truth has hidden site properties and all mechanisms. Simulation has neither, and numbers that someone once believed: a
lower Q10, no redox or pH limit, no light saturation, one crop plant, no drought, nitrogen or litter. What both share is
weather, maps and equations.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import carbon, crops
from .calendar import day_of_year
from .climate import Climate, Sites
from .hidden import Hidden
from .light_use import absorbing, light_use_gpp
from .series import Series, column, day_length
from .soils import Land
from .water import Bucket, evaporation_demand, run_bucket, snow
from .weather import Weather
from .wetland_ch4 import MethaneParameters, methane

_PEAT_STORE = 350.0  # mm a wetland may hold, floods included
_FULL = 200.0  # mm at which the water table stands at the surface
_YIELD_BELOW, _YIELD_ABOVE = 2.5, 10.0  # mm of storage per cm of water table in peat, and of open water
_BARE = 0.3  # crop coefficient of bare soil
_STUBBLE_LEAF = 0.5  # m2 m-2 of weeds between crops


@dataclass(frozen=True)
class Setting:
    """All that a process model reads about its sites.

    Attributes
    ----------
    seed : of the world. lat, lon : (site,) degrees. days : (day,).
    """

    seed: int
    lat: Sites
    lon: Sites
    days: NDArray[np.datetime64]
    climate: Climate
    land: Land
    weather: Weather


def water_table(storage: Series) -> Series:
    """Water table, cm above the surface, of wetland storage in mm."""
    excess = storage - _FULL
    return np.where(excess < 0.0, excess / _YIELD_BELOW, excess / _YIELD_ABOVE)


def _wetland_water(at: Setting, threshold: Sites | float, inflow: Sites | float) -> Series:
    """Water table (site, day), cm."""
    w = at.weather
    liquid, _ = snow(w.ta, w.rain)
    demand = 0.7 * evaporation_demand(w.ta, w.sw)
    bucket = Bucket(capacity=_PEAT_STORE, threshold=threshold, drainage=0.06, inflow=inflow, easy=_FULL)
    return water_table(run_bucket(liquid, demand, bucket, start=threshold).storage)


def _groundwater(climate: Climate) -> Sites:
    """Inflow (site,), mm d-1, without which a wetland would not persist in a dry climate."""
    demand = np.clip(300.0 + 45.0 * climate.mean, 150.0, None)
    return np.clip(1.15 * demand - climate.rain, 0.0, None) / 365.25 + 0.5


def wetland_truth(at: Setting, hidden: Hidden) -> Series:
    """Return the true methane flux of wetlands (site, day), nmol m-2 s-1."""
    w, land, world = at.weather, at.land, hidden.world
    kind = land.kind
    wetness = np.select(
        [kind == "unforested swamp", kind == "alluvial", np.char.find(kind, "bog") >= 0], [15.0, 0.0, -10.0], -15.0
    )
    table = _wetland_water(at, _FULL + wetness + world.water * hidden.normal("table"), _groundwater(at.climate))
    later = world.leaf_out * hidden.normal("leaf-out")
    phenology = carbon.PhenologyParameters(cold=-3.0 + later, mild=5.0 + later)
    lai = carbon.canopy(w.ta_min, w.vpd, day_length(at.lat[:, None], day_of_year(at.days)), land.lai_max, phenology)
    light = carbon.LueParameters(efficiency=1.5 * hidden.factor("efficiency", 0.5 * world.vigour))
    gpp = carbon.gpp(w.ta, w.sw, w.vpd, lai, light)
    aerenchyma = np.where(np.char.find(kind, "unforested") >= 0, 0.15, 0.06)
    p = MethaneParameters(
        production=26.0 * (land.soil_carbon / 40.0) ** 0.25 * hidden.factor("production", world.level),
        q10=2.8 * hidden.factor("q10", 0.5 * world.response),
        soil_substrate=0.3,
        plants=aerenchyma * hidden.factor("plants", world.level),
        oxidation=25.0 * hidden.factor("oxidation", world.level),
    )
    return methane(
        carbon.soil_temperature(w.ta, 10.0), table, gpp, lai / land.lai_max[:, None], land.soil_ph, p, pressure=w.pa
    ).flux


def wetland_simulation(at: Setting) -> Series:
    """Methane flux (site, day), nmol m-2 s-1, as the simpler model has it: one wetland everywhere."""
    w = at.weather
    table = _wetland_water(at, _FULL - 10.0, _groundwater(at.climate))
    lai = carbon.canopy(
        w.ta_min,
        w.vpd,
        day_length(at.lat[:, None], day_of_year(at.days)),
        3.5,
        carbon.PhenologyParameters(memory_days=7.0),
    )
    gpp = carbon.gpp(w.ta, w.sw, w.vpd, lai, carbon.LueParameters(efficiency=1.2, saturation=0.0, acclimation_days=2.0))
    p = MethaneParameters(
        production=13.0,
        q10=2.0,
        substrate_days=8.0,
        soil_substrate=0.6,
        ph_limited=False,
        redox_days=0.0,
        plants=0.1,
        oxidation=40.0,
        uptake=0.05,
    )
    return methane(carbon.soil_temperature(w.ta, 5.0), table, gpp, lai / 3.5, 6.0, p).flux


@dataclass(frozen=True)
class Field:
    """A cropland's year: what stands on it, and its fluxes, gC m-2 d-1; each (site, day)."""

    season: crops.Season
    gpp: Series
    reco: Series


def _soil_water(at: Setting, lai: Series, capacity: Sites | float) -> Series:
    """Relative root-zone water (site, day), 0 to 1, under a crop of the given leaf area."""
    w = at.weather
    liquid, _ = snow(w.ta, w.rain)
    demand = evaporation_demand(w.ta, w.sw) * (_BARE + 0.6 * (1.0 - np.exp(-0.5 * lai)))
    bucket = Bucket(capacity=capacity, threshold=0.85 * capacity, drainage=0.3, inflow=0.0, easy=0.5 * capacity)
    return run_bucket(liquid, demand, bucket, start=0.6 * capacity).storage / column(capacity)


def cropland_truth(at: Setting, hidden: Hidden) -> Field:
    """Return the true fluxes of croplands."""
    w, land, world = at.weather, at.land, hidden.world
    season = crops.grow(
        at.seed, at.lat, at.lon, at.climate, land.lai_max * hidden.factor("leaf", world.vigour), at.days, w.ta, w.rain,
        cultivar=hidden.factor("cultivar", 0.5 * world.response),
    )  # fmt: skip
    weeds = _STUBBLE_LEAF * hidden.factor("weeds", 0.7)
    lai = season.lai + weeds[:, None] * (1.0 - season.planted)
    water = _soil_water(at, lai, land.whc * hidden.factor("roots", 1.5 * world.vigour))
    # legumes fix their own nitrogen; soils give some (Michaelis-Menten in what is at hand)
    supply = season.nitrogen + 0.25 * land.soil_carbon[:, None]
    fed = np.where((season.efficiency > 0.0) & (season.nitrogen > 4.0), supply / (supply + 4.0), 0.8)
    efficiency = (
        np.where(season.planted > 0.0, season.efficiency, 1.3)
        * fed
        * hidden.factor("efficiency", world.vigour)[:, None]
    )
    light = carbon.LueParameters(
        efficiency=1.0, saturation=0.05, vpd_slope=-0.024 * hidden.factor("stomata", world.response)
    )
    gpp = efficiency * carbon.gpp(w.ta, w.sw, w.vpd, lai, light, water)
    soil = carbon.RecoParameters(
        base=0.45 * (land.soil_carbon / 10.0) ** 0.5 * hidden.factor("respiration", 1.5 * world.vigour),
        share_of_gpp=0.23 * hidden.factor("autotrophic", 0.5 * world.vigour),
        activation=300.0 * hidden.factor("activation", world.response),
    )
    litter = season.harvest * 12.0 * land.lai_max[:, None]
    return Field(season, gpp, carbon.reco(w.ta, gpp, soil, water, litter))


def cropland_simulation(at: Setting) -> Field:
    """Fluxes of croplands as the simpler model has them: one crop plant, no drought, nitrogen or litter."""
    w = at.weather
    season = crops.grow(
        at.seed, at.lat, at.lon, at.climate, np.full(len(at.lat), 3.8), at.days, w.ta, w.rain, np.ones(len(at.lat))
    )
    light = carbon.LueParameters(efficiency=1.0, saturation=0.0, acclimation_days=2.0, vpd_slope=-0.02)
    gpp = 1.6 * season.planted * carbon.gpp(w.ta, w.sw, w.vpd, season.lai, light)
    soil = carbon.RecoParameters(base=0.8, share_of_gpp=0.18, activation=220.0, lag_days=4.0)
    return Field(season, gpp, carbon.reco(w.ta, gpp, soil))


def upland_truth(at: Setting, hidden: Hidden) -> Series:
    """Return the true gross primary production of uplands (site, day), gC m-2 d-1."""
    w, land, world = at.weather, at.land, hidden.world
    later = world.leaf_out * hidden.normal("leaf-out")
    hours = day_length(at.lat[:, None], day_of_year(at.days))
    lai = carbon.canopy(
        w.ta_min,
        w.vpd,
        hours,
        land.lai_max * hidden.factor("leaf", world.vigour),
        carbon.PhenologyParameters(cold=-2.0 + later, mild=5.0 + later),
    )
    water = _soil_water(at, lai, land.whc * hidden.factor("roots", 1.5 * world.vigour))
    light = carbon.LueParameters(
        efficiency=2.0 * hidden.factor("efficiency", world.vigour),
        vpd_slope=-0.035 * hidden.factor("stomata", world.response),
    )
    return carbon.gpp(w.ta, w.sw, w.vpd, lai, light, water)


def upland_simulation(at: Setting) -> Series:
    """Gross primary production (site, day), gC m-2 d-1, by published parameters of each land cover, see `light_use`."""
    w, igbp = at.weather, at.land.kind.tolist()
    fapar = absorbing(w.ta_min, w.vpd, day_length(at.lat[:, None], day_of_year(at.days)), igbp)
    return light_use_gpp(carbon.usable_light(w.sw), fapar, w.ta_min, w.vpd, igbp)
