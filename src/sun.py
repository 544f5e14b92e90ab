"""Extraterrestrial radiation: what the sun sends to the top of the atmosphere above a place on a day."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

SOLAR_CONSTANT = 1366.7  # W m-2 (FAO-56: 0.0820 MJ m-2 min-1)


def extraterrestrial_radiation(lat: ArrayLike, day_of_year: ArrayLike) -> NDArray[np.float64]:
    """Daily mean extraterrestrial radiation on a horizontal plane.

    Parameters
    ----------
    lat : degrees north, broadcastable with ``day_of_year``.
    day_of_year : 1 to 366.

    Returns
    -------
    W m-2, of the broadcast shape; 0 in polar night.

    References
    ----------
    Allen et al. (1998), FAO Irrigation and Drainage Paper 56, equations 21 and 23-25.
    """
    phi = np.deg2rad(np.asarray(lat, np.float64))
    angle = 2.0 * np.pi * np.asarray(day_of_year, np.float64) / 365.0
    inverse_distance = 1.0 + 0.033 * np.cos(angle)
    declination = 0.409 * np.sin(angle - 1.39)
    sunset = np.arccos(np.clip(-np.tan(phi) * np.tan(declination), -1.0, 1.0))
    height = sunset * np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.sin(sunset)
    return np.asarray(SOLAR_CONSTANT / np.pi * inverse_distance * np.maximum(height, 0.0))
