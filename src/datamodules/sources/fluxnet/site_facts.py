"""Site facts from the networks' BADM interchange files (BIF): where a site is, how high, its vegetation and climate.

A BIF has one row a fact: ``SITE_ID, GROUP_ID, VARIABLE_GROUP, VARIABLE, DATAVALUE``. Networks hand it out as a workbook
or as text. A fact may be told several times (a site moved, a class was revised): the last group counts, as ids grow
with time, and a note says so where the groups differ.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import fastexcel
import polars as pl

from ....errors import UserError
from ..files import FAULTS, damaged

COLUMNS = ("SITE_ID", "GROUP_ID", "VARIABLE", "DATAVALUE")
NUMBERS = {"lat": "LOCATION_LAT", "lon": "LOCATION_LONG", "elevation": "LOCATION_ELEV", "mat": "MAT", "map": "MAP"}
TEXTS = {"igbp": "IGBP", "koppen": "CLIMATE_KOEPPEN"}

Facts = Mapping[str, float | str]


def read_site_facts(paths: Sequence[Path]) -> tuple[dict[str, Facts], list[str]]:
    """Read the facts of every site that some BIF files tell of, later files before earlier ones; and notes.

    Raises
    ------
    UserError
        If a file is damaged or no BIF, or a number in it is none.
    """
    facts: dict[str, Facts] = {}
    notes: list[str] = []
    for path in paths:
        table = _table(path)
        for fact, variable in {**NUMBERS, **TEXTS}.items():
            rows = table.filter(pl.col("VARIABLE") == variable).sort("GROUP_ID", maintain_order=True)
            for (site,), told in rows.group_by("SITE_ID", maintain_order=True):
                values = told["DATAVALUE"].to_list()
                if len(set(values)) > 1:
                    notes.append(f"{site}: {path.name} tells {len(values)} values of {variable}; the last is taken")
                value = _number(values[-1], path, str(site), variable) if fact in NUMBERS else values[-1]
                facts[str(site)] = {**facts.get(str(site), {}), fact: value}
    return facts, notes


def _table(path: Path) -> pl.DataFrame:
    try:
        if path.suffix.lower() == ".csv":
            table = pl.read_csv(path, infer_schema=False, truncate_ragged_lines=False)
        else:
            table = pl.read_excel(path, engine="calamine", infer_schema_length=0)
    except (*FAULTS, fastexcel.FastExcelError, ValueError) as error:
        raise damaged(path, error) from None
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise UserError(f"{path}: no column {missing[0]!r}; a BIF of site facts has {', '.join(COLUMNS)}")
    text = table.select(pl.col(column).cast(pl.String).str.strip_chars() for column in COLUMNS)
    return text.with_columns(pl.col("GROUP_ID").cast(pl.Int64, strict=False)).drop_nulls(
        ["SITE_ID", "VARIABLE", "DATAVALUE"]
    )


def _number(text: str, path: Path, site: str, variable: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{path}: {variable} of {site} is {text!r}, not a number; correct it") from None
