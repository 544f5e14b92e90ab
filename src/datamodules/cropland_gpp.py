"""Gross primary production of croplands; GPP is a partitioned product."""

from .base import FluxDataModule
from .roles import Pair


class CroplandGPP(FluxDataModule):
    """Gross primary production of croplands; GPP is a partitioned product."""

    pair = Pair(
        name="cropland_gpp",
        targets=("GPP",),
        required=("TA",),
        optional=("SW", "TA_MIN", "TA_MAX", "VPD", "P", "N_RATE", "PLANTED", "SW_POT"),
        static=(
            *("abs_lat", "elevation", "mat", "map", "soil_carbon", "clay", "whc", "soil_ph"),
            *("sand", "silt", "soc", "bulk_density"),
        ),
        classes=("crop", "koppen"),
    )
