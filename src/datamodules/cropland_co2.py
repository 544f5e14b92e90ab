"""Net ecosystem exchange of croplands."""

from .base import FluxDataModule
from .roles import Pair


class CroplandCO2(FluxDataModule):
    """Net ecosystem exchange of croplands."""

    pair = Pair(
        name="cropland_co2",
        targets=("NEE",),
        required=("TA",),
        optional=("SW", "TA_MIN", "TA_MAX", "VPD", "P", "N_RATE", "PLANTED", "SW_POT"),
        static=(
            *("abs_lat", "elevation", "mat", "map", "soil_carbon", "clay", "whc", "soil_ph"),
            *("sand", "silt", "soc", "bulk_density"),
        ),
        classes=("crop", "koppen"),
    )
