import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from raciflux.simulation.water import Bucket, evaporation_demand, run_bucket, snow


@given(
    seed=st.integers(0, 1000),
    capacity=st.floats(20.0, 600.0),
    drainage=st.floats(0.0, 1.0),
    inflow=st.floats(0.0, 5.0),
)
@settings(max_examples=40, deadline=None)
def test_no_drop_is_lost(seed, capacity, drainage, inflow):
    rng = np.random.default_rng(seed)
    liquid, demand = rng.gamma(0.3, 12.0, (4, 200)), rng.uniform(0.0, 8.0, (4, 200))
    start = 0.5 * capacity
    bucket = Bucket(capacity, 0.8 * capacity, drainage, inflow, 0.5 * capacity)
    balance = run_bucket(liquid, demand, bucket, start)
    change = np.diff(balance.storage, axis=1, prepend=start)
    assert np.allclose(change, liquid + inflow - balance.evaporation - balance.outflow, atol=1e-9)
    assert np.all((balance.storage >= -1e-9) & (balance.storage <= capacity + 1e-9))
    assert np.all((balance.evaporation >= 0.0) & (balance.evaporation <= demand + 1e-12))
    assert np.all(balance.outflow >= 0.0)


def test_snow_waits_for_warmth_and_keeps_its_water():
    days = np.arange(365)
    ta = np.tile(10.0 - 15.0 * np.cos(2 * np.pi * days / 365), (2, 1))
    rain = np.full((2, 365), 2.0)
    liquid, pack = snow(ta, rain)
    assert np.all(liquid[:, :20] == 0.0) and np.all(pack[:, 19] == 40.0)
    assert np.allclose(rain.cumsum(1), liquid.cumsum(1) + pack)
    assert np.all(pack[:, 180] == 0.0)


def test_evaporation_demand_grows_with_warmth_and_light_and_stops_in_the_cold():
    ta, sw = np.meshgrid(np.linspace(-30.0, 40.0, 30), np.linspace(0.0, 350.0, 30), indexing="ij")
    demand = evaporation_demand(ta, sw)
    assert np.all(np.diff(demand, axis=0) >= 0.0) and np.all(np.diff(demand, axis=1) >= 0.0)
    assert np.all(demand[ta < -17.8] == 0.0)
    assert 3.0 < evaporation_demand(np.array(20.0), np.array(250.0)) < 6.0
