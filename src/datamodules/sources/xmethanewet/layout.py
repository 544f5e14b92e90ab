"""The files of X-MethaneWet: names, variables, units, codes.

Layout and codes are those of the data set's repository (https://huggingface.co/datasets/ymsun99/X-MethaneWet). Where
a file states a unit, that one counts; where it states none, the one below is assumed, and the cube says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ....errors import UserError, did_you_mean

GRIDS, TOWERS = "TEM-MDM", "FLUXNET-CH4"
SITE_TABLE, DAILY_TABLE = "FLUXNET_CH4_2024.csv", "FLUXNET_T1_DD.csv"
METHANE_IN_AIR, CARBON_DIOXIDE_IN_AIR = "ch4-1979-2018.txt", "kco21979-2018.txt"
CELLS_PRODUCT, TOWERS_PRODUCT = "X-MethaneWet: TEM-MDM", "X-MethaneWet: FLUXNET-CH4"
LICENCE = "CC-BY-4.0"
CITATION = "Sun et al. 2025, X-MethaneWet, arXiv 2505.18355"


@dataclass(frozen=True)
class Grid:
    """One variable on the grid.

    Attributes
    ----------
    name : variable in the file. file : its name, ``{year}`` where there is one a year.
    variable : of the cube. unit : assumed where the file states none.
    """

    name: str
    file: str
    variable: str
    unit: str = "1"


DAILY = (
    Grid("TAIR", "daily_ecmwf_TAIR_{year}.nc", "TA", "degC"),
    Grid("SOLR", "daily_ecmwf_SOLR_{year}.nc", "SW", "W m-2"),
    Grid("PREC", "daily_ecmwf_PREC_{year}.nc", "P", "mm d-1"),
    Grid("VAPR", "daily_ecmwf_VAPR_{year}.nc", "VP", "hPa"),
)
AIR_TEMPERATURE, SHORTWAVE = DAILY[0], DAILY[1]
PRODUCTION = Grid("NPP", "monthly_NPP_{year}.nc", "NPP", "gC m-2 month-1")
EMISSION = Grid("CH4_emission", "CH4_emission_intensity_{year}.nc", "FCH4", "mgCH4 m-2 d-1")
STATICS = (
    Grid("phh2o", "phh2o.nc", "soil_ph"),
    Grid("topsoil_bulk_density", "topsoil_bulk_density.nc", "bulk_density", "g cm-3"),
    Grid("clelev", "clelev.nc", "elevation", "m"),
)
CODES = (
    Grid("clfaotxt", "clfaotxt.nc", "soil_texture"),
    Grid("cltveg", "cltveg.nc", "vegetation"),
    Grid("vegetation_type_11", "vegetation_type_11.nc", "vegetation_group"),
    Grid("wetlandtype", "wetlandtype.nc", "wetland"),
    Grid("climatetype", "climatetype.nc", "climate_type"),
)
WETLANDS = {1: "forested bog", 2: "unforested bog", 3: "forested swamp", 4: "unforested swamp", 5: "alluvial"}

# What the published code divides emissions by in pretraining, without saying why.
PAPER_DIVISOR = 23.0


def units_of(given: Sequence[str]) -> Mapping[str, str]:
    """Read ``NAME=UNIT`` of ``data.source.units``.

    Raises
    ------
    UserError
        If an entry has another form or names no variable of the files.
    """
    names = [grid.name for grid in (*DAILY, PRODUCTION, EMISSION, *STATICS)]
    units = {}
    for entry in given:
        name, found, unit = entry.partition("=")
        if not found:
            raise UserError(f"data.source.units: {entry!r} is not NAME=UNIT, such as TAIR=K")
        if name not in names:
            raise UserError(f"data.source.units: {name!r} is no variable of the grids; {did_you_mean(name, names)}")
        units[name] = unit
    return units
