"""The names, units and meanings of every variable a cube may hold.

One table that readers, the embedded world, scalers and figures share. Units are the canonical ones of the house: a
reader converts to them, nothing downstream converts again.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Variable:
    """A quantity on a cube.

    Attributes
    ----------
    unit : canonical unit, in CF notation where CF can say it.
    long_name : what a figure's axis says.
    plausible : values outside this closed range are masked by readers, and counted.
    standard_name : the CF standard name, empty where CF has none.
    """

    unit: str
    long_name: str
    plausible: tuple[float, float]
    standard_name: str = ""


SIMULATED = "SIMULATED"  # tells a model that learns both domains at once which one it sees

DRIVERS: dict[str, Variable] = {
    "TA": Variable("degC", "air temperature, daily mean", (-80.0, 60.0), "air_temperature"),
    "TA_MIN": Variable("degC", "air temperature, daily minimum", (-90.0, 55.0), "air_temperature"),
    "TA_MAX": Variable("degC", "air temperature, daily maximum", (-80.0, 70.0), "air_temperature"),
    "SW": Variable(
        "W m-2", "incoming shortwave radiation", (-10.0, 500.0), "surface_downwelling_shortwave_flux_in_air"
    ),
    "VPD": Variable("hPa", "vapour pressure deficit", (-0.5, 110.0), "water_vapor_saturation_deficit_in_air"),
    "VPD_MAX": Variable("hPa", "vapour pressure deficit, daily maximum", (-0.5, 150.0)),
    "P": Variable("mm d-1", "precipitation", (0.0, 1000.0), "lwe_precipitation_rate"),
    "PA": Variable("kPa", "air pressure", (40.0, 110.0), "surface_air_pressure"),
    "WS": Variable("m s-1", "wind speed", (0.0, 60.0), "wind_speed"),
    "CO2": Variable("umol mol-1", "CO2 mole fraction", (200.0, 1000.0), "mole_fraction_of_carbon_dioxide_in_air"),
    "CH4_AIR": Variable("nmol mol-1", "CH4 mole fraction", (500.0, 3000.0), "mole_fraction_of_methane_in_air"),
    "VP": Variable("hPa", "vapour pressure", (0.0, 80.0), "water_vapor_partial_pressure_in_air"),
    "NPP": Variable("gC m-2 d-1", "net primary production, simulated", (-10.0, 30.0)),
    "LW": Variable("W m-2", "incoming longwave radiation", (50.0, 600.0), "surface_downwelling_longwave_flux_in_air"),
    "TS": Variable("degC", "soil temperature", (-60.0, 60.0), "soil_temperature"),
    "SWC": Variable("percent", "volumetric soil water content", (0.0, 100.0)),
    "WTD": Variable("cm", "water table above the soil surface", (-500.0, 500.0)),
    "PPFD": Variable("umol m-2 s-1", "photosynthetic photon flux density, daily mean", (-5.0, 1500.0)),
    "FAPAR": Variable("1", "fraction of absorbed photosynthetically active radiation", (0.0, 1.0)),
    "SAL": Variable("psu", "salinity", (0.0, 60.0)),
    "N_RATE": Variable("gN m-2 a-1", "nitrogen applied this season", (0.0, 100.0)),
    "PLANTED": Variable("1", "a crop stands (1) or not (0)", (0.0, 1.0)),
    SIMULATED: Variable("1", "1 where a process model made the flux, 0 where it was observed", (0.0, 1.0)),
    "SW_POT": Variable("W m-2", "extraterrestrial radiation on a horizontal plane", (0.0, 600.0)),
}

TARGETS: dict[str, Variable] = {
    "FCH4": Variable("nmol m-2 s-1", "methane flux to the atmosphere", (-500.0, 5000.0)),
    "GPP": Variable("gC m-2 d-1", "gross primary production", (-5.0, 35.0)),
    "RECO": Variable("gC m-2 d-1", "ecosystem respiration", (-5.0, 35.0)),
    "NEE": Variable("gC m-2 d-1", "net ecosystem exchange, negative is uptake", (-25.0, 20.0)),
    "FCO2": Variable("umol m-2 s-1", "soil CO2 efflux", (-20.0, 100.0)),
}

# NEE = RECO - GPP: what takes carbon up and what gives it back. Whoever predicts all three keeps this.
NET, SOURCE, SINK = "NEE", "RECO", "GPP"

CARBON = 12.011  # g mol-1, IUPAC 2021
# Photons (400-700 nm) per joule of shortwave, umol J-1: Meek et al. 1984, 10.2134/agronj1984.00021962007600060018x,
# as SPLASH and the P-model use it (Davis et al. 2017, 10.5194/gmd-10-689-2017). A mean over skies, not an exact factor.
PHOTONS_PER_JOULE = 2.04

STATICS: dict[str, Variable] = {
    "elevation": Variable("m", "elevation above sea level", (-500.0, 6000.0)),
    "abs_lat": Variable("degrees", "distance from the equator in latitude", (0.0, 90.0)),
    "mat": Variable("degC", "mean annual temperature", (-40.0, 40.0)),
    "map": Variable("mm a-1", "mean annual precipitation", (0.0, 12000.0)),
    "whc": Variable("mm", "root-zone water holding capacity", (0.0, 3000.0)),
    "soil_ph": Variable("1", "soil pH", (2.0, 11.0)),
    "soil_carbon": Variable("kg m-2", "soil organic carbon, top metre", (0.0, 500.0)),
    "clay": Variable("percent", "clay content", (0.0, 100.0)),
    "sand": Variable("percent", "sand content", (0.0, 100.0)),
    "silt": Variable("percent", "silt content", (0.0, 100.0)),
    "soc": Variable("g kg-1", "organic carbon of the topsoil", (0.0, 600.0)),
    "bulk_density": Variable("g cm-3", "bulk density of the topsoil", (0.01, 2.7)),
    "lai_max": Variable("m2 m-2", "seasonal maximum of leaf area index", (0.0, 15.0)),
}

# Class variables hold strings on the cube; a class a model has not seen in training is "unknown".
CLASSES: dict[str, str] = {
    "igbp": "IGBP land cover",
    "koppen": "Koeppen-Geiger climate, main group",
    "photosynthesis": "C3 or C4 photosynthesis",
    "wetland": "wetland type",
    "crop": "crop in rotation",
    "vegetation": "vegetation type",
    "vegetation_group": "vegetation type, coarser",
    "soil_texture": "soil texture class",
    "climate_type": "climate type",
}

QC_SUFFIX = "_qc"  # share of the day measured or well filled, 0-1 (the field's convention: >= 0.75)
MEASURED_SUFFIX = "_measured"  # share of the day measured, 0-1 (rule: >= 0.5 as well)
SPREAD_SUFFIX = "_spread"  # standard deviation over the ports of a place
PORTS_SUFFIX = "_ports"  # how many ports measured that day
SIMULATED_SUFFIX = "_simulated"  # the flux that a simulation has there, or would have, as a network learned it
EXPECTED_SUFFIX = "_expected"  # embedded world only: the flux without observation noise; gives the noise ceiling

# Scales at which the slow encoder reads a driver, and the days of their trailing means.
SLOW_SCALES: dict[str, int] = {"months": 30, "years": 365}


def slow_name(driver: str, days: int) -> str:
    """Return the name of a driver's trailing mean, such as ``TA_30d``."""
    return f"{driver}_{days}d"


def slow_scale(name: str) -> str:
    """Return the scale of a trailing mean: ``months`` for ``TA_30d``.

    Raises
    ------
    KeyError
        If the name ends like that of no scale.
    """
    for scale, days in SLOW_SCALES.items():
        if name.endswith(slow_name("", days)):
            return scale
    raise KeyError(name)


def lookup(name: str) -> Variable:
    """Return the entry of a driver, target or static variable, or of what a simulation says of a target.

    Raises
    ------
    KeyError
        If no table holds the name.
    """
    for table in (DRIVERS, TARGETS, STATICS):
        if name in table:
            return table[name]
    target = name.removesuffix(SIMULATED_SUFFIX)
    if target != name and target in TARGETS:
        return replace(TARGETS[target], long_name=f"simulated {TARGETS[target].long_name}")
    raise KeyError(name)
