"""Production, respiration and net exchange of any land ecosystem, predicted together and in balance."""

from .base import FluxDataModule
from .roles import Pair
from .terrestrial_carbon import TerrestrialCarbon


class CarbonBalance(FluxDataModule):
    """Gross production and respiration (partitioned products) and net exchange: NEE = RECO - GPP in each prediction."""

    pair = Pair(
        name="carbon_balance",
        targets=("GPP", "RECO", "NEE"),
        required=TerrestrialCarbon.pair.required,
        optional=TerrestrialCarbon.pair.optional,
        static=TerrestrialCarbon.pair.static,
        classes=TerrestrialCarbon.pair.classes,
    )
