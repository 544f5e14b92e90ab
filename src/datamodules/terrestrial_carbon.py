"""Gross primary production and net exchange of any land ecosystem, predicted together."""

from .base import FluxDataModule
from .roles import Pair
from .terrestrial_gpp import TerrestrialGPP


class TerrestrialCarbon(FluxDataModule):
    """Gross primary production (a partitioned product) and net ecosystem exchange, by one model."""

    pair = Pair(
        name="terrestrial_carbon",
        targets=("GPP", "NEE"),
        required=TerrestrialGPP.pair.required,
        optional=TerrestrialGPP.pair.optional,
        static=TerrestrialGPP.pair.static,
        classes=TerrestrialGPP.pair.classes,
    )
