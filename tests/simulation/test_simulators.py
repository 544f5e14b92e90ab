"""How wrong a simulation is told to be: known by construction, and drivers never move."""

import numpy as np
import pytest
from raciflux.config.sources import EmbeddedSource
from raciflux.errors import UserError
from raciflux.simulation.world import ECOSYSTEMS, embedded_cube

PLACES = {"face": "simulation", "places": 12, "years": 2}


def cells(pair: str, simulator: str):
    return embedded_cube(pair, EmbeddedSource(simulator=simulator, **PLACES))


@pytest.mark.parametrize(
    ("pair", "simulator"),
    [
        ("terrestrial_gpp", "true"),  # of croplands, farmers differ too
        ("terrestrial_gpp", "shuffled"),
        ("carbon_balance", "shuffled"),
        ("carbon_balance", "half_a_year_late"),
    ],
)
def test_only_the_fluxes_differ(pair, simulator):
    plain, other = cells(pair, "simpler"), cells(pair, simulator)
    fluxes = {"GPP", "RECO", "NEE"}
    for name in plain.data_vars:
        same = np.array_equal(plain[name].values, other[name].values)
        assert same != (name in fluxes), name
        assert plain[name].attrs == other[name].attrs and plain[name].dtype == other[name].dtype, name


def test_without_error_cells_follow_the_equations_of_the_towers(monkeypatch):
    places = np.array([52.25, 42.25]), np.array([10.25, -93.25])
    for draw in ("draw_towers", "draw_cells"):
        monkeypatch.setattr(f"raciflux.simulation.world.{draw}", lambda *_: places)
    truth = embedded_cube("terrestrial_gpp", EmbeddedSource(places=2, years=1)).GPP_expected
    told = embedded_cube("terrestrial_gpp", EmbeddedSource(face="simulation", places=2, years=1, simulator="true")).GPP
    assert np.array_equal(truth.values, told.values)


def test_shuffled_fluxes_keep_their_distribution_and_nothing_else():
    plain, shuffled = cells("terrestrial_gpp", "simpler"), cells("terrestrial_gpp", "shuffled")
    assert np.array_equal(np.sort(plain.GPP.values, axis=None), np.sort(shuffled.GPP.values, axis=None))
    assert np.corrcoef(plain.GPP.values.ravel(), plain.SW.values.ravel())[0, 1] > 0.5
    assert abs(np.corrcoef(shuffled.GPP.values.ravel(), plain.SW.values.ravel())[0, 1]) < 0.05
    assert shuffled.GPP.mean("time").std() < 0.3 * plain.GPP.mean("time").std(), "nor the level of a cell"


def test_fluxes_of_a_day_stay_together_when_they_are_shuffled():
    shuffled = cells("carbon_balance", "shuffled")
    np.testing.assert_allclose(shuffled.NEE, shuffled.RECO - shuffled.GPP, atol=1e-4)


def test_half_a_year_late_is_that():
    plain, late = (
        cells("terrestrial_gpp", "simpler").GPP.values,
        cells("terrestrial_gpp", "half_a_year_late").GPP.values,
    )
    assert np.array_equal(late[:, 183:], plain[:, :-183])


def test_towers_know_nothing_of_it():
    plain, other = (embedded_cube("cropland_gpp", EmbeddedSource(places=3, years=1, simulator=name))
                    for name in ("simpler", "shuffled"))  # fmt: skip
    assert plain.identical(other)


def test_uplands_have_land_covers_and_a_simulation_alike_in_season(monkeypatch):
    places = np.array([52.25, 42.25, 0.25]), np.array([10.25, -93.25, 23.25])
    for draw in ("draw_towers", "draw_cells"):
        monkeypatch.setattr(f"raciflux.simulation.world.{draw}", lambda *_: places)
    tower, cell = (embedded_cube("terrestrial_gpp", EmbeddedSource(face=face, places=3, years=2))
                   for face in ("towers", "simulation"))  # fmt: skip
    assert np.array_equal(tower.igbp, cell.igbp) and np.array_equal(tower.TA, cell.TA)
    truth, made = tower.GPP_expected.values, cell.GPP.values
    assert np.corrcoef(truth.ravel(), made.ravel())[0, 1] > 0.5
    assert np.abs(made - truth).mean() > 0.2 * truth.mean()


def test_a_simulator_it_has_not_is_refused():
    from raciflux.config.compose import compose

    with pytest.raises(UserError, match=r"data\.simulation\.simulator"):
        compose(["experiment=embedded_terrestrial_gpp", "data.simulation.simulator=best"])
    assert "terrestrial_gpp" in ECOSYSTEMS
