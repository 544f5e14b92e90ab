"""Who trains, who validates and who is tested; and the same for the cells of a simulation."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atomic import write_text
from ..contracts import Question
from ..errors import UserError
from ..geography import cells_that_hold, haversine_km, touching_cells

PARTS = ("train", "validation", "test")
BLOCK_DEGREES = 5.0  # grids are split in blocks of this side (docs/architecture.md, rule 2)


@dataclass(frozen=True)
class Split:
    """One division of the sites of a cube, by ``site_id``; of a split in time, of their days too.

    Attributes
    ----------
    fold : number of the fold.
    train, validation, test : sites of each part. Of a split in time a site stands in all three.
    periods : of a split in time, for each site the first validation day and the first test day, ISO dates; training
        ends the day before the former. Empty otherwise: a site then belongs to its part with its whole record.
    unlabelled : sites of training and validation whose fluxes are not shown (sparse labels): none of their days is a
        training or validation day. Of a split in time they are tested like the others.
    shown_until : of a split in time, for sites that have a cluster mate tested earlier, the ISO date of the first day
        that the mate is tested on: from it on no day of the site is a training or validation day, since a mate's flux
        nearly is the tested one. A site that is not named shows all days before its own test.
    """

    fold: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    periods: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    unlabelled: tuple[str, ...] = ()
    shown_until: Mapping[str, str] = field(default_factory=dict)

    @property
    def question(self) -> Question:
        """What the test asks: fluxes of unseen sites, or of new years at known sites."""
        return "new_years" if self.periods else "unseen"

    def members(self, part: str, site_id: NDArray[np.str_]) -> NDArray[np.bool_]:
        """Mask (site,) of the sites in ``train``, ``validation`` or ``test``."""
        return np.isin(site_id, getattr(self, part))

    def period(self, part: str, site_id: NDArray[np.str_], time: NDArray[np.datetime64]) -> NDArray[np.bool_]:
        """Mask (site, day) of the days of ``train``, ``validation`` or ``test``, whether fluxes are shown or not.

        Drivers are scaled and described on these days. ``shown_until`` does not shorten them: weather is an input on
        tested days too, so a mate's weather tells nothing of its flux that its own does not.
        """
        mask = np.repeat(self.members(part, site_id)[:, None], len(time), axis=1)
        for row, name in enumerate(site_id.tolist()):
            if name in self.periods:
                validation, test = (np.datetime64(day) for day in self.periods[name])
                within = {"train": time < validation, "validation": (time >= validation) & (time < test)}
                mask[row] &= within.get(part, time >= test)
        return mask

    def days(self, part: str, site_id: NDArray[np.str_], time: NDArray[np.datetime64]) -> NDArray[np.bool_]:
        """Mask (site, day) of the days whose fluxes belong to ``train``, ``validation`` or ``test``."""
        mask = self.period(part, site_id, time)
        if part != "test":
            mask[np.isin(site_id, self.unlabelled)] = False
            for row, name in enumerate(site_id.tolist()):
                if name in self.shown_until:
                    mask[row] &= time < np.datetime64(self.shown_until[name])
        return mask

    @classmethod
    def from_masks(cls, fold: int, site_id: NDArray[np.str_], **parts: NDArray[np.bool_]) -> "Split":
        """Name the sites of each part by a mask (site,); a part not given is empty, and only then.

        Raises
        ------
        UserError
            If a part that is given has no site.
        """
        for part, mask in parts.items():
            if not mask.any():
                raise UserError(f"data.split: fold {fold} has no {part} site; add sites or change data.split")
        named = {part: tuple(str(name) for name in site_id[mask]) for part, mask in parts.items()}
        return cls(fold, named.get("train", ()), named.get("validation", ()), named.get("test", ()))

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
        parts = {part: tuple(raw[part]) for part in PARTS}
        periods = {name: (first, second) for name, (first, second) in raw.get("periods", {}).items()}
        unlabelled, shown_until = tuple(raw.get("unlabelled", ())), dict(raw.get("shown_until", {}))
        return cls(raw["fold"], **parts, periods=periods, unlabelled=unlabelled, shown_until=shown_until)


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
    return Split.from_masks(0, site_id, train=usable & ~beside(lat, lon, validation), validation=validation)


def beside(lat: NDArray[np.float64], lon: NDArray[np.float64], held: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mask (site,) of the cells of a grid that are held out or lie within one cell of one that is."""
    one, other = touching_cells(lat, lon).T
    near = held.copy()
    near[one[held[other]]] = near[other[held[one]]] = True
    return near


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
    size: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
) -> NDArray[np.bool_]:
    """Mask (site,) of simulated cells that hold no tested site and lie farther than ``km`` from every one.

    A cell of a coarse grid may hold a site far from its centre (docs/architecture.md, rule 6).

    Parameters
    ----------
    size : height and width of each cell, degrees; None of places that are no cells.
    """
    near = haversine_km(lat[:, None], lon[:, None], test_lat[None], test_lon[None]) <= km
    if size is not None:
        near |= cells_that_hold(lat, lon, *size, test_lat, test_lon)
    return np.asarray(~near.any(axis=1))
