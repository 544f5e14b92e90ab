import numpy as np
import pytest
from raciflux.datamodules.sources.units import to_canonical
from raciflux.errors import UserError
from raciflux.variables import DRIVERS, STATICS, TARGETS


@pytest.mark.parametrize(
    ("variable", "unit", "value", "canonical"),
    [
        ("NEE", "umol m-2 s-1", 1.0, 1.0377),
        ("GPP", "umol CO2 m-2 s-1", 1.0, 1.0377),
        ("GPP", "gCO2 m-2 d-1", 44.009, 12.011),
        ("GPP", "kgC m-2 s-1", 1e-8, 0.864),
        ("FCH4", "mgCH4 m-2 d-1", 1.386, 1.0),
        ("FCH4", "mgC-CH4 m-2 d-1", 1.0377, 1.0),
        ("FCH4", "gC-CH4 m-2 d-1", 1.0377e-3, 1.0),
        ("FCH4", "umol m-2 s-1", 0.02, 20.0),
        ("FCH4", "mgCH4 m-2 h-1", 1.386 / 24, 1.0),
        ("FCO2", "gC m-2 d-1", 1.0377, 1.0),
        ("TA", "K", 273.15, 0.0),
        ("TA", "degF", 212.0, 100.0),
        ("VPD", "Pa", 1500.0, 15.0),
        ("VPD", "kPa", 1.5, 15.0),
        ("PA", "Pa", 101325.0, 101.325),
        ("PA", "hPa", 1013.25, 101.325),
        ("P", "mm s-1", 1e-4, 8.64),
        ("P", "kg m-2 s-1", 1e-4, 8.64),
        ("P", "m d-1", 0.002, 2.0),
        ("SW", "J cm-2 d-1", 864.0, 100.0),
        ("SW", "MJ m-2 d-1", 8.64, 100.0),
        ("SW", "umol m-2 s-1 PAR", 204.0, 100.0),
        ("PPFD", "mol m-2 s-1", 3e-4, 300.0),
        ("PPFD", "mol m-2 d-1", 86.4, 1000.0),
        ("SWC", "fraction", 0.3, 30.0),
        ("SWC", "m³ m⁻3", 0.3, 30.0),
        ("WTD", "m", -0.2, -20.0),
        ("PPFD", "µmol  m^-2 s^-1", 5.0, 5.0),
        ("N_RATE", "kgN ha-1 a-1", 100.0, 10.0),
    ],
)
def test_known_conversions(variable, unit, value, canonical):
    assert to_canonical(variable, unit, "map")(np.array([value]))[0] == pytest.approx(canonical, rel=1e-4, abs=1e-9)


def test_every_variable_takes_its_canonical_unit_unchanged():
    for name, variable in {**DRIVERS, **TARGETS, **STATICS}.items():
        convert = to_canonical(name, variable.unit, "map")
        assert (convert.scale, convert.offset) == (pytest.approx(1.0), 0.0), name


def test_photons_are_not_moles_of_carbon():
    with pytest.raises(UserError):
        to_canonical("PPFD", "gC m-2 d-1", "map")
    with pytest.raises(UserError, match="PAR"):
        to_canonical("LW", "umol m-2 s-1 PAR", "map")


def test_unknown_unit_names_the_near_one():
    with pytest.raises(UserError, match=r"my\.yaml: TA: unit 'degc' cannot become 'degC' of TA; did you mean 'degC'\?"):
        to_canonical("TA", "degc", "my.yaml: TA")
