import numpy as np
import pytest
from raciflux.datamodules import PAIRS
from raciflux.datamodules.roles import Pair, choose, scored_days
from raciflux.errors import UserError
from raciflux.variables import CLASSES, DRIVERS, STATICS, TARGETS

from worlds import carbon_cube, tiny_cube

PAIR = Pair("a_pair", ("GPP",), ("TA",), ("SW", "VPD", "P", "SW_POT"), ("mat", "elevation", "map"), ("koppen", "igbp"))


@pytest.fixture
def cube():
    return tiny_cube(sites=2, days=6)


def test_what_the_cube_has_in_the_order_of_the_pair(cube):
    roles = choose(PAIR, [cube])
    assert roles.targets == ("GPP",)
    assert roles.fast == ("TA", "SW", "VPD", "SW_POT")
    assert roles.static == ("mat", "elevation")
    assert roles.classes == ("koppen", "igbp")
    assert roles.slow[:2] == ("TA_30d", "SW_30d")
    assert roles.slow[4:] == ("TA_365d", "SW_365d", "VPD_365d", "SW_POT_365d")


def test_simulation_and_towers_share_what_both_have(cube):
    poorer = cube.drop_vars(["VPD", "mat", "igbp"])
    assert choose(PAIR, [cube, poorer]) == choose(PAIR, [poorer, cube]) == choose(PAIR, [poorer])
    assert choose(PAIR, [poorer]).fast == ("TA", "SW", "SW_POT")


def test_dropped_inputs_are_left_out(cube):
    roles = choose(PAIR, [cube], ["SW_POT", "mat", "igbp"])
    assert roles.fast == ("TA", "SW", "VPD")
    assert roles.static == ("elevation",)
    assert roles.classes == ("koppen",)


@pytest.mark.parametrize(
    ("drop", "without", "said"),
    [
        (["LAI"], [], "data.drop_inputs: 'LAI' is no input of a_pair; its inputs: TA, SW"),
        (["TA"], [], "a_pair needs the driver TA, but it is missing or dropped"),
        ([], ["TA"], "map a column to TA"),
    ],
)
def test_a_wrong_choice_is_named(cube, drop, without, said):
    with pytest.raises(UserError, match=said):
        choose(PAIR, [cube, cube.drop_vars(without)], drop)


@pytest.mark.parametrize("pair", [module.pair for module in PAIRS.values()], ids=lambda pair: pair.name)
def test_every_pair_speaks_of_variables_that_a_cube_may_hold(pair):
    assert PAIRS[pair.name].pair is pair
    assert pair.targets and set(pair.targets) <= set(TARGETS)
    assert set(pair.required + pair.optional) <= set(DRIVERS)
    assert set(pair.static) <= set(STATICS)
    assert set(pair.classes) <= set(CLASSES)
    inputs = pair.required + pair.optional + pair.static + pair.classes
    assert len(set(inputs)) == len(inputs)


# --- which days count -------------------------------------------------------------------------------------------------


def with_quality(cube, flux, quality, measured):
    rows = {"GPP": flux, "GPP_qc": quality, "GPP_measured": measured}
    return cube.isel(site=[0]).assign({name: (("site", "time"), np.array([row], "f4")) for name, row in rows.items()})


def test_measured_and_well_filled_days_at_their_limits(cube):
    nan = np.nan
    graded = with_quality(
        cube, [1.0, 1.0, 1.0, 1.0, nan, 1.0], [0.75, 0.74, 0.75, nan, 1.0, 1.0], [0.5, 1.0, 0.49, 1.0, 1.0, nan]
    )
    measured, convention = scored_days(graded, ["GPP"], "measured")
    assert measured[..., 0].tolist() == [[True, False, False, False, False, False]]
    assert convention[..., 0].tolist() == [[True, False, True, False, False, True]]


def test_published_data_count_wherever_there_is_a_value(cube):
    bare = with_quality(cube, [1.0, np.nan, 0.0, 1.0, 1.0, 1.0], [0] * 6, [0] * 6).drop_vars(["GPP_qc", "GPP_measured"])
    measured, convention = scored_days(bare.transpose("time", "site"), ["GPP"], "published")
    assert measured[..., 0].tolist() == convention[..., 0].tolist() == [[True, False, True, True, True, True]]


def test_each_target_counts_by_its_own_quality():
    cube = carbon_cube(sites=6, days=30)
    both = scored_days(cube, ("GPP", "NEE"), "measured")
    for i, target in enumerate(("GPP", "NEE")):
        for together, alone in zip(both, scored_days(cube, (target,), "measured"), strict=True):
            assert together.shape == (6, 30, 2)
            np.testing.assert_array_equal(together[..., i], alone[..., 0])
    turned = scored_days(cube, ("NEE", "GPP"), "measured")
    np.testing.assert_array_equal(turned[0][..., ::-1], both[0])
    assert (both[0][..., 0] != both[0][..., 1]).any()
    with pytest.raises(UserError, match="needs NEE_qc"):
        scored_days(cube.drop_vars("NEE_qc"), ("GPP", "NEE"), "measured")


def test_a_quality_that_is_not_there_is_said(cube):
    with pytest.raises(UserError, match=r"data.quality=measured needs GPP_measured, which.*data.quality=published"):
        scored_days(cube.drop_vars("GPP_measured"), ["GPP"], "measured")
