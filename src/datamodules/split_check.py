"""What no split may do, drawn or read from a file: share a day or a cluster between parts, or leave a part empty."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .splits import PARTS, Split
from .towers import Towers


def check_split(split: Split, towers: Towers, where: str = "data.split") -> None:
    """Refuse a split that leaks or cannot be used.

    In space no site and no cluster may stand in two parts. In time each site's training days end before its
    validation begins, and that before its test begins, and no site trains or validates on days from a cluster mate's
    test on. Training and validation each need a labelled day.

    Parameters
    ----------
    where : what the split is called in a message: a key or a file.

    Raises
    ------
    UserError
        The first fault, with the sites that show it.
    """
    where = f"{where}: fold {split.fold}"
    for part in PARTS:
        if not split.members(part, towers.site_id).any():
            raise UserError(f"{where} has no {part} site among the sites of this data; add sites or change data.split")
    _refuse_stray_names(split, where)
    if split.periods:
        _refuse_overlapping_periods(split, towers, where)
        _refuse_shown_mates(split, towers, where)
    else:
        _refuse_cut_clusters(split, towers, where)
    for part in PARTS[:2]:
        if not (split.days(part, towers.site_id, towers.time) & towers.labelled).any():
            raise UserError(f"{where} has no labelled day in {part}; check quality columns, data.sites and data.split")


def _refuse_stray_names(split: Split, where: str) -> None:
    """Refuse a site without labels that could show none, and in time a site without periods."""
    stray = set(split.unlabelled) - {*split.train, *split.validation}
    if stray:
        raise UserError(
            f"{where}: {min(stray)!r} is called unlabelled and is in neither train nor validation; drop it there"
        )
    if split.periods:
        for part in PARTS:
            odd = set(getattr(split, part)) ^ set(split.periods)
            if odd:
                raise UserError(
                    f"{where} is a split in time, and {min(odd)!r} is not in both periods and {part}; "
                    "a site belongs into periods and into every part"
                )
    odd = set(split.shown_until) - set(split.periods)
    if odd:
        raise UserError(f"{where}: {min(odd)!r} is in shown_until and not in periods; drop it there")


def _refuse_cut_clusters(split: Split, towers: Towers, where: str) -> None:
    member = {part: split.members(part, towers.site_id) for part in PARTS}
    for one, other in combinations(PARTS, 2):
        both = member[one] & member[other]
        if both.any():
            raise UserError(f"{where}: {towers.site_id[both][0]} stands in both {one} and {other}; keep it in one")
        cut = np.intersect1d(towers.cluster[member[one]], towers.cluster[member[other]])
        if len(cut):
            mates = [towers.site_id[member[part] & (towers.cluster == cut[0])][0] for part in (one, other)]
            raise UserError(
                f"{where} cuts a cluster of data.split.cluster_km: {mates[0]} is in {one} and {mates[1]} in {other}; "
                "put them into one part"
            )


def _refuse_overlapping_periods(split: Split, towers: Towers, where: str) -> None:
    days = {part: split.period(part, towers.site_id, towers.time) for part in PARTS}
    for earlier, later in combinations(PARTS, 2):
        end, begin = _last(days[earlier]), _first(days[later])
        late = end >= begin
        if late.any():
            site = int(late.argmax())
            until, since = (str(towers.time[day])[:10] for day in (end[site], begin[site]))
            raise UserError(
                f"{where}: at {towers.site_id[site]} {earlier} reaches {until} and {later} begins {since}; "
                "end the one before the other begins"
            )


def _refuse_shown_mates(split: Split, towers: Towers, where: str) -> None:
    """Refuse a day of training or validation on which, or after which, a tower of the same cluster is tested."""
    shown = split.days("train", towers.site_id, towers.time) | split.days("validation", towers.site_id, towers.time)
    last_shown, first_tested = _last(shown), _first(split.days("test", towers.site_id, towers.time))
    for site, code in enumerate(towers.cluster):
        mates = np.flatnonzero(towers.cluster == code)
        mate = int(mates[first_tested[mates].argmin()])
        if last_shown[site] >= first_tested[mate]:
            until, since = (str(towers.time[day])[:10] for day in (last_shown[site], first_tested[mate]))
            name = towers.site_id[site]
            raise UserError(
                f"{where}: {name} shows its fluxes until {until}, and the test of {towers.site_id[mate]}, of the same "
                f"cluster, begins {since}; give {name} shown_until {since} or earlier"
            )


def _first(days: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Index (site,) of the first day of each row, past the end where there is none."""
    return np.asarray(np.where(days.any(1), days.argmax(1), days.shape[1]))


def _last(days: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Index (site,) of the last day of each row, -1 where there is none."""
    return np.asarray(days.shape[1] - 1 - _first(days[:, ::-1]))
