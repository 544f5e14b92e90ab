"""The files that a source is read from: what a catalogue vouches for, and what tells that it must be read again."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ...config.sources import (
    AgroFluxSource,
    CubeSource,
    FluxnetSource,
    GridSource,
    PoolSource,
    PykgmlSource,
    TableSource,
    XMethaneWetSource,
)
from ...errors import UserError
from .column_map import find_column_map
from .fluxnet.archives import members
from .fluxnet.file_names import holds_site_facts
from .gridded.page import Field, load_page, load_weather, page_file
from .xmethanewet import layout


def input_files(source: Any, root: Path) -> list[Path]:  # noqa: ANN401  any section of SOURCES
    """Return the files of a source, sorted, each once; of the embedded world, which is computed, none.

    Raises
    ------
    UserError
        A file that the source names is not there.
    """
    found = FILES[source.kind](source, root) if source.kind in FILES else []
    for path in found:
        if not path.is_file():
            raise UserError(f"{path}: no such file; check data.root (or RACIFLUX_DATA) and the path")
    return sorted(set(found))


def _table(source: TableSource, root: Path) -> list[Path]:
    return [find_column_map(source.columns), root / source.path, root / source.sites]


def _under(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _cube(source: CubeSource, root: Path) -> list[Path]:
    return _under(root / source.path)


def _fluxnet(source: FluxnetSource, root: Path) -> list[Path]:
    place = root / source.path
    folder = place if place.is_dir() else place.parent
    facts = [root / name for name in source.site_facts] or [
        path for path in _under(folder) if holds_site_facts(path.name)
    ]
    return [member.path for member in members(place)] + facts


def _xmethanewet(source: XMethaneWetSource, root: Path) -> list[Path]:
    folder = root / source.path
    fixed = [grid.file for grid in (*layout.STATICS, *layout.CODES)]
    grids = [folder / layout.GRIDS / name for name in (*fixed, layout.METHANE_IN_AIR, layout.CARBON_DIOXIDE_IN_AIR)]
    if source.face == "towers":
        tables = [folder / layout.TOWERS / name for name in (layout.SITE_TABLE, layout.DAILY_TABLE)]
        of_years = (layout.SHORTWAVE, layout.PRODUCTION)
        return (
            grids
            + tables
            + [path for grid in of_years for path in (folder / layout.GRIDS).glob(grid.file.format(year="*"))]
        )
    years = range(source.first_year, source.last_year + 1)
    yearly = [grid.file.format(year=y) for y in years for grid in (*layout.DAILY, layout.PRODUCTION, layout.EMISSION)]
    return grids + [folder / layout.GRIDS / name for name in yearly]


def _grid(source: GridSource, root: Path) -> list[Path]:
    page, folder = load_page(source.page), root / source.path
    fields = [*page.variables.values(), *([page.wetland_fraction] if page.wetland_fraction else [])]
    files = [page_file(source.page), *_matched(fields, folder)]
    if source.weather:
        weather = load_weather(source.weather).variables.values()
        files += [page_file(source.weather), *_matched(weather, root / source.weather_path)]
    return files + ([root / source.sites] if source.sites else [])


def _matched(fields: Iterable[Field], folder: Path) -> list[Path]:
    matched = [path for field in fields for path in folder.glob(field.files)]
    return [file for path in matched for file in (_under(path) if path.is_dir() else [path])]


def _pool(source: PoolSource, root: Path) -> list[Path]:
    raise UserError(f"{root / source.path}: a pool is made of sources, not of pools; name the sources themselves")


def _agroflux(source: AgroFluxSource, root: Path) -> list[Path]:
    folder = root / source.path
    shared = [*(folder / "data_files" / "t0_scalers").glob("*.npy")]
    if source.face == "simulation":
        return [
            *shared,
            *(folder / "data_files" / "t0_mw").glob("*.npy"),
            folder / "county_metrics" / "Ecosys_99points.csv",
        ]
    return [*shared, *(folder / "data_files" / "t1_co2").glob("*ECfluxnet*.npy"), root / source.sites]


def _pykgml(source: PykgmlSource, root: Path) -> list[Path]:
    return [root / source.path, root / source.sites]


FILES: dict[str, Callable[[Any, Path], list[Path]]] = {
    "table": _table,
    "cube": _cube,
    "fluxnet": _fluxnet,
    "xmethanewet": _xmethanewet,
    "grid": _grid,
    "pool": _pool,
    "agroflux": _agroflux,
    "pykgml": _pykgml,
}
