"""Splits as files that people share: versioned JSON, one object a fold."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atomic import write_text
from ..errors import UserError, did_you_mean
from ..json_strict import read_object
from .splits import PARTS, Split

VERSION = 1
_KEYS = ("name", "version", "made_by", "cluster_km", "folds")
_OPTIONAL = ("periods", "unlabelled", "shown_until")


@dataclass(frozen=True)
class SplitFile:
    """Folds under a name.

    Attributes
    ----------
    name : what the division is called; a new division of the same data takes a new name.
    made_by : the overrides that drew it, or words where no draw did.
    cluster_km : the distance, in km, by which its clusters were kept whole.
    folds : the folds, numbered from 0.
    """

    name: str
    made_by: tuple[str, ...]
    cluster_km: float
    folds: tuple[Split, ...]


def write_split_file(file: SplitFile, path: Path) -> None:
    """Write folds as JSON, each part on a line of its own, so that a change of division reads as one."""
    keys = [{key: value for key, value in asdict(f).items() if value or key not in _OPTIONAL} for f in file.folds]
    folds = [",\n   ".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in fold.items()) for fold in keys]
    head = {"name": file.name, "version": VERSION, "made_by": file.made_by, "cluster_km": file.cluster_km}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    body = ",\n  ".join(f"{{{fold}}}" for fold in folds)
    write_text("{" + ",\n ".join([*lines, f'"folds": [\n  {body}\n ]']) + "}\n", path)


def read_split_file(path: Path) -> SplitFile:
    """Read folds that a person or `write_split_file` wrote.

    Raises
    ------
    UserError
        The file is missing, is no JSON, has another version, holds no fold, or a key of it is unknown, missing or of
        the wrong type.
    """
    raw = read_object(path, _KEYS, "check data.split.file")
    if raw.get("version") != VERSION:
        raise UserError(f"{path}: version {raw.get('version')!r} is unknown; this raciflux reads version {VERSION}")
    _check_keys(raw, _KEYS, (), str(path))
    if not isinstance(raw["folds"], list) or not raw["folds"]:
        raise UserError(f"{path}: 'folds' holds no fold; give a list of at least one")
    if not isinstance(raw["name"], str) or not _is_number(raw["cluster_km"]):
        raise UserError(f"{path}: 'name' must be text and 'cluster_km' a number of km")
    folds = tuple(_fold(fold, i, f"{path}: fold {i}") for i, fold in enumerate(raw["folds"]))
    return SplitFile(raw["name"], _names(raw["made_by"], f"{path}: made_by"), float(raw["cluster_km"]), folds)


def restrict(split: Split, site_id: NDArray[np.str_]) -> Split:
    """Return a split without the sites that the data do not have."""
    there = set(site_id.tolist())
    parts = {name: tuple(s for s in getattr(split, name) if s in there) for name in (*PARTS, "unlabelled")}
    periods = {site: period for site, period in split.periods.items() if site in there}
    return Split(
        split.fold, **parts, periods=periods, shown_until={s: d for s, d in split.shown_until.items() if s in there}
    )


def _fold(raw: object, number: int, where: str) -> Split:
    """Check what JSON holds of one fold, and build it."""
    if not isinstance(raw, dict):
        raise UserError(f"{where}: expected an object, found a {type(raw).__name__}")
    _check_keys(raw, ("fold", *PARTS), _OPTIONAL, where)
    if raw["fold"] != number or isinstance(raw["fold"], bool):
        raise UserError(f"{where}: is numbered {raw['fold']!r}; number the folds from 0, in order")
    for name in (*PARTS, "unlabelled"):
        _names(raw.get(name, []), f"{where}: {name}")
    if not isinstance(raw.get("periods", {}), dict):
        raise UserError(f"{where}: periods: expected site_id: [first validation day, first test day] for each site")
    for site, days in raw.get("periods", {}).items():
        _check_periods(days, f"{where}: periods of {site!r}")
    if not isinstance(raw.get("shown_until", {}), dict):
        raise UserError(f"{where}: shown_until: expected site_id: first day whose flux is not shown, for some sites")
    for site, day in raw.get("shown_until", {}).items():
        if not _is_date(day):
            raise UserError(f"{where}: shown_until of {site!r}: expected a date such as 2012-01-01")
    return Split.from_dict(raw)


def _check_keys(raw: Mapping[str, Any], needed: tuple[str, ...], optional: tuple[str, ...], where: str) -> None:
    for key in raw:
        if key not in (*needed, *optional):
            raise UserError(f"{where}: no key {key!r}; {did_you_mean(key, (*needed, *optional))}")
    for key in needed:
        if key not in raw:
            raise UserError(f"{where}: the key {key!r} is missing; a split needs {', '.join(needed)}")


def _names(raw: object, where: str) -> tuple[str, ...]:
    if not isinstance(raw, list) or not all(isinstance(name, str) for name in raw):
        raise UserError(f"{where}: expected a list of texts")
    return tuple(raw)


def _check_periods(raw: object, where: str) -> None:
    if not isinstance(raw, list) or len(raw) != 2 or not all(_is_date(day) for day in raw):
        raise UserError(
            f"{where}: expected two dates such as 2012-01-01: the first validation day, then the first test day"
        )
    if date.fromisoformat(raw[0]) >= date.fromisoformat(raw[1]):
        raise UserError(f"{where}: validation begins {raw[0]}, not before the test, which begins {raw[1]}")


def _is_date(raw: object) -> bool:
    try:
        return isinstance(raw, str) and bool(date.fromisoformat(raw))
    except ValueError:
        return False


def _is_number(raw: object) -> bool:
    return isinstance(raw, int | float) and not isinstance(raw, bool)
