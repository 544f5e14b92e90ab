"""What is stored of training sites, and which of it each site of a cube may look up."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atomic import replacing
from ..config.raci import RetrievalConfig
from ..contracts import Layout, TrainingView
from ..errors import UserError
from ..geography import haversine_km
from .descriptors import Standard, describe, descriptors
from .flux_statistics import flux_statistics
from .index import Backend, Exclusion, functional, geographic
from .visibility import near_or_namesake

ROLES = ("slow", "fast")
FORMAT = 1  # of the saved file

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Neighbourhood:
    """Neighbours of every site of a cube for one role and kind, nearest first; index -1 where there are too few."""

    index: Codes  # (site, k) position in the bank
    functional: Doubles  # (site, k) root mean square difference of the role's descriptors, inf if absent
    km: Doubles  # (site, k) great-circle distance, inf if absent

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which places are taken (site, k)."""
        return self.index >= 0


@dataclass(frozen=True)
class NeighbourTable:
    """All look-ups of a cube, made once: batches then name only their sites."""

    descriptors: Mapping[str, Floats]  # role: (site, feature)
    found: Mapping[tuple[str, str], Neighbourhood]  # (role, kind)


@dataclass(frozen=True)
class Bank:
    """Training sites with a known flux, ordered by site_id.

    Holds sums over known training days only, never a flux of a single day.
    """

    site_id: NDArray[np.str_]  # (entry,)
    lat: Doubles  # (entry,)
    lon: Doubles  # (entry,)
    cluster: Codes  # (entry,)
    cluster_km: float
    signature: str  # what the descriptors and values are made of
    standards: Mapping[str, Standard]  # role
    keys: Mapping[str, Floats]  # role: (entry, descriptor_width)
    values: Mapping[str, Floats]  # role: (entry, value_width)

    @classmethod
    def build(cls, view: TrainingView, cluster_km: float) -> "Bank":
        """Store the training sites of ``view``; ``cluster_km`` is the distance its clusters were drawn with."""
        order = np.argsort(view.site_id, kind="stable")
        train = order[view.train_sites[order]]
        raw = describe(view)
        standards = {role: Standard.fit(raw[role][train]) for role in ROLES}
        every = descriptors(view, raw, standards)
        entries = train[view.visible.known[train].any((1, 2))]
        values = flux_statistics(view, entries)
        return cls(
            site_id=view.site_id[entries].astype(np.str_),
            lat=view.lat[entries].astype(np.float64),
            lon=view.lon[entries].astype(np.float64),
            cluster=view.visible.cluster[entries].astype(np.int64),
            cluster_km=float(cluster_km),
            signature=_signature(view.layout),
            standards=standards,
            keys={role: every[role][entries] for role in ROLES},
            values={role: values[role].astype(np.float32) for role in ROLES},
        )

    def look_up(self, view: TrainingView, config: RetrievalConfig, same_cube: bool) -> NeighbourTable:
        """Find the neighbours of every site of ``view``, asked as an unseen site.

        Parameters
        ----------
        same_cube : whether ``view`` shares its cluster codes with the cube this bank was built from. If so, entries of
            the query's cluster are hidden. If not, those entries are, with their whole clusters, that bear the query's
            site_id or stand closer than ``cluster_km``.

        Raises
        ------
        UserError
            If the view's inputs are not the bank's, or the backend is not installed.
        """
        described = self.describe(view)
        exclusion = self.hidden_from(view, same_cube)
        found = {
            (role, kind): self._neighbourhood(view, described[role], role, kind, config, exclusion)
            for role in config.roles
            for kind in config.kinds
        }
        return NeighbourTable({role: described[role] for role in config.roles}, found)

    def describe(self, view: TrainingView) -> dict[str, Floats]:
        """Describe every site of ``view`` as this bank's entries are: ``{role: (site, descriptor_width)}``.

        Raises
        ------
        UserError
            If the view's inputs are not the bank's.
        """
        if _signature(view.layout) != self.signature:
            raise UserError(
                f"retrieval bank: it holds {self.signature} but the data have {_signature(view.layout)}; "
                "use the data's own run, or build the bank anew"
            )
        return descriptors(view, describe(view), self.standards)

    def hidden_from(self, view: TrainingView, same_cube: bool) -> Exclusion:
        """Tell which entries each site of ``view`` may not see; see ``look_up``."""
        if same_cube:
            return Exclusion.same_code(view.visible.cluster, self.cluster)
        return near_or_namesake(
            (view.site_id, view.lat, view.lon), (self.site_id, self.lat, self.lon), self.cluster, self.cluster_km
        )

    def _neighbourhood(
        self, view: TrainingView, queries: Floats, role: str, kind: str, config: RetrievalConfig, exclusion: Exclusion
    ) -> Neighbourhood:
        backend: Backend = config.backend  # type: ignore[assignment]
        keys, k = self.keys[role], config.neighbours
        if kind == "functional":
            index = functional(queries, keys, k, exclusion, backend).index
        else:
            here, there = (view.lat, view.lon), (self.lat, self.lon)
            index = geographic(here, there, k, exclusion, config.radius_km, backend).index
        present = index >= 0
        km, apart = np.full(index.shape, np.inf), np.full(index.shape, np.inf)
        site, entry = np.nonzero(present)[0], index[present]
        km[present] = haversine_km(view.lat[site], view.lon[site], self.lat[entry], self.lon[entry])
        gap = queries[site].astype(np.float64) - keys[entry]
        apart[present] = np.sqrt((gap**2).mean(1))
        return Neighbourhood(index, apart, km)

    def save(self, path: Path) -> None:
        """Write one ``.npz``, whole or not at all."""
        arrays: dict[str, Any] = {name: getattr(self, name) for name in ("site_id", "lat", "lon", "cluster")}
        arrays |= {"cluster_km": self.cluster_km, "signature": self.signature, "format": FORMAT}
        for role in ROLES:
            arrays |= {f"{role}_keys": self.keys[role], f"{role}_values": self.values[role]}
            arrays |= {f"{role}_mean": self.standards[role].mean, f"{role}_spread": self.standards[role].spread}
        with replacing(path) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Bank":
        """Read what ``save`` wrote.

        Raises
        ------
        UserError
            If the file is missing, damaged or of another format.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                stored = dict(file)
            if int(stored["format"]) != FORMAT:
                raise UserError(f"{path}: a bank of format {stored['format']}, expected {FORMAT}; train the run again")
            return cls(
                **{name: stored[name] for name in ("site_id", "lat", "lon", "cluster")},
                cluster_km=float(stored["cluster_km"]),
                signature=str(stored["signature"]),
                standards={role: Standard(stored[f"{role}_mean"], stored[f"{role}_spread"]) for role in ROLES},
                keys={role: stored[f"{role}_keys"] for role in ROLES},
                values={role: stored[f"{role}_values"] for role in ROLES},
            )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(f"{path}: not a readable retrieval bank ({error}); train the run again") from error


def _signature(layout: Layout) -> str:
    classes = [f"{name}:{size}" for name, size in zip(layout.classes, layout.class_sizes, strict=True)]
    return f"{','.join(layout.targets)} from {','.join((*layout.fast, *layout.static, *classes))}"
