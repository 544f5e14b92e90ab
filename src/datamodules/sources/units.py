"""From the units products use to the canonical units of the house.

Every conversion is linear, ``canonical = scale * value + offset``, and listed under the canonical unit it leads to, so
that ``umol m-2 s-1`` means moles of carbon for a flux and photons for light without guessing.
"""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ...errors import UserError, did_you_mean
from ...variables import CARBON, PHOTONS_PER_JOULE, lookup

CARBON_DIOXIDE = 44.009  # g mol-1
METHANE = 16.043  # g mol-1
DAY = 86400.0  # s
PER_MONTH = " month-1"  # end of a unit that is a sum over the month; readers divide by its days


@dataclass(frozen=True)
class Linear:
    """The conversion ``canonical = scale * value + offset``."""

    scale: float = 1.0
    offset: float = 0.0

    def __call__(self, values: NDArray[Any]) -> NDArray[Any]:
        """Convert values (any shape) to the canonical unit."""
        return values * self.scale + self.offset


_CARBON_MASS = {  # to gC m-2 d-1
    "gC m-2 d-1": 1.0,
    "mgC m-2 d-1": 1e-3,
    "gC m-2 s-1": DAY,
    "kgC m-2 d-1": 1e3,
    "kgC m-2 s-1": 1e3 * DAY,
}
_MOLES = {  # of a gas with one carbon atom, to gC m-2 d-1
    "nmol m-2 s-1": 1e-9 * CARBON * DAY,
    "umol m-2 s-1": 1e-6 * CARBON * DAY,
    "mmol m-2 d-1": 1e-3 * CARBON,
    "mol m-2 d-1": CARBON,
    "mol m-2 s-1": CARBON * DAY,
}
_CO2 = {
    **_CARBON_MASS,
    **_MOLES,
    "umol CO2 m-2 s-1": _MOLES["umol m-2 s-1"],
    "gCO2 m-2 d-1": CARBON / CARBON_DIOXIDE,
    "mgCO2 m-2 s-1": 1e-3 * DAY * CARBON / CARBON_DIOXIDE,
}
_CH4 = {
    **_CARBON_MASS,
    **_MOLES,
    "gC-CH4 m-2 d-1": 1.0,
    "mgC-CH4 m-2 d-1": 1e-3,
    "nmol CH4 m-2 s-1": _MOLES["nmol m-2 s-1"],
    "umol CH4 m-2 s-1": _MOLES["umol m-2 s-1"],
    "gCH4 m-2 d-1": CARBON / METHANE,
    "mgCH4 m-2 d-1": 1e-3 * CARBON / METHANE,
    "mgCH4 m-2 h-1": 24e-3 * CARBON / METHANE,
    "kgCH4 m-2 s-1": 1e3 * DAY * CARBON / METHANE,
}
_PHOTONS = {"umol m-2 s-1": 1.0, "mol m-2 s-1": 1e6, "mol m-2 d-1": 1e6 / DAY}  # to umol m-2 s-1
_POWER = {"W m-2": 1.0, "J m-2 d-1": 1 / DAY, "J cm-2 d-1": 1e4 / DAY, "MJ m-2 d-1": 1e6 / DAY, "kWh m-2 d-1": 1e3 / 24}


def _scales(table: dict[str, float], unit_of_table: float = 1.0) -> dict[str, Linear]:
    return {unit: Linear(scale / unit_of_table) for unit, scale in table.items()}


BY_CANONICAL: dict[str, dict[str, Linear]] = {
    "gC m-2 d-1": _scales(_CO2),
    "nmol m-2 s-1": _scales(_CH4, _MOLES["nmol m-2 s-1"]),
    "umol m-2 s-1": _scales(_PHOTONS),
    "W m-2": _scales(_POWER),
    "degC": {"degC": Linear(), "K": Linear(1.0, -273.15), "degF": Linear(5 / 9, -160 / 9)},
    "hPa": _scales({"hPa": 1.0, "mbar": 1.0, "Pa": 0.01, "kPa": 10.0}),
    "kPa": _scales({"kPa": 1.0, "hPa": 0.1, "mbar": 0.1, "Pa": 1e-3}),
    "mm d-1": _scales({"mm d-1": 1.0, "mm": 1.0, "kg m-2 d-1": 1.0, "mm s-1": DAY, "kg m-2 s-1": DAY, "mm h-1": 24.0,
                       "cm d-1": 10.0, "m d-1": 1e3}),
    "mm a-1": _scales({"mm a-1": 1.0, "mm": 1.0, "cm a-1": 10.0, "m a-1": 1e3}),
    "m s-1": _scales({"m s-1": 1.0, "km h-1": 1 / 3.6}),
    "umol mol-1": _scales({"umol mol-1": 1.0, "ppm": 1.0, "mol mol-1": 1e6}),
    "nmol mol-1": _scales({"nmol mol-1": 1.0, "ppb": 1.0, "ppm": 1e3, "umol mol-1": 1e3}),
    "g cm-3": _scales({"g cm-3": 1.0, "kg dm-3": 1.0, "kg m-3": 1e-3, "t m-3": 1.0}),
    "g kg-1": _scales({"g kg-1": 1.0, "percent": 10.0, "kg kg-1": 1e3}),
    "percent": _scales({"percent": 1.0, "%": 1.0, "g kg-1": 0.1, "1": 100.0, "fraction": 100.0, "m3 m-3": 100.0}),
    "1": _scales({"1": 1.0, "fraction": 1.0, "percent": 0.01, "%": 0.01}),
    "cm": _scales({"cm": 1.0, "m": 100.0, "mm": 0.1}),
    "m": _scales({"m": 1.0, "km": 1e3, "cm": 0.01}),
    "mm": _scales({"mm": 1.0, "cm": 10.0, "m": 1e3}),
    "psu": _scales({"psu": 1.0, "ppt": 1.0, "g kg-1": 1.0}),  # equal to within 1 %
    "degrees": _scales({"degrees": 1.0}),
    "gN m-2 a-1": _scales({"gN m-2 a-1": 1.0, "kgN ha-1 a-1": 0.1}),
    "kg m-2": _scales({"kg m-2": 1.0, "g m-2": 1e-3, "t ha-1": 0.1}),
    "m2 m-2": _scales({"m2 m-2": 1.0, "1": 1.0}),
}  # fmt: skip

# Variables that share a canonical unit with another quantity, or take a conversion only they may take.
BY_VARIABLE: dict[str, dict[str, Linear]] = {
    "FCO2": _scales(_CO2, _MOLES["umol m-2 s-1"]),
    "SW": {
        **BY_CANONICAL["W m-2"],
        "umol m-2 s-1 PAR": Linear(1 / PHOTONS_PER_JOULE),
        "mol m-2 s-1 PAR": Linear(1e6 / PHOTONS_PER_JOULE),
    },
}


def to_canonical(variable: str, unit: str, where: str) -> Linear:
    """Find the conversion of a variable from the unit a product gives it in.

    Parameters
    ----------
    variable : a name of `raciflux.variables`.
    unit : the product's unit; ``W/m^2`` style signs are not read, ``µ`` and ``²`` are.
    where : file and key, for the message.

    Raises
    ------
    UserError
        The unit is not known for this variable.
    """
    known = BY_VARIABLE.get(variable) or BY_CANONICAL[lookup(variable).unit]
    plain = " ".join(unit.translate(_SIGNS).replace("^", "").split())
    if plain not in known:
        canonical = lookup(variable).unit
        raise UserError(
            f"{where}: unit {unit!r} cannot become {canonical!r} of {variable}; {did_you_mean(plain, known)}"
        )
    return known[plain]


_SIGNS = str.maketrans({"µ": "u", "μ": "u", "°": "deg", "²": "2", "³": "3", "⁻": "-", "−": "-", "¹": "1", "·": " "})
