"""From one grid of latitudes and longitudes to another, conserving totals.

First-order conservative remapping (Jones 1999, Monthly Weather Review 127, 2204-2210): on a grid of latitudes and
longitudes the area in which two cells overlap is a product of a difference of sines and one of longitudes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating]
Edges = NDArray[np.float64]


@dataclass(frozen=True)
class Overlap:
    """How the cells of two grids overlap.

    Attributes
    ----------
    north : (row, source row) difference of the sines of latitude that two rows share.
    east : (column, source column) longitudes that two columns share, degrees.
    """

    north: NDArray[np.float64]
    east: NDArray[np.float64]

    @classmethod
    def of(cls, lat: Edges, lon: Edges, source_lat: Edges, source_lon: Edges) -> "Overlap":
        """Lay rising edges of a grid over those of its source."""
        sines, source_sines = np.sin(np.radians(lat)), np.sin(np.radians(source_lat))
        turns = [_shared(lon, source_lon + turn) for turn in (-360.0, 0.0, 360.0)]
        return cls(_shared(sines, source_sines), np.sum(turns, axis=0))

    def density(self, values: Values) -> Values:
        """Return fluxes (step, row, column) per area of the whole cell; what is unknown emits nothing.

        The total over both grids is the same where the new grid covers the old one. A cell over nothing known is NaN.
        """
        known = np.isfinite(values)
        total = self._sum(np.where(known, values, 0.0))
        area = self._sum(np.ones(values.shape[1:]))
        return np.where(self._sum(known.astype(np.float64)) > 0, total / np.maximum(area, 1e-12), np.nan)

    def mean(self, values: Values) -> Values:
        """Return the mean by area (step, row, column) over what is known."""
        known = np.isfinite(values)
        total, area = self._sum(np.where(known, values, 0.0)), self._sum(known.astype(np.float64))
        return np.where(area > 0, total / np.where(area > 0, area, 1.0), np.nan)

    def _sum(self, values: Values) -> Values:
        return np.asarray(self.north @ values @ self.east.T)


def regular(step: float) -> tuple[Edges, Edges]:
    """Return the edges of a global grid of a step in degrees, which must divide 180."""
    rows = round(180.0 / step)
    return np.linspace(-90, 90, rows + 1), np.linspace(-180, 180, 2 * rows + 1)


def _shared(edges: Edges, source: Edges) -> NDArray[np.float64]:
    upper = np.minimum(edges[1:, None], source[None, 1:])
    lower = np.maximum(edges[:-1, None], source[None, :-1])
    return np.asarray(np.maximum(upper - lower, 0.0))
