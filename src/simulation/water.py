"""Water: snow, evaporation and buckets that lose none of it."""

from dataclasses import dataclass

import numpy as np

from .series import Series, Value

_LATENT_HEAT = 2.45  # MJ kg-1
_DEGREE_DAY = 3.0  # mm melt per degC above zero and day
_SNOW_ABOVE, _RAIN_ABOVE = -1.0, 1.5  # degC between which precipitation is mixed


@dataclass(frozen=True)
class Bucket:
    """A store of water with a threshold.

    Attributes
    ----------
    capacity : mm it can hold above empty; what is more runs off at once.
    threshold : mm above which it drains.
    drainage : share of the excess over the threshold that drains in a day.
    inflow : mm d-1 of groundwater from around.
    easy : mm below which evaporation is limited by supply.
    """

    capacity: Value
    threshold: Value
    drainage: Value
    inflow: Value
    easy: Value


@dataclass(frozen=True)
class Balance:
    """Daily water balance, each (site, day): ``change of storage = liquid + inflow - evaporation - outflow``, mm."""

    storage: Series
    evaporation: Series
    outflow: Series


def evaporation_demand(ta: Series, sw: Series) -> Series:
    """Potential evaporation, mm d-1, of temperature (degC) and radiation (W m-2) (Hargreaves 1975, Trans. ASAE 18)."""
    return np.maximum(0.0135 * (ta + 17.8) * sw * 0.0864 / _LATENT_HEAT, 0.0)


def snow(ta: Series, rain: Series) -> tuple[Series, Series]:
    """Split precipitation by temperature and melt the pack by degree-days.

    Returns
    -------
    liquid : rain and melt that reach the ground, mm d-1 (site, day).
    pack : snow lying at the end of the day, mm of water (site, day).
    """
    frozen = rain * np.clip((_RAIN_ABOVE - ta) / (_RAIN_ABOVE - _SNOW_ABOVE), 0.0, 1.0)
    melt_power = _DEGREE_DAY * np.maximum(ta, 0.0)
    pack, liquid = np.empty_like(rain), np.empty_like(rain)
    lying = np.zeros(len(rain))
    for day in range(rain.shape[1]):
        lying = lying + frozen[:, day]
        melt = np.minimum(lying, melt_power[:, day])
        lying = lying - melt
        liquid[:, day] = rain[:, day] - frozen[:, day] + melt
        pack[:, day] = lying
    return liquid, pack


def run_bucket(liquid: Series, demand: Series, bucket: Bucket, start: Value) -> Balance:
    """Fill and empty a bucket day by day.

    Parameters
    ----------
    liquid, demand : water reaching the ground and potential evaporation, mm d-1 (site, day).
    start : storage before the first day, mm.
    """
    sites, days = liquid.shape
    storage, evaporation, outflow = (np.empty((sites, days)) for _ in range(3))
    held = np.broadcast_to(np.asarray(start, np.float64), (sites,)).copy()
    for day in range(days):
        held = held + liquid[:, day] + bucket.inflow
        taken = np.minimum(demand[:, day] * np.clip(held / bucket.easy, 0.0, 1.0), held)
        held = held - taken
        drained = bucket.drainage * np.maximum(held - bucket.threshold, 0.0)
        drained = drained + np.maximum(held - drained - bucket.capacity, 0.0)
        held = held - drained
        storage[:, day], evaporation[:, day], outflow[:, day] = held, taken, drained
    return Balance(storage, evaporation, outflow)
