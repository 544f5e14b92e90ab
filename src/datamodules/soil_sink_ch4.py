"""Methane that upland soils take up: the flux to the atmosphere is negative."""

from .base import FluxDataModule
from .roles import Pair


class SoilSinkCH4(FluxDataModule):
    """Methane that upland soils take up: the flux to the atmosphere is negative."""

    pair = Pair(
        name="soil_sink_ch4",
        targets=("FCH4",),
        required=("TS",),
        optional=("SWC", "TA", "P", "SW", "VPD", "SW_POT"),
        static=("abs_lat", "elevation", "mat", "map", "soil_ph", "soil_carbon", "clay", "sand", "bulk_density"),
        classes=("igbp", "koppen", "vegetation", "soil_texture"),
    )
