"""Where data come from: the keys of each reader, a dataclass a kind; ``SOURCES`` names the kinds.

``SIMULATIONS`` adds what can only be pretrained on.
"""

# ruff: noqa: RUF009  key() is a dataclasses.field

from dataclasses import dataclass

from omegaconf import MISSING

from .declare import key


@dataclass
class EmbeddedSource:
    """The embedded world: towers (the rich truth, observed) or simulation (a simpler model on grid cells)."""

    kind: str = key("embedded", "which reader", choices=["embedded"])
    face: str = key(
        "towers",
        "towers: noisy, gappy observations of the truth; simulation: gridded cells",
        choices=["towers", "simulation"],
    )
    seed: int = key(0, "seed of the world; both faces of one seed share weather and land", bounds=(0, 2**31 - 1))
    places: int = key(60, "number of towers, or of grid cells", bounds=(1, 100_000))
    years: int = key(6, "length of the record", bounds=(1, 60))
    start: int = key(2001, "first year", bounds=(1800, 2200))
    hidden_share: float = key(
        0.5, "share of the variance of towers' hidden properties that neighbours share", bounds=(0.0, 1.0)
    )
    hidden_range_km: float = key(700.0, "how far that shared part reaches", bounds=(1.0, 20_000.0))
    role_separation: float = key(
        1.0,
        "how strongly hidden properties set a tower's response to the day's weather: a factor on those spreads",
        bounds=(0.0, 10.0),
    )
    simulator: str = key(
        "simpler",
        "simulation: simpler: fewer mechanisms and wrong parameters; true: the towers' own equations and hidden "
        "properties; shuffled: the simpler model's fluxes, each day that of any cell and day; half_a_year_late: those "
        "of half a year before",
        choices=["simpler", "true", "shuffled", "half_a_year_late"],
    )


@dataclass
class TableSource:
    """Anyone's Parquet or CSV of days, steps or chambers, with a site table and a column map."""

    kind: str = key("table", "which reader", choices=["table"])
    columns: str = key(MISSING, "column map: a name in configs/columns/ or a path to a YAML file")
    path: str = key(MISSING, "daily table (Parquet or CSV), relative to data.root")
    sites: str = key(MISSING, "site table (CSV or Parquet), relative to data.root")


@dataclass
class CubeSource:
    """A cube that raciflux wrote earlier."""

    kind: str = key("cube", "which reader", choices=["cube"])
    path: str = key(MISSING, "Zarr folder, relative to data.root")


@dataclass
class FluxnetSource:
    """FLUXNET-standard downloads: FLUXNET2015, FLUXNET-CH4, AmeriFlux FLUXNET and BASE, ICOS."""

    kind: str = key("fluxnet", "which reader", choices=["fluxnet"])
    path: str = key(MISSING, "folder of downloads, a ZIP or a CSV, relative to data.root; the network's names are kept")
    product: str = key(
        "", "only this product; empty takes all", choices=["", "FLUXNET2015", "FLUXNET-CH4", "FLUXNET", "BASE"]
    )
    steps: str = key(
        "auto",
        "auto: half-hours, which tell what was measured, where a site has them, else days",
        choices=["auto", "half_hours", "days"],
    )
    least_share: float = key(0.8, "share of a day's half-hours that must be known for its value", bounds=(0.01, 1.0))
    site_facts: list[str] = key([], "BIF or BADM files, relative to data.root; empty looks beside the tables")


@dataclass
class XMethaneWetSource:
    """X-MethaneWet (arXiv 2505.18355) in its published layout: TEM-MDM on a grid, and FLUXNET-CH4 towers."""

    kind: str = key("xmethanewet", "which reader", choices=["xmethanewet"])
    face: str = key("towers", "towers: observations; cells: the simulation, by grid cell", choices=["towers", "cells"])
    path: str = key("X-MethaneWet", "folder that holds TEM-MDM/ and FLUXNET-CH4/, relative to data.root")
    first_year: int = key(1979, "cells: first year", bounds=(1800, 2200))
    last_year: int = key(1988, "cells: last year", bounds=(1800, 2200))
    cells: int = key(0, "cells: how many of those that emit, drawn by seed; 0 takes all", bounds=(0, 40_000_000))
    seed: int = key(0, "seed of that draw", bounds=(0, 2**31 - 1))
    paper_compat: bool = key(
        False, "read as the published code does: its cell index, 365-day years, emissions divided by 23"
    )
    units: list[str] = key([], "units of grids, NAME=UNIT such as TAIR=K, where the files state none or a wrong one")


@dataclass
class GridSource:
    """A gridded product in CF NetCDF or Zarr: process models, inversions; a page of YAML says what it holds."""

    kind: str = key("grid", "which reader", choices=["grid"])
    page: str = key(MISSING, "the product's page: a name in configs/grids/ or a path to a YAML file")
    path: str = key(MISSING, "folder of its files, relative to data.root")
    first_year: int = key(MISSING, "first year", bounds=(1800, 2200))
    last_year: int = key(MISSING, "last year", bounds=(1800, 2200))
    resolution: float = key(0.0, "degrees to regrid to, conserving totals; 0 keeps the flux's own", bounds=(0.0, 30.0))
    weather: str = key("", "page of drivers and maps to read at the flux's cells, where its own page has none")
    weather_path: str = key("", "folder of the weather's files, relative to data.root")
    sites: str = key("", "site table (site_id, lat, lon) to sample at, relative to data.root; empty takes cells")
    cells: int = key(0, "how many of the cells with a flux, drawn by seed; 0 takes all", bounds=(0, 40_000_000))
    seed: int = key(0, "seed of that draw", bounds=(0, 2**31 - 1))


@dataclass
class AgroFluxSource:
    """AgroFlux (arXiv 2602.01614) in its published arrays: Ecosys runs of Midwest counties, and flux towers."""

    kind: str = key("agroflux", "which reader", choices=["agroflux"])
    face: str = key("towers", "towers: observations; simulation: Ecosys runs", choices=["towers", "simulation"])
    path: str = key("AgroFlux", "folder that holds data_files/ and county_metrics/, relative to data.root")
    rate: int | None = key(None, "simulation: one of the 20 rates of nitrogen; null takes all", bounds=(0, 19))
    sites: str = key("", "towers: table number, site_id, lat, lon, first_year, which the arrays do not tell")


@dataclass
class PykgmlSource:
    """PyKGML's serialised carbon data (.sav); read as numbers, code in it never runs."""

    kind: str = key("pykgml", "which reader", choices=["pykgml"])
    path: str = key("PyKGML/co2_pretrain_data.sav", "the file, relative to data.root")
    sites: str = key("", "table site_id, lat, lon, a row a site in the order of the file, which does not tell them")
    first_year: int = key(2001, "year of the first day", bounds=(1950, 2100))


@dataclass
class PoolSource:
    """Sources of a pool that scripts/harmonise.py built, their sites beside each other."""

    kind: str = key("pool", "which reader", choices=["pool"])
    path: str = key("pool", "folder of the pool, relative to data.root")
    take: list[str] = key([], "which of its sources; empty takes all")


@dataclass
class LightUseSource:
    """A light-use-efficiency model of GPP, run on the drivers of data.source itself; only for data.simulation.

    It reads no file, so that there is nothing to keep in step: what ``data.source`` and ``data.sites`` name is what it
    runs on.
    """

    kind: str = key("light_use_efficiency", "which simulation", choices=["light_use_efficiency"])


SOURCES: dict[str, type] = {
    "embedded": EmbeddedSource,
    "table": TableSource,
    "cube": CubeSource,
    "fluxnet": FluxnetSource,
    "xmethanewet": XMethaneWetSource,
    "grid": GridSource,
    "pool": PoolSource,
    "agroflux": AgroFluxSource,
    "pykgml": PykgmlSource,
}

SIMULATIONS: dict[str, type] = {**SOURCES, "light_use_efficiency": LightUseSource}

Source = (
    EmbeddedSource
    | TableSource
    | CubeSource
    | FluxnetSource
    | XMethaneWetSource
    | GridSource
    | PoolSource
    | AgroFluxSource
    | PykgmlSource
)
