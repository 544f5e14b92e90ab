"""Net ecosystem exchange of any land ecosystem."""

from .base import FluxDataModule
from .roles import Pair


class TerrestrialCO2(FluxDataModule):
    """Net ecosystem exchange of any land ecosystem."""

    pair = Pair(
        name="terrestrial_co2",
        targets=("NEE",),
        required=("TA",),
        optional=("TA_MIN", "TA_MAX", "SW", "PPFD", "VPD", "VPD_MAX", "P", "FAPAR", "SW_POT"),
        static=("abs_lat", "elevation", "mat", "map", "whc"),
        classes=("igbp", "koppen", "photosynthesis"),
    )
