"""A gridded product becomes a cube: its cells, or the places of a site table."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ....config.sources import GridSource
from ....errors import UserError
from ....variables import STATICS, TARGETS
from ...cube import attributes, select_sites
from ..assemble import AREA, coordinates, described, of_cells, plausible, plausible_days
from ..grid_cells import years_between
from ..units import PER_MONTH, Linear, to_canonical
from .fields import Variable, open_variable
from .page import Page, load_page, load_weather
from .regrid import Overlap, Values
from .target import Target, target_of

LEAST_WETLAND = 0.01  # share of a cell below which a flux per area of wetland would be noise

Month = np.datetime64


@dataclass(frozen=True)
class Reader:
    """How one variable comes to the sites of a cube.

    Attributes
    ----------
    overlap : of the variable's grid with the cube's; None where they are the same.
    convert, per_month : to the unit of the house, and whether the unit is a sum over the month.
    fraction : share of each cell that is wetland, where the flux is to be divided by it.
    """

    name: str
    variable: Variable
    target: Target
    overlap: Overlap | None
    convert: Linear
    per_month: bool
    fraction: "Reader | None"

    def month(self, month: Month) -> tuple[Values, NDArray[np.datetime64] | None]:
        """Return values (step, site) of a month in the unit of the house, and their days; None of monthly values."""
        raw, days = self.variable.steps_in(month)
        if self.per_month:
            raw = raw / _days_in(month)
        values = self.target.taken(raw if self.overlap is None else self._regridded(raw))
        if self.fraction is not None:
            share = self.fraction.month(month)[0]
            share = share if len(share) in (1, len(values)) else np.repeat(share.mean(0)[None], len(values), 0)
            values = np.where(share >= LEAST_WETLAND, values / np.maximum(share, LEAST_WETLAND), np.nan)
        return self.convert(values), days

    def _regridded(self, raw: Values) -> Values:
        assert self.overlap is not None
        is_flux = self.name in TARGETS
        return self.overlap.density(raw) if is_flux and self.variable.declared.per == "cell" else self.overlap.mean(raw)


@dataclass(frozen=True)
class Product:
    """A product that was opened: its page, a reader of each variable, and where values are wanted."""

    page: Page
    readers: Mapping[str, Reader]
    target: Target
    folder: Path

    def cube(self, begin: np.datetime64, end: np.datetime64, notes: list[str], before: str = "") -> xr.Dataset:
        """Read the days from ``begin`` up to ``end``, a month at a time; add to ``notes`` what was masked, and when."""
        length = int((end - begin).astype(int))
        masked: list[str] = []
        made: dict[str, xr.DataArray] = {}
        for name, reader in self.readers.items():
            if name in STATICS:
                of_map: list[str] = []
                values = plausible(name, reader.month(begin.astype("datetime64[M]"))[0][0], of_map)
                notes += [line for line in of_map if line not in notes]
                made[name] = xr.DataArray(values.astype(np.float32), dims="site", attrs=attributes(name))
            else:
                unit = reader.variable.unit
                made[name] = plausible_days(name, _daily(reader, begin, length), masked, unit=unit)
                if name in TARGETS:
                    made[name].attrs[AREA] = _area(self.page, name)
        calendar = "noleap" if any(reader.variable.no_leap for reader in self.readers.values()) else "standard"
        notes += [before + line for line in masked]
        said = [*notes, *(f"{name}: per area of {_area(self.page, name)}" for name in made if name in TARGETS)]
        page, where = self.page, self.target
        cube = xr.Dataset(made, coordinates(where.names, where.lat, where.lon, begin, length, calendar))
        return cube.assign_attrs(described(page.product, page.version, page.licence, page.citation, said))

    def of_cells(self, cube: xr.Dataset) -> xr.Dataset:
        """Say of a cube that its sites are cells; not of those at the places of a site table."""
        where = self.target
        if where.at_places:
            return cube
        row, column = np.divmod(where.cells, len(where.lon_edges) - 1)
        return of_cells(cube, np.diff(where.lat_edges)[row], np.diff(where.lon_edges)[column])


def read(_pair: str, source: GridSource, root: Path, sites: Sequence[str]) -> xr.Dataset:
    """Read the years asked for.

    Raises
    ------
    UserError
        The page, a file or an axis cannot be read as declared, a unit is unknown, or no cell has a flux.
    """
    years = years_between(source.first_year, source.last_year)
    with _opened(source, root) as product:
        cube = product.cube(_new_year(years[0]), _new_year(years[-1] + 1), [])
        _refuse_nothing(bool(np.isfinite(cube[product.page.flux]).any()), product, years)
        return select_sites(product.of_cells(cube), sites, str(product.folder))


def cells_by_year(source: GridSource, root: Path) -> Iterator[xr.Dataset]:
    """Read the years asked for one at a time; the notes of each say what was met up to then.

    Raises
    ------
    UserError
        As ``read``; that no cell has a flux is known after the last year.
    """
    years = years_between(source.first_year, source.last_year)
    notes: list[str] = []
    some = False
    with _opened(source, root) as product:
        for year in years:
            cube = product.cube(_new_year(year), _new_year(year + 1), notes, f"{year}: ")
            some = some or bool(np.isfinite(cube[product.page.flux]).any())
            whole = [product.of_cells(cube)]
            del cube
            yield whole.pop()  # so that no year is held while the next is read
        _refuse_nothing(some, product, years)


@contextmanager
def _opened(source: GridSource, root: Path) -> Iterator[Product]:
    """Open a product's files, and close them: a file that stays open is not read anew when it is replaced."""
    page, folder = load_page(source.page), root / source.path
    with ExitStack() as held:
        opened = _fields(page, folder, held)
        target = target_of(source, root, opened[page.flux])
        if bool(source.weather) != bool(source.weather_path):
            raise UserError("data.*.weather and data.*.weather_path go together; give both or neither")
        if source.weather:
            weather = load_weather(source.weather)
            twice = [name for name in weather.variables if name in opened]
            if twice:
                raise UserError(f"data.*.weather: {twice[0]} stands in the page of the flux too; leave it out of one")
            opened |= _fields(weather, root / source.weather_path, held)
            page = page.with_weather(weather)
        yield Product(page, _readers(page, opened, target, folder, held), target, folder)


def _fields(page: Page, folder: Path, held: ExitStack) -> dict[str, Variable]:
    return {
        name: held.enter_context(open_variable(name, field, folder, page.missing))
        for name, field in page.variables.items()
    }


def _refuse_nothing(some: bool, product: Product, years: Sequence[int]) -> None:
    if not some:
        between = f"between {years[0]} and {years[-1]}"
        raise UserError(f"{product.folder}: no cell has a {product.page.flux} {between}; check the years")


def _new_year(year: int) -> np.datetime64:
    return np.datetime64(f"{year}-01-01")


def _readers(
    page: Page, opened: dict[str, Variable], target: Target, folder: Path, held: ExitStack
) -> dict[str, Reader]:
    fraction = None
    if page.wetland_fraction is not None:
        share = held.enter_context(open_variable("wetland_fraction", page.wetland_fraction, folder, page.missing))
        percent = share.unit in ("%", "percent")
        scale = Linear(0.01) if percent else Linear()
        fraction = Reader("wetland_fraction", share, target, target.overlap(share), scale, False, None)
    made = {}
    for name, variable in opened.items():
        where = f"{variable.parts[0].path}: {variable.declared.name}"
        if name in STATICS and not variable.is_static:
            raise UserError(f"{where}: has a time axis, but {name} is a property of the place; name a map of it")
        if name not in STATICS and variable.is_static:
            raise UserError(f"{where}: has no time axis, but {name} changes from day to day")
        if not variable.unit:
            raise UserError(f"{where}: the file states no unit; give 'unit' of {name} in the product's page")
        unit = variable.unit.replace(PER_MONTH, " d-1")
        per_month = variable.unit.endswith(PER_MONTH)
        divide = fraction if name in TARGETS and variable.declared.per == "cell" else None
        made[name] = Reader(
            name, variable, target, target.overlap(variable), to_canonical(name, unit, where), per_month, divide
        )
    return made


def _daily(reader: Reader, begin: np.datetime64, length: int) -> NDArray[np.float32]:
    """Return values (site, day): days as they are, months repeated; NaN where the product has nothing."""
    dense = np.full((len(reader.target.cells), length), np.nan, np.float32)
    first, end = begin.astype("datetime64[M]"), (begin + length).astype("datetime64[M]")
    for month in (first + number for number in range(int((end - first).astype(int)))):
        values, days = reader.month(month)
        if not len(values):
            continue
        if days is None:
            start = int((month.astype("datetime64[D]") - begin).astype(int))
            stop = int(((month + 1).astype("datetime64[D]") - begin).astype(int))
            dense[:, start:stop] = values[0][:, None]
        else:
            dense[:, (days - begin).astype(int)] = values.T
    return dense


def _days_in(month: Month) -> int:
    return int(((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(int))


def _area(page: Page, name: str) -> str:
    if page.wetland_fraction is not None or page.variables[name].per == "wetland":
        return "wetland"
    return "the whole cell"
