"""Methane of wetlands: produced below the water table, oxidised above it, on its way by plants, bubbles and diffusion.

A one-pool form of the column model of Walter and Heimann (2000, Global Biogeochemical Cycles 14, 745-765; Walter et
al. 2001, J. Geophys. Res. 106, 34189-34206), with the pH and redox limits of TEM-MDM (Zhuang et al. 2004, Global
Biogeochemical Cycles 18, GB3010) and pressure-triggered bubbles. Their balance, ``dC/dt = R_prod + R_oxid - div F_diff
- Q_ebull - Q_plant``, is integrated over depth; oxidation acts on what crosses the oxic layer. A pure function of
daily arrays (site, day).
"""

from dataclasses import dataclass

import numpy as np

from .series import Series, Value, column, lagged

NMOL_A_SECOND = 1e6 / 86400.0  # nmol m-2 s-1 per mmol m-2 d-1
COLUMN = 1.0  # m, depth of the active soil
_ROOTS = 0.25  # m, depth over which fresh organic matter thins by e
_POROSITY = 0.8
_PH_LOW, _PH_BEST, _PH_HIGH = 2.5, 6.8, 9.0
_FLUSH = 0.5  # m d-1, exchange between the oxic layer and the air
_OXIC_FILM = 0.01  # m, oxic layer under standing water
_STILL = 1e-9


@dataclass(frozen=True)
class MethaneParameters:
    """Rates of the methane cycle; one number for all sites, or one a site."""

    production: Value = 12.0  # mmol m-3 d-1 at the surface, at reference temperature; R0 of Walter and Heimann
    q10: Value = 3.0  # of production
    reference: Value = 10.0  # degC
    substrate_days: Value = 25.0  # e-folding time from photosynthesis to substrate
    soil_substrate: Value = 0.3  # supply from old peat, relative to a productivity of 5 gC m-2 d-1
    ph_limited: bool = True
    redox_days: Value = 15.0  # e-folding time with which acceptors are used up under water; 0 = no redox limit
    plants: Value = 0.12  # d-1, share of the pool that plants carry off in full leaf
    rhizosphere: Value = 0.5  # share oxidised on the way through plants; P_ox
    threshold: Value = 60.0  # mmol m-3 of the column's mean, above which bubbles rise
    bubbling: Value = 0.35  # share of the excess that rises in a day
    pressure: Value = 0.12  # kPa-1, fall of the threshold as air pressure drops below that of the past days
    diffusion: Value = 0.035  # d-1
    oxidation: Value = 60.0  # mmol m-3 d-1; V_max
    half_saturation: Value = 5.0  # mmol m-3; K_m
    oxidation_q10: Value = 2.0
    uptake: Value = 0.12  # mmol m-2 d-1 of atmospheric methane by deep dry soil at reference temperature


@dataclass(frozen=True)
class Methane:
    """The methane budget; each (site, day), mmol m-2 d-1, and the pool at the end of the day, mmol m-2.

    ``change of pool = production - rise - plants - plant_oxidation``; ``rise`` is what leaves the pool as bubbles and
    by diffusion; ``flux = rise + plants - oxidation``, where oxidation includes the uptake of atmospheric methane.
    """

    production: Series
    oxidation: Series
    plants: Series
    plant_oxidation: Series
    rise: Series
    pool: Series

    @property
    def flux(self) -> Series:
        """Flux to the atmosphere, nmol m-2 s-1; negative is uptake."""
        return (self.rise + self.plants - self.oxidation) * NMOL_A_SECOND


def ph_limit(ph: Value) -> Series:
    """Limit (site, 1) by pH, 1 at the optimum and 0 outside its range (Cao et al. 1995, Zhuang et al. 2004)."""
    acid = np.clip(column(ph), _PH_LOW, _PH_HIGH)
    both = (acid - _PH_LOW) * (acid - _PH_HIGH)
    return both / (both - (acid - _PH_BEST) ** 2)


def redox_limit(table: Series, days: Value) -> Series:
    """Limit (site, day), 0 to 1: alternative electron acceptors return as soils dry and are used up under water.

    Parameters
    ----------
    table : water table, cm above the surface. days : e-folding time of their use; drying is three times as fast.
    """
    dry = np.clip(-table / 15.0, 0.0, 1.0)
    use = 1.0 - np.exp(-1.0 / np.asarray(days, np.float64))
    left = dry[:, 0].copy()
    limit = np.empty_like(table)
    for day in range(table.shape[1]):
        rate = np.where(dry[:, day] > left, np.minimum(3.0 * use, 1.0), use)
        left = left + rate * (dry[:, day] - left)
        limit[:, day] = 1.0 - 0.85 * left
    return limit


def production(soil: Series, table: Series, productivity: Series, ph: Value, p: MethaneParameters) -> Series:
    """Methane made below the water table, mmol m-2 d-1 (site, day).

    ``R_prod = R0 f_org(z) f_in(t) f(T) Q10^((T - T_ref) / 10)`` (Walter and Heimann 2000), integrated below the table
    with an exponential ``f_org``, times f(pH) and f(redox) (Zhuang et al. 2004).
    """
    dry = np.clip(-table / 100.0, 0.0, COLUMN)
    below = _ROOTS * (np.exp(-dry / _ROOTS) - np.exp(-COLUMN / _ROOTS))
    substrate = column(p.soil_substrate) + lagged(productivity, p.substrate_days) / 5.0
    thawed = np.clip((soil + 0.5) / 1.5, 0.0, 1.0)
    made = column(p.production) * below * substrate * thawed * column(p.q10) ** ((soil - column(p.reference)) / 10.0)
    if p.ph_limited:
        made = made * ph_limit(ph)
    if np.all(np.asarray(p.redox_days) > 0.0):
        made = made * redox_limit(table, p.redox_days)
    return np.asarray(made)


def methane(
    soil: Series,
    table: Series,
    productivity: Series,
    leaf: Series,
    ph: Value,
    p: MethaneParameters,
    pressure: Series | None = None,
) -> Methane:
    """Run the methane budget of wetlands.

    Parameters
    ----------
    soil : soil temperature, degC. table : water table, cm above the surface. productivity : GPP, gC m-2 d-1.
    leaf : share of full leaf, 0 to 1. ph : soil pH (site,). pressure : air pressure, kPa; without it, bubbles ignore
    it. All series (site, day).
    """
    made = production(soil, table, productivity, ph, p)
    dry = np.clip(-table / 100.0, 0.0, COLUMN - 0.05)
    # falling pressure lets bubbles grow and rise (Tokida et al. 2007, Global Biogeochemical Cycles 21, GB2003)
    drop = np.zeros_like(soil) if pressure is None else pressure - lagged(pressure, 5.0)
    room = column(p.threshold) * (COLUMN - dry) * _POROSITY * np.clip(1.0 + column(p.pressure) * drop, 0.3, 1.7)
    carried = 1.0 - np.exp(-column(p.plants) * leaf)
    diffused = 1.0 - np.exp(-column(p.diffusion) / (1.0 + dry / 0.1) * np.clip(1.0 + soil / 10.0, 0.1, 3.0))
    bubbled = 1.0 - np.exp(-np.asarray(p.bubbling, np.float64))
    pool, rise, roots = (np.empty_like(made) for _ in range(3))
    held = made[:, 0] / (0.02 + carried[:, 0] + diffused[:, 0])
    for day in range(made.shape[1]):
        held = held + made[:, day]
        roots[:, day] = held * carried[:, day]
        held = held - roots[:, day]
        seeped = held * diffused[:, day]
        burst = bubbled * np.maximum(held - seeped - room[:, day], 0.0)
        rise[:, day] = seeped + burst
        held = held - rise[:, day]
        pool[:, day] = held
    lost = roots * column(p.rhizosphere)
    return Methane(made, _oxidation(rise, dry, soil, p), roots - lost, lost, rise, pool)


def _oxidation(rise: Series, dry: Series, soil: Series, p: MethaneParameters) -> Series:
    """Methane oxidised in the oxic layer and taken up from the air, mmol m-2 d-1: ``V_max C / (K_m + C)``.

    C is the concentration that the rising methane sustains in the layer; no more is oxidised than rises
    (Michaelis-Menten kinetics).
    """
    warmth = column(p.oxidation_q10) ** ((soil - 10.0) / 10.0) * np.clip((soil + 0.5) / 1.5, 0.0, 1.0)
    concentration = rise / _FLUSH
    power = column(p.oxidation) * (dry + _OXIC_FILM) * warmth
    eaten = np.minimum(power * concentration / (column(p.half_saturation) + concentration + _STILL), rise)
    return eaten + column(p.uptake) * warmth * dry / (dry + 0.15)
