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
from .descriptors import Standard, describe, descriptors
from .flux_statistics import flux_statistics
from .index import Exclusion
from .look_up import LookUp, NeighbourTable
from .visibility import and_closer_than, near_or_namesake, of_own_cluster

ROLES = ("slow", "fast")
FORMAT = 2  # of the saved file

PLAIN = ("site_id", "lat", "lon", "cluster", "coefficients", "evidence")  # arrays saved by their own names

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Codes = NDArray[np.int64]


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
    blocks: bool  # whether clusters are blocks of a grid
    signature: str  # what the descriptors and values are made of
    standards: Mapping[str, Standard]  # role
    keys: Mapping[str, Floats]  # role: (entry, descriptor_width)
    values: Mapping[str, Floats]  # role: (entry, value_width)
    coefficients: Floats  # (entry, target, term) of the response functions
    evidence: Floats  # (entry, target) log of the number of known days, 1 for a year

    @classmethod
    def build(cls, view: TrainingView, cluster_km: float) -> "Bank":
        """Store the training sites of ``view``; ``cluster_km`` is the distance its clusters were drawn with."""
        order = np.argsort(view.site_id, kind="stable")
        train = order[view.train_sites[order]]
        raw = describe(view)
        standards = {role: Standard.fit(raw[role][train]) for role in ROLES}
        every = descriptors(view, raw, standards)
        entries = train[view.visible.known[train].any((1, 2))]
        known = flux_statistics(view, entries)
        return cls(
            site_id=view.site_id[entries].astype(np.str_),
            lat=view.lat[entries].astype(np.float64),
            lon=view.lon[entries].astype(np.float64),
            cluster=view.visible.cluster[entries].astype(np.int64),
            cluster_km=float(cluster_km),
            blocks=view.visible.blocks,
            signature=_signature(view.layout),
            standards=standards,
            keys={role: every[role][entries] for role in ROLES},
            values={role: known.values[role].astype(np.float32) for role in ROLES},
            coefficients=known.coefficients.astype(np.float32),
            evidence=known.evidence.astype(np.float32),
        )

    def look_up(self, view: TrainingView, config: RetrievalConfig, same_cube: bool) -> NeighbourTable:
        """Find the neighbours of every site of ``view``, asked as an unseen site.

        Parameters
        ----------
        same_cube : whether ``view`` shares its cluster codes with the cube this bank was built from. If so, entries of
            the query's cluster are hidden, and those that touch a block of a grid with it. If not, those entries are,
            with their whole clusters, that bear the query's site_id or stand closer than ``cluster_km``.

        Raises
        ------
        UserError
            If the view's inputs are not the bank's, or the backend is not installed.
        """
        described = self.describe(view)
        look_up = LookUp(
            here=(view.lat.astype(np.float64), view.lon.astype(np.float64)),
            there=(self.lat, self.lon),
            hidden=self.hidden_from(view, same_cube, config.exclude_km),
            neighbours=config.neighbours,
            radius_km=config.radius_km,
            backend=config.backend,  # type: ignore[arg-type]  # the schema's choices are the backends
        )
        found = {
            (role, kind): look_up.find(kind, described[role], self.keys[role])
            for role in config.roles
            for kind in config.kinds
        }
        return NeighbourTable({role: described[role] for role in config.roles}, found, look_up)

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

    def hidden_from(self, view: TrainingView, same_cube: bool, exclude_km: float = 0.0) -> Exclusion:
        """Tell which entries each site of ``view`` may not see: see ``look_up``, and those closer than a distance."""
        if same_cube:
            here, there = (view.lat, view.lon), (self.lat, self.lon)
            hidden = of_own_cluster(here, view.visible.cluster, there, self.cluster, self.blocks)
        else:
            entries = (self.site_id, self.lat, self.lon)
            hidden = near_or_namesake((view.site_id, view.lat, view.lon), entries, self.cluster, self.cluster_km)
        if exclude_km == 0:
            return hidden
        return and_closer_than(hidden, (view.lat, view.lon), (self.lat, self.lon), exclude_km)

    def save(self, path: Path) -> None:
        """Write one ``.npz``, whole or not at all."""
        arrays: dict[str, Any] = {name: getattr(self, name) for name in PLAIN}
        arrays |= {"cluster_km": self.cluster_km, "blocks": self.blocks, "signature": self.signature, "format": FORMAT}
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
                **{name: stored[name] for name in PLAIN},
                cluster_km=float(stored["cluster_km"]),
                blocks=bool(stored.get("blocks", False)),  # what older runs saved does not say
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
