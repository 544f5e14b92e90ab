"""Methane of wetlands."""

from .base import FluxDataModule
from .roles import Pair


class WetlandCH4(FluxDataModule):
    """Methane of wetlands."""

    pair = Pair(
        name="wetland_ch4",
        targets=("FCH4",),
        required=("TA",),
        optional=("SW", "VPD", "VP", "P", "PA", "TS", "WTD", "SW_POT", "NPP", "CO2", "CH4_AIR"),
        static=("abs_lat", "elevation", "mat", "map", "soil_ph", "soil_carbon", "clay", "bulk_density", "lai_max"),
        classes=("wetland", "koppen", "igbp", "vegetation", "vegetation_group", "soil_texture", "climate_type"),
    )
