"""The mean season of a driver, and what is left of a day once it is taken out."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PRIOR_DAYS = 5.0  # pull of the seasonal amplitude towards zero, in days: a record of a few weeks has no season to tell


class Season(NamedTuple):
    """Mean and first annual harmonic of each driver (``mean + cosine cos + sine sin``), and the anomalies from it."""

    mean: NDArray[np.float64]  # (site, feature)
    cosine: NDArray[np.float64]  # (site, feature)
    sine: NDArray[np.float64]  # (site, feature)
    anomaly: NDArray[np.float64]  # (site, day, feature), 0 where missing


def year_phase(dates: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Angle of each day (day,) in its calendar year, radians from 1 January."""
    years = dates.astype("datetime64[Y]")
    start, end = years.astype("datetime64[D]"), (years + 1).astype("datetime64[D]")
    share = (dates.astype("datetime64[D]") - start) / (end - start)
    return np.asarray(2 * np.pi * share, dtype=np.float64)


def fit_season(values: NDArray[np.float32], known: NDArray[np.bool_], dates: NDArray[np.datetime64]) -> Season:
    """Fit the first annual harmonic by least squares on known days.

    Fitting the mean together with the season keeps a record with more summers than winters from looking warm.

    Parameters
    ----------
    values, known : (site, day, feature).
    dates : (day,).
    """
    phase = year_phase(dates)
    basis = np.stack([np.ones_like(phase), np.cos(phase), np.sin(phase)], axis=1)  # (day, term)
    weight = known.astype(np.float64)
    y = np.where(known, values, 0.0).astype(np.float64)
    products = (basis[:, :, None] * basis[:, None, :]).reshape(len(basis), 9)
    normal = np.einsum("sdf,dp->sfp", weight, products, optimize=True).reshape(*y.shape[::2], 3, 3)
    moment = np.einsum("sdf,dt->sft", y, basis, optimize=True)
    # the mean's tiny pull only keeps a driver without a single day solvable
    normal += np.diag([1e-6, PRIOR_DAYS, PRIOR_DAYS])
    fitted = np.linalg.solve(normal, moment[..., None])[..., 0]
    anomaly = (y - np.einsum("sft,dt->sdf", fitted, basis, optimize=True)) * weight
    return Season(fitted[..., 0], fitted[..., 1], fitted[..., 2], anomaly)
