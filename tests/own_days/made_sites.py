"""A made-up record whose sites differ from a model in coefficients of their own, for tests of every answer."""

import numpy as np
from raciflux.own_days.records import FoldPredictions, Record

SITES, DAYS = 40, 1100


def made_record(seed: int = 0, sites: int = SITES, days: int = DAYS, differing: float = 1.0) -> Record:
    """Two fluxes that follow light and warmth, with a level and responses of each site's own."""
    rng = np.random.default_rng(seed)
    angle = 2 * np.pi * np.arange(days) / 365.25
    ta = 10 - 9 * np.cos(angle) + rng.normal(0, 3, (sites, days))
    sw = np.maximum(150 - 90 * np.cos(angle) + rng.normal(0, 40, (sites, days)), 5)
    vpd = np.maximum(0.4 * ta + rng.normal(4, 2, (sites, days)), 0)
    own = rng.normal(0, differing, (sites, 3, 1))
    noise = rng.normal(0, 0.6, (2, sites, days))
    gpp = expected(ta, sw) + own[:, 0] + own[:, 1] * (sw - 150) / 90 + noise[0]
    nee = 2 - 0.5 * expected(ta, sw) + own[:, 2] * (ta - 10) / 9 + noise[1]
    measured = np.repeat(rng.random((sites, days, 1)) < 0.5, 2, axis=2)
    flux = np.stack([gpp, nee], -1).astype(np.float32)
    flux[rng.random(flux.shape) < 0.02] = np.nan
    measured &= np.isfinite(flux)
    drivers = {"TA": ta, "SW": sw, "VPD": vpd}
    for values in drivers.values():
        values[rng.random(values.shape) < 0.01] = np.nan
    return Record(
        site_id=np.array([f"XX-T{i:02d}" for i in range(sites)]),
        cluster=np.arange(sites) // 2,
        lat=np.where(np.arange(sites) % 4 == 0, -40.0, 50.0),
        dates=np.datetime64("2001-01-01", "ns") + np.arange(days) * np.timedelta64(1, "D"),
        targets=("GPP", "NEE"),
        flux=flux,
        trainable=measured,
        measured=measured,
        drivers={name: values.astype(np.float32) for name, values in drivers.items()},
    )


def expected(ta: np.ndarray, sw: np.ndarray) -> np.ndarray:
    return 0.02 * sw + 0.1 * ta


def made_folds(record: Record) -> list[FoldPredictions]:
    """Two folds of a model that knows what sites have in common, and nothing of their own."""
    rng = np.random.default_rng(1)
    ta, sw = (np.nan_to_num(record.drivers[name], nan=10.0) for name in ("TA", "SW"))
    common = expected(ta, sw)
    predicted = np.stack([common, 2 - 0.5 * common], -1) + rng.normal(0, 0.1, record.flux.shape)
    predicted[:, :5] = np.nan
    first = record.cluster < record.cluster.max() // 2
    return [FoldPredictions(predicted.astype(np.float32), ~tested, tested) for tested in (first, ~first)]
