"""Who trains, who validates and who is tested: always whole clusters, drawn before any score is seen."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atomic import write_text
from ..config.schema import SplitConfig
from ..contracts import Question
from ..errors import UserError
from ..geography import haversine_km

BLOCK_DEGREES = 5.0  # grids are split in blocks of this side (DESIGN: rule 2)
BLOCK_BORDER_DEGREES = 0.5  # cells this close to a held-out block are used by nobody


@dataclass(frozen=True)
class Split:
    """One division of the sites of a cube, by ``site_id``; of a split in time, of their days too.

    Attributes
    ----------
    fold : number of the fold.
    train, validation, test : sites of each part. Of a split in time a site stands in all three.
    periods : of a split in time, for each site the first validation day and the first test day, ISO dates; training
        ends the day before the former. Empty otherwise: a site then belongs to its part with its whole record.
    unlabelled : sites of training and validation whose fluxes are not shown (sparse labels).
    """

    fold: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    periods: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    unlabelled: tuple[str, ...] = ()

    @property
    def question(self) -> Question:
        """What the test asks: fluxes of unseen sites, or of new years at known sites."""
        return "new_years" if self.periods else "unseen"

    def members(self, part: str, site_id: NDArray[np.str_]) -> NDArray[np.bool_]:
        """Mask (site,) of the sites in ``train``, ``validation`` or ``test``."""
        return np.isin(site_id, getattr(self, part))

    def days(self, part: str, site_id: NDArray[np.str_], time: NDArray[np.datetime64]) -> NDArray[np.bool_]:
        """Mask (site, day) of the days that belong to ``train``, ``validation`` or ``test``."""
        mask = np.repeat(self.members(part, site_id)[:, None], len(time), axis=1)
        for row, name in enumerate(site_id.tolist()):
            if name in self.periods:
                validation, test = (np.datetime64(day) for day in self.periods[name])
                within = {"train": time < validation, "validation": (time >= validation) & (time < test)}
                mask[row] &= within.get(part, time >= test)
        return mask

    def save(self, path: Path) -> None:
        """Write the division as JSON."""
        write_text(json.dumps(asdict(self), indent=1) + "\n", path)

    @classmethod
    def load(cls, path: Path) -> "Split":
        """Read a division that ``save`` wrote."""
        return cls.from_dict(json.loads(path.read_text()))

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "Split":
        """Build from what JSON holds."""
        parts = {part: tuple(raw[part]) for part in ("train", "validation", "test")}
        periods = {name: (first, second) for name, (first, second) in raw.get("periods", {}).items()}
        return cls(raw["fold"], **parts, periods=periods, unlabelled=tuple(raw.get("unlabelled", ())))


def fold_count(config: SplitConfig, cluster: NDArray[np.int64]) -> int:
    """Return the number of folds: as configured, or one a cluster.

    Raises
    ------
    UserError
        If there are more folds than clusters, or fewer than three clusters (training, validation and test need one
        each).
    """
    clusters = len(np.unique(cluster))
    if clusters < 3:
        raise UserError(
            f"data.split: {clusters} cluster(s) of sites cannot give training, validation and test; add sites"
        )
    if config.kind == "leave_site_out":
        return clusters
    if config.folds > clusters:
        raise UserError(
            f"data.split.folds={config.folds}, but the sites form {clusters} clusters of {config.cluster_km:g} km; "
            f"set data.split.folds to {clusters} or fewer"
        )
    return config.folds


def tower_split(config: SplitConfig, fold: int, site_id: NDArray[np.str_], cluster: NDArray[np.int64]) -> Split:
    """Divide towers for one fold; clusters are never cut.

    Clusters are dealt in seeded order to the fold that has the fewest sites. Validation clusters are drawn from what
    is left, again in seeded order, so that each fold has its own.

    Raises
    ------
    UserError
        If the fold does not exist.
    """
    count = fold_count(config, cluster)
    if fold >= count:
        raise UserError(f"data.split.fold={fold}, but there are folds 0 to {count - 1}")
    fold_of = _deal(cluster, count, np.random.default_rng(config.seed))
    rest = np.unique(cluster[fold_of != fold])
    held_out = np.random.default_rng([config.seed, fold, 1]).permutation(rest)
    held_out = held_out[: max(1, round(config.validation_share * len(rest)))]
    test = fold_of == fold
    validation = np.isin(cluster, held_out)
    return _named(fold, site_id, ~test & ~validation, validation, test)


def simulation_split(
    validation_share: float,
    seed: int,
    site_id: NDArray[np.str_],
    lat: NDArray[np.float64],
    lon: NDArray[np.float64],
    usable: NDArray[np.bool_],
) -> Split:
    """Divide the cells of a simulation by blocks of 5 x 5 degrees with one cell of border; nothing is tested on it.

    Parameters
    ----------
    usable : (site,) cells that may be seen at all, see ``away_from``.
    """
    block = grid_blocks(lat, lon)
    drawn = np.random.default_rng([seed, 2]).permutation(np.unique(block[usable]))
    validation = usable & np.isin(block, drawn[: max(1, round(validation_share * len(drawn)))])
    gap_lat = np.abs(lat[:, None] - lat[validation][None])
    gap_lon = np.abs((lon[:, None] - lon[validation][None] + 180.0) % 360.0 - 180.0)
    border = ((gap_lat <= BLOCK_BORDER_DEGREES) & (gap_lon <= BLOCK_BORDER_DEGREES)).any(axis=1)
    return _named(0, site_id, usable & ~border, validation, np.zeros(len(site_id), bool), test_expected=False)


def grid_blocks(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> NDArray[np.int64]:
    """Block code (site,) of each cell: the clusters of a grid."""
    row = np.floor((lat + 90.0) / BLOCK_DEGREES).astype(np.int64)
    column = np.floor((lon % 360.0) / BLOCK_DEGREES).astype(np.int64)
    return row * int(360 / BLOCK_DEGREES) + column


def away_from(
    lat: NDArray[np.float64],
    lon: NDArray[np.float64],
    test_lat: NDArray[np.float64],
    test_lon: NDArray[np.float64],
    km: float,
) -> NDArray[np.bool_]:
    """Mask (site,) of simulated cells farther than ``km`` from every tested site (DESIGN: rule 6)."""
    nearest = haversine_km(lat[:, None], lon[:, None], test_lat[None], test_lon[None]).min(axis=1, initial=np.inf)
    return np.asarray(nearest > km)


def _deal(cluster: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Fold (site,) of each site: clusters go, in random order, to the fold with the fewest sites so far."""
    codes, sizes = np.unique(cluster, return_counts=True)
    load = np.zeros(count, np.int64)
    fold_of_cluster: dict[int, int] = {}
    for i in rng.permutation(len(codes)):
        fold = int(load.argmin())
        fold_of_cluster[int(codes[i])] = fold
        load[fold] += sizes[i]
    return np.array([fold_of_cluster[int(code)] for code in cluster], np.int64)


def _named(
    fold: int,
    site_id: NDArray[np.str_],
    train: NDArray[np.bool_],
    validation: NDArray[np.bool_],
    test: NDArray[np.bool_],
    test_expected: bool = True,
) -> Split:
    parts = {"train": train, "validation": validation} | ({"test": test} if test_expected else {})
    for part, mask in parts.items():
        if not mask.any():
            raise UserError(f"data.split: fold {fold} has no {part} site; add sites or change data.split")
    return Split(fold, _ids(site_id, train), _ids(site_id, validation), _ids(site_id, test))


def _ids(site_id: NDArray[np.str_], mask: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(str(name) for name in site_id[mask])
