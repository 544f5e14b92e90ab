"""Gross primary production of any land ecosystem; GPP is a partitioned product."""

from .base import FluxDataModule
from .roles import Pair


class TerrestrialGPP(FluxDataModule):
    """Gross primary production of any land ecosystem; GPP is a partitioned product."""

    pair = Pair(
        name="terrestrial_gpp",
        targets=("GPP",),
        required=("TA",),
        optional=("TA_MIN", "TA_MAX", "SW", "PPFD", "VPD", "VPD_MAX", "P", "FAPAR", "SW_POT"),
        static=("abs_lat", "elevation", "mat", "map", "whc"),
        classes=("igbp", "koppen", "photosynthesis"),
    )
