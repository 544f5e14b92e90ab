"""The neighbours of every site of a cube, and how to find them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geography import haversine_km
from .index import Backend, Exclusion, functional, geographic

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Neighbourhood:
    """Neighbours of every site of a cube for one role and kind, nearest first; index -1 where there are too few."""

    index: Codes  # (site, k) position in the bank
    functional: Doubles  # (site, k) root mean square difference of the keys, inf if absent
    km: Doubles  # (site, k) great-circle distance, inf if absent

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which places are taken (site, k)."""
        return self.index >= 0


@dataclass(frozen=True)
class LookUp:
    """Sites that ask, entries that answer, and who is hidden from whom."""

    here: tuple[Doubles, Doubles]  # latitude and longitude of the sites (site,)
    there: tuple[Doubles, Doubles]  # of the entries (entry,)
    hidden: Exclusion
    neighbours: int
    radius_km: float  # of geographic neighbours
    backend: Backend

    def find(self, kind: str, queries: Floats, keys: Floats) -> Neighbourhood:
        """Find the neighbours of one kind.

        Parameters
        ----------
        kind : ``functional`` (nearest in keys) or ``geographic``.
        queries, keys : (site, feature) and (entry, feature), between which functional distances are taken.
        """
        if kind == "functional":
            index = functional(queries, keys, self.neighbours, self.hidden, self.backend).index
        else:
            index = geographic(self.here, self.there, self.neighbours, self.hidden, self.radius_km).index
        present = index >= 0
        km, apart = np.full(index.shape, np.inf), np.full(index.shape, np.inf)
        site, entry = np.nonzero(present)[0], index[present]
        km[present] = haversine_km(*(degrees[site] for degrees in self.here), *(d[entry] for d in self.there))
        squared = np.zeros(len(site))
        for query, key in zip(queries.T, keys.T, strict=True):  # feature by feature: no (place, feature) array
            squared += (query[site].astype(np.float64) - key[entry]) ** 2
        apart[present] = np.sqrt(squared / max(queries.shape[1], 1))
        return Neighbourhood(index, apart, km)


@dataclass(frozen=True)
class NeighbourTable:
    """All look-ups of a cube, made once: batches then name only their sites."""

    descriptors: Mapping[str, Floats]  # role: (site, feature)
    found: Mapping[tuple[str, str], Neighbourhood]  # (role, kind), by descriptors
    look_up: LookUp  # for keys that change while a network learns
