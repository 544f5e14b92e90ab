"""Carbon of plants and soils: phenology, light-use efficiency, respiration.

Pure functions of daily drivers (site, day). They run on made weather and on real drivers alike: nothing here knows
where its arrays come from. A day whose drivers are missing (NaN) gives a missing flux and leaves the model's memory as
it was.
"""

from dataclasses import dataclass

import numpy as np

from .series import Series, Value, column, lagged, ramp

_PAR_A_WATT = 0.45 * 0.0864  # MJ m-2 d-1 of photosynthetically active radiation per W m-2 of shortwave
_EXTINCTION = 0.5  # of light in a canopy (Beer-Lambert)


@dataclass(frozen=True)
class PhenologyParameters:
    """When leaves are out: the limits of Jolly et al. (2005, Global Change Biology 11, 619-632)."""

    cold: Value = -2.0  # degC of daily minimum temperature: no leaves below
    mild: Value = 5.0  # degC: no limit above
    dry: Value = 41.0  # hPa of vapour pressure deficit: no leaves above
    moist: Value = 9.0  # hPa: no limit below
    short_day: Value = 10.0  # hours: no leaves below
    long_day: Value = 11.0  # hours: no limit above
    memory_days: Value = 14.0  # e-folding time; their 21-day running mean


@dataclass(frozen=True)
class LueParameters:
    """Light-use efficiency after Maekelae et al. (2008, Global Change Biology 14, 92-108)."""

    efficiency: Value = 2.0  # gC per MJ of absorbed light, at best
    saturation: Value = 0.04  # m2 d MJ-1: how fast light saturates; 0 = never
    acclimation_days: Value = 6.0  # e-folding time of the state of acclimation
    cold_limit: Value = -3.0  # degC of the state: no photosynthesis below
    warm_enough: Value = 17.0  # degC of the state: no limit above
    vpd_slope: Value = -0.035  # hPa-1
    dry_half: Value = 0.35  # relative soil water at which efficiency is halved
    dry_shape: Value = 4.0  # steepness of that fall
    heat_limit: Value = 46.0  # degC of daily mean temperature: no photosynthesis above
    heat_onset: Value = 30.0  # degC: no limit below


@dataclass(frozen=True)
class RecoParameters:
    """Ecosystem respiration after Lloyd and Taylor (1994, Functional Ecology 8, 315-323)."""

    base: Value = 1.5  # gC m-2 d-1 of soil at the reference temperature
    share_of_gpp: Value = 0.35  # of lagged productivity, respired at the reference temperature
    lag_days: Value = 12.0  # e-folding time with which productivity feeds respiration
    activation: Value = 308.56  # K; their E0
    dry_half: Value = 0.2  # relative soil water at which respiration is halved
    soil_days: Value = 4.0  # e-folding time with which the soil follows the air
    residue_days: Value = 70.0  # e-folding time of fresh litter


def canopy(ta_min: Series, vpd: Series, hours: Series, lai_max: Value, p: PhenologyParameters) -> Series:
    """Leaf area index (site, day) of natural vegetation: growing-season index times its maximum (Jolly et al. 2005).

    Parameters
    ----------
    ta_min : daily minimum temperature, degC. vpd : hPa. hours : day length.
    """
    index = ramp(ta_min, p.cold, p.mild) * ramp(vpd, p.dry, p.moist) * ramp(hours, p.short_day, p.long_day)
    return column(lai_max) * lagged(index, p.memory_days)


def usable_light(sw: Series) -> Series:
    """Photosynthetically active radiation, MJ m-2 d-1, of shortwave, W m-2, at night a little below 0."""
    return np.maximum(sw, 0.0) * _PAR_A_WATT


def absorbed_share(lai: Series) -> Series:
    """Share of the light that a canopy of this leaf area (m2 m-2) absorbs, 0 to 1 (Beer-Lambert)."""
    return 1.0 - np.exp(-_EXTINCTION * lai)


def absorbed_light(sw: Series, lai: Series) -> Series:
    """Photosynthetically active radiation a canopy absorbs, MJ m-2 d-1, of shortwave (W m-2) and leaf area."""
    return usable_light(sw) * absorbed_share(lai)


def gpp(ta: Series, sw: Series, vpd: Series, lai: Series, p: LueParameters, water: Series | None = None) -> Series:
    """Gross primary production, gC m-2 d-1 (site, day); never negative.

    ``GPP = efficiency * APAR * f_light * f_state * f_vpd * f_water * f_heat`` (Maekelae et al. 2008, with the
    soil-water term of Landsberg and Waring 1997; the heat limit is ours).

    Parameters
    ----------
    ta : daily mean temperature, degC. sw : W m-2. vpd : hPa. lai : m2 m-2.
    water : relative soil water, 0 (empty) to 1 (full); without it, soils do not limit.
    """
    apar = absorbed_light(sw, lai)
    light = 1.0 / (1.0 + column(p.saturation) * apar)
    # a lagged temperature: leaves that come out of the cold need warm days before they work again
    state = ramp(lagged(ta, p.acclimation_days), p.cold_limit, p.warm_enough)
    stomata = np.exp(column(p.vpd_slope) * np.maximum(vpd, 0.0))
    heat = ramp(ta, p.heat_limit, p.heat_onset)
    flux = column(p.efficiency) * apar * light * state * stomata * heat
    if water is not None:
        dryness = (1.0 - np.clip(water, 0.0, 1.0)) / (1.0 - column(p.dry_half))
        flux = flux / (1.0 + dryness ** column(p.dry_shape))
    return np.where(np.isfinite(ta), flux, np.nan)


def lloyd_taylor(temperature: Series, activation: Value) -> Series:
    """Relative respiration, 1 at 10 degC (Lloyd and Taylor 1994, eq. 11), for temperatures in degC above -46."""
    kelvin = np.maximum(temperature, -40.0) + 273.15
    return np.exp(column(activation) * (1.0 / (283.15 - 227.13) - 1.0 / (kelvin - 227.13)))


def soil_temperature(ta: Series, days: Value) -> Series:
    """Temperature of the upper soil, degC: the air's, delayed; below zero damped to a quarter, as snow insulates."""
    return lagged(np.where(ta < 0.0, 0.25 * ta, ta), days)


def reco(
    ta: Series, gpp_: Series, p: RecoParameters, water: Series | None = None, residue: Series | None = None
) -> Series:
    """Ecosystem respiration, gC m-2 d-1 (site, day): Lloyd-Taylor on a base that follows productivity.

    The base is linear in productivity as in Migliavacca et al. (2011, Global Change Biology 17, 390-409); dry soil
    respires less.

    Parameters
    ----------
    ta : degC. gpp_ : gC m-2 d-1. water : relative soil water, 0 to 1; without it, soils do not limit.
    residue : litter left on a day, gC m-2; respired over the following months.
    """
    base = column(p.base) + column(p.share_of_gpp) * lagged(gpp_, p.lag_days)
    if residue is not None:
        base = base + lagged(residue, p.residue_days)
    flux = base * lloyd_taylor(soil_temperature(ta, p.soil_days), p.activation)
    if water is not None:
        wet = np.clip(water, 0.0, 1.0)
        flux = flux * wet / (wet + column(p.dry_half)) * (1.0 + column(p.dry_half))
    return np.where(np.isfinite(ta), flux, np.nan)


def nee(gpp_: Series, reco_: Series) -> Series:
    """Net ecosystem exchange, gC m-2 d-1: respiration less production, negative where carbon is taken up."""
    return reco_ - gpp_
