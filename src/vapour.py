"""Vapour pressure of air: at saturation, and how far below it."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating]


def saturation_pressure(ta: Values) -> Values:
    """Return the saturation vapour pressure, hPa, over water at ``ta`` degC (Tetens 1930; Murray 1967)."""
    return np.asarray(6.108 * np.exp(17.27 * ta / (ta + 237.3)))


def vapour_deficit(ta: Values, pressure: Values) -> Values:
    """Return the vapour pressure deficit, hPa; not below zero, where the two come from different sources."""
    return np.asarray(np.maximum(saturation_pressure(ta) - pressure, 0.0))


def vapour_pressure(ta: Values, deficit: Values) -> Values:
    """Return the vapour pressure, hPa; not below zero."""
    return np.asarray(np.maximum(saturation_pressure(ta) - deficit, 0.0))
