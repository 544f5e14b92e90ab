"""FLUXNET-standard downloads, as the networks hand them out, become a cube."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import xarray as xr

from ....config.sources import FluxnetSource
from ....errors import UserError, did_you_mean
from ....variables import CLASSES, MEASURED_SUFFIX, QC_SUFFIX, STATICS
from ...cube import UNKNOWN, attributes
from ..account import DAYS_OF_STEPS, GIVEN, KNOWN, Account, together
from ..assemble import Doubles, coordinates, described, on_days, plausible_days, share_of
from ..units import to_canonical
from .archives import members
from .columns import DRIVERS, FLUXES
from .days import daily, reading_of
from .file_names import holds_site_facts
from .releases import Chosen, choose
from .site_facts import Facts, read_site_facts
from .steps import columns_of, read_steps

ONEFLUX = "CC-BY-4.0", "Pastorello et al. 2020, 10.1038/s41597-020-0534-3"
PRODUCTS = {  # name, licence, citation; sites may ask for more, see the networks' pages
    "FLUXNET2015": ("FLUXNET2015", *ONEFLUX),
    "FLUXNET": ("FLUXNET, processed with ONEFlux", *ONEFLUX),
    "FLUXNET-CH4": ("FLUXNET-CH4", "CC-BY-4.0", "Delwiche et al. 2021, 10.5194/essd-13-3607-2021"),
    "BASE": ("AmeriFlux BASE", "CC-BY-4.0", "https://ameriflux.lbl.gov/data/data-policy/"),
}
STATICS_TOLD, CLASSES_TOLD = ("elevation", "mat", "map"), ("igbp", "koppen")
TOLERANCE = 1e-5  # printed shares may pass 1 by rounding


@dataclass(frozen=True)
class Days:
    """The days of a site.

    Attributes
    ----------
    table : ``day``, each variable in the unit of the house, shares. accounts, units : of variables, as in the files.
    """

    table: pl.DataFrame
    accounts: Mapping[str, Account]
    units: Mapping[str, str]


def read(_pair: str, source: FluxnetSource, root: Path, sites: Sequence[str]) -> xr.Dataset:
    """Read the tables of a folder, an archive or a file: one release of each site, see ``releases``.

    Days are those of local standard time. Values outside the plausible range of `raciflux.variables` are masked and
    counted in ``attrs['reading_notes']``, where the file of each site is named too.

    Raises
    ------
    UserError
        A file has a fault, no table is there, or nobody tells where a site is.
    """
    place = root / source.path
    found = members(place)
    tables, notes = choose(found, source.product, source.steps, str(place))
    tables = _wanted(tables, sites, place)
    facts, told = read_site_facts(_fact_files(source, root, place))
    notes += told
    notes += [f"{table.name.site}: {table.member.name}" for table in tables]
    days = {table.name.site: _days_of(table, source.least_share, notes) for table in tables}
    every = np.concatenate([each.table["day"].to_numpy().astype("datetime64[D]") for each in days.values()])
    begin, length = every.min(), int((every.max() - every.min()).astype(int)) + 1
    variables = _variables(days, begin, length, notes)
    lat, lon = (_coordinate(facts, list(days), name, place) for name in ("lat", "lon"))
    cube = xr.Dataset(
        {**variables, **_fixed(facts, list(days))}, coordinates(list(days), lat, lon, begin, length, "standard")
    )
    products = dict.fromkeys(PRODUCTS[table.name.product] for table in tables)
    product, licence, citation = ("; ".join(dict.fromkeys(parts)) for parts in zip(*products, strict=True))
    releases = ", ".join(sorted({f"release {table.name.version}" for table in tables if table.name.version}))
    return cube.assign_attrs(described(product, releases, licence, citation, notes))


def _wanted(tables: list[Chosen], sites: Sequence[str], place: Path) -> list[Chosen]:
    there = [table.name.site for table in tables]
    for name in sites:
        if name not in there:
            raise UserError(f"data.sites: {name!r} is not in {place}; {did_you_mean(name, there)}")
    return [table for table in tables if not sites or table.name.site in sites]


def _fact_files(source: FluxnetSource, root: Path, place: Path) -> list[Path]:
    if source.site_facts:
        return [root / name for name in source.site_facts]
    folder = place if place.is_dir() else place.parent
    return sorted(file for file in folder.rglob("*") if file.is_file() and holds_site_facts(file.name))


def _days_of(table: Chosen, least_share: float, notes: list[str]) -> Days:
    name = table.name
    with table.member.as_file() as path:
        reading = reading_of(set(columns_of(path, name, table.member.where)), name)
        if not reading.column:
            raise UserError(f"{table.member.where}: no column of a driver or flux that is known; is it a data table?")
        steps = read_steps(path, name, table.member, reading.columns)
    notes += steps.notes
    made = daily(steps.table, reading, name, least_share)
    units = {variable: ({**DRIVERS, **FLUXES})[variable].unit_at(name.resolution) for variable in reading.column}
    converted = made.with_columns(
        pl.Series(
            variable, to_canonical(variable, unit, table.member.where)(made[variable].to_numpy().astype(np.float64))
        )
        for variable, unit in units.items()
    )
    accounts = {
        variable: {GIVEN: steps.table.height, KNOWN: steps.table[column].count(), DAYS_OF_STEPS: made[variable].count()}
        for variable, column in reading.column.items()
    }
    return Days(converted, accounts, units)


def _variables(
    days: Mapping[str, Days], begin: np.datetime64, length: int, notes: list[str]
) -> dict[str, xr.DataArray]:
    names = dict.fromkeys(column for each in days.values() for column in each.table.columns if column != "day")
    dense = {name: np.full((len(days), length), np.nan) for name in names}
    for place, frame in enumerate(each.table for each in days.values()):
        at = (frame["day"].to_numpy().astype("datetime64[D]") - begin).astype(np.int64)
        for name in frame.columns[1:]:
            dense[name][place, at] = frame[name].to_numpy().astype(np.float64)
    made = {}
    for name, values in dense.items():
        target = name.removesuffix(QC_SUFFIX).removesuffix(MEASURED_SUFFIX)
        if target == name:
            account = together([each.accounts.get(name, {}) for each in days.values()])
            unit = " or ".join(dict.fromkeys(each.units[name] for each in days.values() if name in each.units))
            made[name] = plausible_days(name, values, notes, account, unit)
        else:
            words = "share of the day measured" + (" or well filled" if name.endswith(QC_SUFFIX) else "")
            made[name] = on_days(_shares(values, name, notes), share_of(target, words))
    return made


def _shares(values: Doubles, name: str, notes: list[str]) -> Doubles:
    wrong = (values < -TOLERANCE) | (values > 1 + TOLERANCE)
    if wrong.any():
        notes.append(f"{name}: {int(wrong.sum())} values that are no share of a day were masked")
    return np.clip(np.where(wrong, np.nan, values), 0.0, 1.0)


def _coordinate(facts: Mapping[str, Facts], sites: Sequence[str], name: str, place: Path) -> Doubles:
    for site in sites:
        if name not in facts.get(site, {}):
            raise UserError(
                f"{place}: nobody tells where the site {site!r} is; put the network's BIF or BADM file of site facts "
                "beside the tables, or name it in data.source.site_facts"
            )
    return np.array([float(facts[site][name]) for site in sites])


def _fixed(facts: Mapping[str, Facts], sites: Sequence[str]) -> dict[str, xr.DataArray]:
    """Statics and classes that the facts of any site tell."""
    made = {}
    for name in STATICS_TOLD:
        low, high = STATICS[name].plausible
        values = np.array([float(facts[site].get(name, np.nan)) for site in sites])
        if np.isfinite(values).any():
            kept = np.where((values >= low) & (values <= high), values, np.nan)
            made[name] = xr.DataArray(kept.astype(np.float32), dims="site", attrs=attributes(name))
    for name in CLASSES_TOLD:
        texts = [str(facts[site].get(name, UNKNOWN)) for site in sites]
        if any(text != UNKNOWN for text in texts):
            kept_texts = [text[:1] if name == "koppen" and text != UNKNOWN else text for text in texts]
            made[name] = xr.DataArray(np.array(kept_texts), dims="site", attrs={"long_name": CLASSES[name]})
    return made
