from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.simulation.wetland_ch4 import NMOL_A_SECOND, MethaneParameters, methane, ph_limit, production, redox_limit


def _steady(value, days=400):
    return np.full((1, days), float(value))


def _run(soil=15.0, table=0.0, productivity=5.0, leaf=0.7, ph=6.0, p=None, pressure=None):
    return methane(
        _steady(soil), _steady(table), _steady(productivity), _steady(leaf), ph, p or MethaneParameters(), pressure
    )


def _flux(**settings_):
    return _run(**settings_).flux[0, -1]


@given(seed=st.integers(0, 500))
@settings(max_examples=30, deadline=None)
def test_methane_is_conserved(seed):
    rng = np.random.default_rng(seed)
    soil, table = rng.uniform(-5, 30, (3, 150)), rng.uniform(-60, 20, (3, 150))
    result = methane(
        soil, table, rng.uniform(0, 10, (3, 150)), rng.uniform(0, 1, (3, 150)), rng.uniform(4, 8, 3),
        MethaneParameters(), rng.uniform(99, 103, (3, 150)),
    )  # fmt: skip
    taken = result.production - result.plants - result.plant_oxidation - result.rise
    assert np.allclose(np.diff(result.pool, axis=1), taken[:, 1:], atol=1e-9)
    for part in (result.production, result.plants, result.plant_oxidation, result.rise, result.pool, result.oxidation):
        assert np.all(part >= 0.0) and np.all(np.isfinite(part))
    assert np.allclose(result.flux, (result.plants + result.rise - result.oxidation) * NMOL_A_SECOND)


@given(low=st.floats(0.0, 1.0), high=st.floats(0.0, 1.0))
@settings(max_examples=30, deadline=None)
def test_warm_wet_and_fed_soils_emit_more(low, high):
    low, high = sorted((low, high))
    assert _flux(soil=30 * low) <= _flux(soil=30 * high) + 1e-9
    assert _flux(table=-60 * high) <= _flux(table=-60 * low) + 1e-9
    assert _flux(productivity=10 * low) <= _flux(productivity=10 * high) + 1e-9
    assert _flux(p=MethaneParameters(oxidation=100 * high), table=-10) <= _flux(
        p=MethaneParameters(oxidation=100 * low), table=-10
    )


def test_limits():
    frozen = _run(soil=-3.0)
    assert np.all(frozen.production == 0.0)
    # deep dry soil takes methane from the air, as forests do: a few nmol m-2 s-1
    assert -6.0 < _flux(table=-95.0, productivity=0.0, p=MethaneParameters(soil_substrate=0.0)) < -0.5
    assert 20.0 < _flux() < 400.0


def test_production_grows_by_q10_a_ten_degrees():
    p = MethaneParameters(q10=3.3)
    warm, cold = (production(_steady(t), _steady(5), _steady(5), 6.0, p)[0, -1] for t in (22.0, 12.0))
    assert warm / cold == pytest.approx(3.3)


def test_ph_limit_peaks_at_its_optimum_and_dies_outside():
    limits = ph_limit(np.array([2.0, 4.0, 5.5, 6.8, 8.0, 9.5]))[:, 0]
    assert limits[0] == limits[-1] == 0.0 and limits[3] == 1.0
    assert np.all(np.diff(limits[:4]) > 0.0) and np.all(np.diff(limits[3:]) < 0.0)


def test_redox_remembers_a_drought():
    table = np.concatenate([_steady(5.0, 60), _steady(-40.0, 20), _steady(5.0, 60)], axis=1)
    limit = redox_limit(table, 15.0)[0]
    assert limit[59] == pytest.approx(1.0)
    assert limit[79] < 0.3
    assert limit[80] < limit[95] < limit[139]
    assert limit[95] < 0.8 < limit[139]


def test_substrate_lags_productivity():
    productivity = np.concatenate([_steady(0.0, 100), _steady(8.0, 100)], axis=1)
    made = production(_steady(15.0, 200), _steady(5.0, 200), productivity, 6.0, MethaneParameters(substrate_days=25.0))[
        0
    ]
    rise = (made - made[99]) / (made[-1] - made[99])
    assert 0.5 < rise[124] < 0.75  # one e-folding time after the change


def test_falling_pressure_frees_bubbles():
    pressure = _steady(101.0)
    pressure[:, 300] = 98.0
    p = MethaneParameters(threshold=20.0)
    restless, still = _run(pressure=pressure, p=p), _run(pressure=_steady(101.0), p=p)
    assert restless.rise[0, 300] > 1.2 * still.rise[0, 300]
    assert np.array_equal(restless.rise[0, :300], still.rise[0, :300])
    assert np.array_equal(still.rise, _run(p=p).rise)


def test_mechanisms_can_be_left_out():
    p = MethaneParameters()
    assert _flux(ph=4.0, p=replace(p, ph_limited=False)) > _flux(ph=4.0)
    assert _flux(table=-8.0, p=replace(p, redox_days=0.0)) > _flux(table=-8.0)
    assert _run(p=replace(p, plants=0.0)).plants.max() == 0.0
