"""What a pool holds: a page of YAML that names its sources."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config.checks import check_name
from ..config.compose import compose
from ..errors import UserError, did_you_mean
from ..yaml_strict import load_yaml

KEYS = ("root", "output", "pair", "sources")
PAIR = "wetland_ch4"  # which matters to the embedded world alone


@dataclass(frozen=True)
class Entry:
    """One source of a pool.

    Attributes
    ----------
    name : in the pool. section : as ``data.source`` would hold it. pair : for which the embedded world makes it.
    """

    name: str
    section: Any
    pair: str


@dataclass(frozen=True)
class Plan:
    """A pool to be.

    Attributes
    ----------
    root : folder of the data. output : folder of the pool.
    """

    root: Path
    output: Path
    entries: tuple[Entry, ...]


def load_plan(pages: Sequence[Path], output: str | None = None) -> Plan:
    """Read one page, or several that together make a pool.

    Raises
    ------
    UserError
        A page or a source in it is wrong, two sources share a name, or the pages disagree on root or output.
    """
    entries: dict[str, Entry] = {}
    roots, outputs = set(), set()
    for page in pages:
        raw = load_yaml(page)
        for key in raw:
            if key not in KEYS:
                raise UserError(f"{page}: unknown key {key!r}; {did_you_mean(key, KEYS)}")
        if not isinstance(raw.get("sources"), dict) or not raw["sources"]:
            raise UserError(f"{page}: sources: name at least one, such as 'towers: {{kind: fluxnet, path: downloads}}'")
        roots.add(str(raw.get("root") or os.environ.get("RACIFLUX_DATA", "../shared/data")))
        outputs.add(str(output or raw.get("output") or "pool"))
        for name, values in raw["sources"].items():
            if name in entries:
                raise UserError(f"{page}: sources: {name!r} stands in another page too; rename one")
            entries[name] = _entry(name, values, str(raw.get("pair", PAIR)), page)
    for key, values in (("root", roots), ("output", outputs)):
        if len(values) > 1:
            raise UserError(f"{pages[-1]}: {key} is {' and '.join(sorted(values))} on different pages; agree on one")
    return Plan(Path(roots.pop()), Path(outputs.pop()), tuple(entries.values()))


def _entry(name: str, values: object, pair: str, page: Path) -> Entry:
    check_name(name, f"{page}: sources")
    if not isinstance(values, Mapping):
        raise UserError(f"{page}: sources.{name}: expected 'key: value' pairs, found {values!r}")
    try:
        config = compose([f"data.source={json.dumps(values)}", f"data.pair={pair}", "transfer=scratch"])
    except UserError as error:
        raise UserError(f"{page}: sources.{name}: {error}") from None
    return Entry(name, config.data.source, pair)
