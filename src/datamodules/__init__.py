"""From files to batches: one LightningDataModule a flux/ecosystem pair."""

from .base import FluxDataModule
from .carbon_balance import CarbonBalance
from .cropland_co2 import CroplandCO2
from .cropland_gpp import CroplandGPP
from .soil_sink_ch4 import SoilSinkCH4
from .terrestrial_carbon import TerrestrialCarbon
from .terrestrial_co2 import TerrestrialCO2
from .terrestrial_gpp import TerrestrialGPP
from .wetland_ch4 import WetlandCH4

PAIRS: dict[str, type[FluxDataModule]] = {
    module.pair.name: module
    for module in (
        WetlandCH4,
        SoilSinkCH4,
        CroplandGPP,
        CroplandCO2,
        TerrestrialGPP,
        TerrestrialCO2,
        TerrestrialCarbon,
        CarbonBalance,
    )
}
