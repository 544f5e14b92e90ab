"""What a gridded product holds, declared in one YAML page: `docs/gridded_products.md` walks through one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from ....errors import UserError, did_you_mean
from ....variables import DRIVERS, STATICS, TARGETS
from ....yaml_strict import load_yaml
from ..declared import build, find_page
from ..units import PER_MONTH, to_canonical

SHIPPED = Path(__file__).resolve().parents[4] / "configs" / "grids"
AREAS = ("cell", "wetland")
STEPS = ("month", "day")


@dataclass(frozen=True)
class FirstStep:
    """When a time axis begins that the files do not tell, and how long its steps are."""

    day: str
    step: str


@dataclass(frozen=True)
class Field:
    """A variable of the product.

    Attributes
    ----------
    name : in the files. files : which files hold it, a pattern under the source's path; a Zarr store counts as one.
    unit : in the files; empty where they state one that says which gas it is of.
    per : area that a flux is of: that of the whole ``cell``, or of the ``wetland`` in it.
    negate : turn the sign.
    first : where the files' time axis is none.
    """

    name: str
    files: str = "*.nc"
    unit: str = ""
    per: str = "cell"
    negate: bool = False
    first: FirstStep | None = None


@dataclass(frozen=True)
class Page:
    """A product's page.

    Attributes
    ----------
    variables : fields by name of the house.
    wetland_fraction : share of each cell that is wetland; fluxes of the cell are divided by it.
    missing : codes besides those that the files' attributes name.
    """

    product: str
    licence: str
    citation: str
    variables: Mapping[str, Field]
    version: str = ""
    wetland_fraction: Field | None = None
    missing: tuple[float, ...] = ()

    @property
    def flux(self) -> str:
        """The flux whose grid and cells the cube takes: the first that is declared."""
        return next(name for name in self.variables if name in TARGETS)

    def with_weather(self, weather: "Page") -> "Page":
        """Return this page, asking to be cited together with the product its weather is of."""
        named = [", ".join(part for part in (page.product, page.version) if part) for page in (self, weather)]
        return replace(
            self,
            product="; ".join(named),
            version="",
            licence=f"{self.licence}; {weather.licence}",
            citation=f"{self.citation}; {weather.citation}",
        )


def load_page(name: str) -> Page:
    """Read a page by its name in ``configs/grids`` or by its path.

    Raises
    ------
    UserError
        No such page; or a key, variable or unit in it is unknown, missing, given twice or of the wrong type.
    """
    path = page_file(name)
    page = build(Page, load_yaml(path), str(path))
    _check(page, str(path))
    return page


def load_weather(name: str) -> Page:
    """Read a page of drivers and maps that go with another product's flux.

    Raises
    ------
    UserError
        As ``load_page``; or it declares a flux, or a wetland fraction, which belong to the flux's own page.
    """
    path = page_file(name)
    page = build(Page, load_yaml(path), str(path))
    fluxes = [name for name in page.variables if name in TARGETS]
    if fluxes or page.wetland_fraction is not None:
        wrong = fluxes[0] if fluxes else "wetland_fraction"
        raise UserError(f"{path}: {wrong} does not go with weather; it belongs to the page of the flux")
    _check_fields(page, str(path))
    return page


def page_file(name: str) -> Path:
    """Return the file of a page.

    Raises
    ------
    UserError
        No such page.
    """
    return find_page(name, SHIPPED, "data.*.page")


def _check(page: Page, where: str) -> None:
    if not any(name in TARGETS for name in page.variables):
        raise UserError(f"{where}: variables: declares no flux; name one of {', '.join(TARGETS)}")
    _check_fields(page, where)


def _check_fields(page: Page, where: str) -> None:
    known = {**DRIVERS, **TARGETS, **STATICS}
    fields = dict(page.variables)
    if page.wetland_fraction is not None:
        fields["wetland_fraction"] = page.wetland_fraction
    for name, of_page in fields.items():
        at = f"{where}: {name}"
        if name not in known and name != "wetland_fraction":
            raise UserError(f"{where}: variables: {name!r} is no variable here; {did_you_mean(name, known)}")
        if of_page.unit and name != "wetland_fraction":
            to_canonical(name, of_page.unit.replace(PER_MONTH, " d-1"), at)
        if of_page.per not in AREAS:
            raise UserError(f"{at}: per: {did_you_mean(of_page.per, AREAS)}")
        if Path(of_page.files).is_absolute() or ".." in Path(of_page.files).parts:
            raise UserError(f"{at}: files: {of_page.files!r} leaves the folder; give a pattern inside it")
        if of_page.first is not None:
            _check_first(of_page.first, at)


def _check_first(first: FirstStep, at: str) -> None:
    if first.step not in STEPS:
        raise UserError(f"{at}: first.step: {did_you_mean(first.step, STEPS)}")
    try:
        date.fromisoformat(first.day)
    except ValueError:
        raise UserError(f"{at}: first.day: {first.day!r} is no day such as '2000-01-01'") from None
