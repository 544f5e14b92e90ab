"""Questions as files that people share: versioned JSON, a line a site."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ..atomic import write_text
from ..errors import UserError, did_you_mean
from ..json_strict import read_object

VERSION = 1
KINDS = ("few_shot", "gap")
_KEYS = ("name", "version", "kind", "made_by", "sites")
_OPTIONAL = ("made_by",)


@dataclass(frozen=True)
class FewShotFile:
    """Start dates of each site, ISO dates in their order; how many days are shown is asked beside.

    ``made_by`` are the overrides that read the data it was drawn from; empty where a person wrote it.
    """

    name: str
    made_by: tuple[str, ...]
    sites: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class GapFile:
    """First days of the gaps of each site, ISO dates by length in days."""

    name: str
    made_by: tuple[str, ...]
    sites: Mapping[str, Mapping[int, tuple[str, ...]]]


def write_questions(file: FewShotFile | GapFile, path: Path) -> None:
    """Write questions as JSON, each site on a line of its own, so that a change reads as one."""
    kind = "few_shot" if isinstance(file, FewShotFile) else "gap"
    head = {"name": file.name, "version": VERSION, "kind": kind, "made_by": file.made_by}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    sites = ",\n  ".join(f"{json.dumps(site)}: {json.dumps(asked)}" for site, asked in file.sites.items())
    write_text("{" + ",\n ".join([*lines, f'"sites": {{\n  {sites}\n }}']) + "}\n", path)


def read_few_shot(path: Path) -> FewShotFile:
    """Read start dates that a person or ``write_questions`` wrote.

    Raises
    ------
    UserError
        The file is missing, no JSON, of another kind or version, or a key or date of it is wrong.
    """
    raw = _load(path, "few_shot")
    sites = {site: _dates(starts, f"{path}: {site!r}") for site, starts in raw["sites"].items()}
    return FewShotFile(raw["name"], tuple(raw.get("made_by", ())), sites)


def read_gaps(path: Path) -> GapFile:
    """Read gaps that a person or ``write_questions`` wrote.

    Raises
    ------
    UserError
        As ``read_few_shot``; or two gaps of a site and length overlap.
    """
    raw = _load(path, "gap")
    sites = {}
    for site, lengths in raw["sites"].items():
        where = f"{path}: {site!r}"
        if not isinstance(lengths, dict) or not all(text.isdecimal() and int(text) > 0 for text in lengths):
            raise UserError(f"{where}: expected an object of lengths in days and first days, such as {_EXAMPLE}")
        sites[site] = {int(text): _gap_starts(starts, int(text), where) for text, starts in lengths.items()}
    return GapFile(raw["name"], tuple(raw.get("made_by", ())), sites)


_EXAMPLE = '{"30": ["2010-06-01"]}'


def _load(path: Path, kind: str) -> Mapping[str, Any]:
    raw = read_object(path, _KEYS, "name a file of questions")
    if raw.get("version") != VERSION:
        raise UserError(f"{path}: version {raw.get('version')!r} is unknown; this raciflux reads version {VERSION}")
    for key in raw:
        if key not in _KEYS:
            raise UserError(f"{path}: no key {key!r}; {did_you_mean(key, _KEYS)}")
    for key in _KEYS:
        if key not in raw and key not in _OPTIONAL:
            raise UserError(f"{path}: the key {key!r} is missing; questions need {', '.join(_KEYS)}")
    if raw["kind"] != kind:
        raise UserError(f"{path}: kind {raw['kind']!r}, where {kind!r} was expected; name a file of that kind")
    made_by = raw.get("made_by", [])
    if not isinstance(raw["name"], str) or not _is_texts(made_by):
        raise UserError(f"{path}: 'name' must be text and 'made_by' a list of texts")
    if not isinstance(raw["sites"], dict) or not raw["sites"]:
        raise UserError(f"{path}: 'sites' holds no site; give an object of site_id and dates")
    return raw


def _gap_starts(raw: object, length: int, where: str) -> tuple[str, ...]:
    starts = _dates(raw, f"{where}, gaps of {length} days")
    days = [date.fromisoformat(text) for text in starts]
    for before, after in itertools.pairwise(days):
        if (after - before).days < length:
            raise UserError(f"{where}: gaps of {length} days overlap on {after}; begin the later one after the former")
    return starts


def _dates(raw: object, where: str) -> tuple[str, ...]:
    if not _is_texts(raw) or not raw:
        raise UserError(f"{where}: expected a list of dates such as 2010-06-01")
    assert isinstance(raw, list)
    for text in raw:
        try:
            given = date.fromisoformat(text).isoformat() == text
        except ValueError:
            given = False
        if not given:
            raise UserError(f"{where}: {text!r} is no date; write dates such as 2010-06-01")
    if sorted(set(raw)) != raw:
        raise UserError(f"{where}: dates must increase, each given once")
    return tuple(raw)


def _is_texts(raw: object) -> bool:
    return isinstance(raw, list) and all(isinstance(text, str) for text in raw)
